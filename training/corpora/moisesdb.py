"""MoisesDB: 240 recorded songs, 11 kinds of stems, each of one or several files."""

import logging
from pathlib import Path
from typing import Any

from cocola_metric.errors import UsageError
from cocola_metric.json_files import read_json

from .splits import ALL_FOLDERS, FOLDERS, check_split, draw_split, find_home
from .tracks import Stem, Track, keep_usable

logger = logging.getLogger(__name__)

DATA_FILE = "data.json"


def index_moisesdb(root: Path, split: str, *, by_type: bool = False) -> list[Track]:
    """Index ``<root>/<provider>/<track>/<stem>/<file id>.wav``, as version 0.1 unpacks (provider ``moisesdb_v0.1``).

    ``data.json`` beside the stem folders lists them: ``stems``, each with a ``stemName`` of the 11 (drums, guitar, …)
    and ``tracks``, the files, each with ``id``, ``extension`` and a finer ``trackType`` (kick drum, overheads, …). A
    stem name may occur twice; its files are gathered. MoisesDB has no splits of its own: they are drawn with a fixed
    seed, 0.8/0.1/0.1 as in section 4.1 of the paper, unless tracks already lie in ``train``, ``valid`` and ``test``.

    Args:
        root: folder of the data set, with or without the provider's folder.
        split: name of the split: train, validation or test.
        by_type: choice of the stems: one of each track type, or one of each of the 11 kinds (default). Files of one
            kind, such as the microphones of a drum kit, pick up each other; on two sides of a pair they would give the
            answer away.

    Raises:
        AudioError: no track can be used.
    """
    check_split(split)
    home = find_home(root, f"*/{DATA_FILE}", f"*/*/{DATA_FILE}")
    folders = sorted(file.parent for depth in ("*", "*/*") for file in home.glob(f"{depth}/{DATA_FILE}"))
    if any(folder.parent.name in ALL_FOLDERS for folder in folders):
        chosen = [folder for folder in folders if folder.parent.name in FOLDERS[split]]
    else:
        drawn = draw_split((folder.name for folder in folders), split)
        chosen = [folder for folder in folders if folder.name in drawn]
    tracks = [_read_track(folder, by_type) for folder in chosen]
    return keep_usable(tracks, f"{root} (moisesdb, {split})")


def _read_track(folder: Path, by_type: bool) -> Track:
    files: dict[tuple[str, str], list[Path]] = {}
    try:
        listed: list[dict[str, Any]] = read_json(folder / DATA_FILE)["stems"]
        for stem in listed:
            for file in stem["tracks"]:
                key = (stem["stemName"], file["trackType"] if by_type else "")
                files.setdefault(key, []).append(folder / stem["stemName"] / f"{file['id']}.{file['extension']}")
    except (UsageError, KeyError, TypeError) as error:
        logger.warning("%s cannot be read: %r", folder / DATA_FILE, error)
        return Track(folder.name, ())
    return Track(
        folder.name,
        tuple(Stem(f"{name}/{kind}" if kind else name, tuple(paths), name) for (name, kind), paths in files.items()),
    )
