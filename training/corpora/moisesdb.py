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
KINDS = ("name", "type", "file")


def index_moisesdb(root: Path, split: str, *, stems: str = "name") -> list[Track]:
    """Index ``<root>/<provider>/<track>/<stem>/<file id>.wav``, as version 0.1 unpacks (provider ``moisesdb_v0.1``).

    ``data.json`` beside the stem folders lists them: ``stems``, each with a ``stemName`` of the 11 (drums, guitar, …)
    and ``tracks``, the files, each with ``id``, ``extension`` and a finer ``trackType`` (kick drum, overheads, …). A
    stem name may occur twice; its files are gathered. ``genre`` becomes that of the track.

    MoisesDB has no splits of its own: they are drawn with a fixed seed, 0.8/0.1/0.1 as in section 4.1 of the paper,
    unless tracks already lie in ``train``, ``valid`` and ``test``.

    Args:
        root: folder of the data set, with or without the provider's folder.
        split: name of the split: train, validation or test.
        stems: choice of the stems: "name", one of each of the 11 stem names; "type", one of each track type; "file",
            every file, as in the authors' code. Files of one stem name, such as the microphones of a drum kit, pick up
            each other; on two sides of a pair they give the answer away.

    Raises:
        AudioError: no track can be used.
        UsageError: there is no such choice of stems.
    """
    check_split(split)
    if stems not in KINDS:
        raise UsageError(f"stems of MoisesDB must be one of {', '.join(KINDS)}; got {stems!r}")
    home = find_home(root, f"*/{DATA_FILE}", f"*/*/{DATA_FILE}")
    folders = sorted(file.parent for depth in ("*", "*/*") for file in home.glob(f"{depth}/{DATA_FILE}"))
    if any(folder.parent.name in ALL_FOLDERS for folder in folders):
        chosen = [folder for folder in folders if folder.parent.name in FOLDERS[split]]
    else:
        drawn = draw_split((folder.name for folder in folders), split)
        chosen = [folder for folder in folders if folder.name in drawn]
    tracks = [_read_track(folder, stems) for folder in chosen]
    return keep_usable(tracks, f"{root} (moisesdb, {split})")


def _read_track(folder: Path, stems: str) -> Track:
    files: dict[tuple[str, str], list[Path]] = {}
    try:
        data: dict[str, Any] = read_json(folder / DATA_FILE)
        for stem in data["stems"]:
            for file in stem["tracks"]:
                finer = {"name": "", "type": file["trackType"], "file": file["id"]}[stems]
                key = (stem["stemName"], finer)
                files.setdefault(key, []).append(folder / stem["stemName"] / f"{file['id']}.{file['extension']}")
    except (UsageError, KeyError, TypeError) as error:
        logger.warning("%s cannot be read: %r", folder / DATA_FILE, error)
        return Track(folder.name, ())
    return Track(
        folder.name,
        tuple(Stem(f"{name}/{finer}" if finer else name, tuple(paths), name) for (name, finer), paths in files.items()),
        str(data.get("genre") or ""),
    )
