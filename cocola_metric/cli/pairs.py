"""Lists of pairs to score: a manifest, or two folders."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..audio import AudioInput
from ..errors import UsageError
from ..names import is_plain

SIDES = ("conditioning", "accompaniment")
STEM_SEPARATOR = ";"  # between the stems of one side, within a CSV cell


@dataclass(frozen=True)
class Pair:
    """A pair to score: its inputs, and how the manifest writes them."""

    conditioning: AudioInput
    accompaniment: AudioInput
    conditioning_text: str
    accompaniment_text: str

    @property
    def cells(self) -> tuple[str, str]:
        """How a manifest writes the pair."""
        return self.conditioning_text, self.accompaniment_text

    @property
    def name(self) -> str:
        """What messages call the pair."""
        return " with ".join(self.cells)


def read_pairs(file: Path) -> list[Pair]:
    """Read a CSV or JSONL manifest of columns ``conditioning`` and ``accompaniment``; other columns are ignored.

    Paths are relative to the manifest. Several stems of one side are separated by semicolons (CSV), or are a list
    (JSONL).

    Raises:
        UsageError: the file is missing, of another kind, or lacks a column.
    """
    if not file.is_file():
        raise UsageError(f"{file}: no such file; --pairs takes a CSV or JSONL file")
    rows = _read_rows(file)
    if not rows:
        raise UsageError(f"{file}: no pairs in it")
    return [_pair(row, number, file) for number, row in enumerate(rows, start=1)]


def match_folders(conditionings: Path, accompaniments: Path) -> list[Pair]:
    """Pair the audio files of two folders by name, whatever their suffix, sorted.

    Raises:
        UsageError: a name is only in one of them, or twice in one.
    """
    sides = [_by_name(folder) for folder in (conditionings, accompaniments)]
    lonely = sorted(sides[0].keys() ^ sides[1].keys())
    if lonely or not sides[0]:
        shown = ", ".join(lonely[:5]) or "no audio file"
        raise UsageError(f"{conditionings} and {accompaniments} do not match: {shown} in only one of them")
    both = [(path, sides[1][name]) for name, path in sorted(sides[0].items())]
    return [Pair(left, right, cell([str(left)]), cell([str(right)])) for left, right in both]


def cell(stems: Sequence[str]) -> str:
    """Return how a manifest and a score file write the stems of one side: as they are, or as a JSON list.

    >>> cell(["drums.wav", "bass.wav"])
    'drums.wav;bass.wav'
    >>> cell(["drums;1.wav"])
    '["drums;1.wav"]'
    """
    plain = all(is_plain(stem) and STEM_SEPARATOR not in stem and not stem.startswith("[") for stem in stems)
    return STEM_SEPARATOR.join(stems) if plain else json.dumps(list(stems))


def _read_rows(file: Path) -> list[dict[str, Any]]:
    try:
        return _parse_rows(file.read_text(encoding="utf-8-sig"), file)
    except UnicodeDecodeError as error:
        raise UsageError(f"{file}: not a text file; --pairs takes a CSV or JSONL file") from error


def _parse_rows(text: str, file: Path) -> list[dict[str, Any]]:
    if file.suffix == ".csv":
        return list(csv.DictReader(io.StringIO(text)))
    if file.suffix != ".jsonl":
        raise UsageError(f"{file}: neither .csv nor .jsonl")
    rows = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            try:
                rows.append(json.loads(line))
            except json.JSONDecodeError as error:
                raise UsageError(f"{file}, line {number}: not JSON ({error.msg})") from error
    return rows


def _pair(row: dict[str, Any], number: int, file: Path) -> Pair:
    sides = []
    for column in SIDES:
        given = row.get(column) if isinstance(row, dict) else None
        stems = given.split(STEM_SEPARATOR) if isinstance(given, str) else given
        if not stems or not all(isinstance(stem, str) and stem.strip() for stem in stems):
            raise UsageError(f"{file}, pair {number}: no path in {column!r}; every pair names both sides")
        paths = [file.parent / stem.strip() for stem in stems]
        sides.append((paths[0] if len(paths) == 1 else paths, cell(stems)))
    (conditioning, conditioning_text), (accompaniment, accompaniment_text) = sides
    return Pair(conditioning, accompaniment, conditioning_text, accompaniment_text)


def _by_name(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise UsageError(f"{folder}: not a folder; give two folders or two files")
    named: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.is_file() and not path.name.startswith("."):
            if path.stem in named:
                raise UsageError(f"{folder}: {path.name} and {named[path.stem].name} have one name: which is it?")
            named[path.stem] = path
    return named
