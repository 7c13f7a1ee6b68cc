"""Slakh2100: 2100 songs synthesised from MIDI with sampled instruments."""

import logging
import re
from pathlib import Path
from typing import Any

from cocola_metric.audio import list_audio

from .splits import ALL_FOLDERS, FOLDERS, find_home, split_folder
from .tracks import Stem, Track, keep_usable

logger = logging.getLogger(__name__)

METADATA = "metadata.yaml"
OMITTED = "omitted"
LAST_OF_SPLIT = {"train": 1500, "validation": 1875, "test": 2100}
_MIDI = re.compile(r"^UUID: *(\S+)", re.MULTILINE)


def index_slakh2100(root: Path, split: str, *, deduplicate: bool = True) -> list[Track]:
    """Index ``<root>/<train|validation|test>/Track<number>/stems/S<number>.flac``, one stem a file.

    Both published layouts are read the same way. The original has songs rendered twice or more from one MIDI file,
    often across splits (``metadata.yaml`` gives the file's hash as ``UUID``); of those only the lowest number stays.
    That is the rule behind Slakh2100-redux (1289 + 270 + 151 tracks; README of slakh-utils/splits), which has moved the
    others to ``omitted``. A folder without splits, as BabySlakh, is split by the official numbers: training ends at
    1500, validation at 1875, test at 2100.

    ``metadata.yaml`` lists the stems, with ``inst_class`` ("Guitar") and ``audio_rendered``, which is false if a stem
    has no file. Its ``audio_dir`` is ignored: in track 616 of redux it names a folder of the authors' machine. A listed
    stem without a file is left out with a warning. The track stays, because its other stems still belong together.

    Args:
        root: folder of the data set.
        split: name of the split: train, validation or test.
        deduplicate: choice of one song per MIDI file. False gives the official 1500 + 375 + 225 tracks of section 4.1;
            of redux, those in ``omitted`` go back to their splits by number.

    Raises:
        AudioError: no track can be used.
    """
    home = find_home(root, *(f"{name}/Track*" for name in ALL_FOLDERS), "Track*")
    by_split = {folder: name for name in FOLDERS if (folder := split_folder(home, name))}
    parents = [*by_split, *([] if deduplicate or not by_split else [home / OMITTED])] or [home]
    tracks = sorted((track for parent in parents for track in parent.glob("Track*/")), key=lambda track: track.name)
    kept = _without_duplicates(tracks) if deduplicate else tracks
    chosen = [track for track in kept if (by_split.get(track.parent) or _split_by_number(track)) == split]
    return keep_usable([_read_track(track) for track in chosen], f"{root} (slakh2100, {split})")


def _without_duplicates(tracks: list[Path]) -> list[Path]:
    seen: dict[str, Path] = {}
    for folder in tracks:
        file = folder / METADATA
        found = _MIDI.search(file.read_text(encoding="utf-8", errors="replace")) if file.exists() else None
        seen.setdefault(found[1] if found else str(folder), folder)
    return list(seen.values())


def _split_by_number(track: Path) -> str:
    number = int(re.sub(r"\D", "", track.name) or 0)
    return next((split for split, last in LAST_OF_SPLIT.items() if number <= last), "")


def _read_track(folder: Path) -> Track:
    import yaml  # not above: the registry of corpora is read for --help

    try:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's, which is ten times as fast, where it is
        listed: dict[str, dict[str, Any]] = yaml.load((folder / METADATA).read_text(encoding="utf-8"), loader)["stems"]
        rendered = {name: str(stem["inst_class"]) for name, stem in listed.items() if stem.get("audio_rendered", True)}
    except (OSError, yaml.YAMLError, ValueError, KeyError, TypeError, AttributeError) as error:
        logger.warning("%s cannot be read: %s", folder / METADATA, error)
        return Track(folder.name, ())
    stems = folder / "stems"
    files = {file.stem: file for file in (list_audio(stems) if stems.is_dir() else []) if file.stem.startswith("S")}
    missing = sorted(set(rendered) - set(files))
    if missing:
        logger.warning("%s: listed stems without a file are left out: %s", stems, ", ".join(missing))
    return Track(
        folder.name,
        tuple(Stem(name, (files[name],), rendered[name]) for name in sorted(rendered) if name in files),
    )
