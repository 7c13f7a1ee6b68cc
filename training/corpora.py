"""Tracks and their stems: where each corpus keeps them on disk."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import soundfile

from cocola_metric.errors import AudioError

AUDIO_SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".mp3", ".aif", ".aiff"})
GROUPS_FILE = "GROUPS.json"


@dataclass(frozen=True)
class Stem:
    """One instrument of a track: one or several files that are summed."""

    name: str
    files: tuple[Path, ...]


@dataclass(frozen=True)
class Track:
    """A piece of music with its separated stems, all starting together."""

    name: str
    stems: tuple[Stem, ...]

    @cached_property
    def seconds(self) -> float:
        """Length of the longest stem, from the files' headers."""
        return max(soundfile.info(file).duration for stem in self.stems for file in stem.files)


def index_stem_folder(root: Path) -> list[Track]:
    """Index ``<root>/<track>/<stem>.<ext>``, sorted by name; tracks of fewer than two stems are left out.

    A ``GROUPS.json`` in the root, {track: {file: stem name}}, gathers files into coarser stems.

    Raises:
        AudioError: the folder is missing or holds no track of two stems.
    """
    if not root.is_dir():
        raise AudioError(f"{root}: no such folder; give the folder that holds one folder per track")
    groups_file = root / GROUPS_FILE
    groups = json.loads(groups_file.read_text()) if groups_file.exists() else {}
    tracks = [
        Track(folder.name, _gather(folder, groups.get(folder.name, {})))
        for folder in sorted(root.iterdir())
        if folder.is_dir() and not folder.name.startswith(".")
    ]
    tracks = [track for track in tracks if len(track.stems) >= 2]
    if not tracks:
        raise AudioError(f"{root}: no track with two stems; expected <track>/<stem>.<wav|flac|ogg|mp3|aiff>")
    return tracks


def _gather(folder: Path, groups: dict[str, str]) -> tuple[Stem, ...]:
    files: dict[str, list[Path]] = {}
    for file in sorted(folder.iterdir()):
        if file.suffix.lower() in AUDIO_SUFFIXES:
            files.setdefault(groups.get(file.name, file.stem), []).append(file)
    return tuple(Stem(name, tuple(members)) for name, members in files.items())
