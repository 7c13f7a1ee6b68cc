"""Lists of pairs to score, and the file of their scores: appended pair by pair, so that a killed run can go on."""

import csv
import io
import json
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from ..audio import AudioInput
from ..errors import UsageError
from ..scorer import WindowScores

COLUMNS = ("conditioning", "accompaniment", "score", "windows", "silent_windows", "error", "signature")
STEM_SEPARATOR = ";"  # between the stems of one side, within a CSV cell


@dataclass(frozen=True)
class Pair:
    """A pair to score: its inputs, and how the manifest writes them."""

    conditioning: AudioInput
    accompaniment: AudioInput
    conditioning_text: str
    accompaniment_text: str

    @property
    def key(self) -> tuple[str, str]:
        """What tells the pair from others in a score file."""
        return self.conditioning_text, self.accompaniment_text

    @property
    def name(self) -> str:
        """What messages call the pair."""
        return " with ".join(self.key)


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
    return [Pair(path, sides[1][name], str(path), str(sides[1][name])) for name, path in sorted(sides[0].items())]


class ScoreFile:
    """Scores on disk, CSV or JSONL by suffix; every pair is a line, written at once and never twice."""

    def __init__(self, path: Path, signature: str, *, with_windows: bool = False) -> None:
        if path.suffix not in (".csv", ".jsonl"):
            raise UsageError(f"{path}: --out must end in .csv or .jsonl")
        if with_windows and path.suffix == ".csv":
            raise UsageError(f"{path}: --windows needs a JSONL file, a CSV has no room for lists")
        self.path, self.signature, self.with_windows = path, signature, with_windows
        self._rows = self._recover()
        self._file: TextIO | None = None

    def remaining(self, pairs: Iterable[Pair]) -> list[Pair]:
        """Return the pairs that have no score yet; those that failed before are tried again."""
        done = Counter((row["conditioning"], row["accompaniment"]) for row in self._rows)
        todo = []
        for pair in pairs:
            if done[pair.key]:
                done[pair.key] -= 1
            else:
                todo.append(pair)
        return todo

    def __enter__(self) -> "ScoreFile":
        """Open the file with what is done already, and nothing half-written."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_name(f".{self.path.name}.partial")
        header = [",".join(COLUMNS) + "\n"] if self.path.suffix == ".csv" else []
        partial.write_text("".join([*header, *map(self._line, self._rows)]))
        partial.replace(self.path)
        self._file = self.path.open("a")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def write(self, pair: Pair, result: WindowScores | str) -> None:
        """Append the scores of a pair, or the reason why it has none."""
        row: dict[str, Any] = dict(zip(COLUMNS[:2], pair.key, strict=True))
        if isinstance(result, WindowScores):
            row |= {"score": result.mean, "windows": len(result.scores), "silent_windows": result.silent_windows}
            if self.with_windows:
                row["starts"] = result.starts
                row["scores"] = [None if math.isnan(value) else value for value in result.scores]
        else:
            row["error"] = result
        row["signature"] = self.signature
        self._rows.append(row)
        assert self._file is not None, "write only inside the with block"
        self._file.write(self._line(row))
        self._file.flush()

    def scores(self) -> list[float]:
        """Return the scores of all pairs that have one."""
        return [float(row["score"]) for row in self._rows if row.get("score") not in (None, "")]

    def _recover(self) -> list[dict[str, Any]]:
        """Return the rows of an earlier run that have a score; a last line cut off by a kill is left out."""
        if not self.path.exists():
            return []
        text = self.path.read_text()
        rows = _parse_rows(text[: text.rfind("\n") + 1], self.path)
        others = {row["signature"] for row in rows} - {self.signature}
        if others:
            raise UsageError(
                f"{self.path} holds scores of another recipe ({others.pop()}, now {self.signature}): "
                "give another --out, or remove it"
            )
        return [row for row in rows if not row.get("error")]

    def _line(self, row: dict[str, Any]) -> str:
        if self.path.suffix == ".jsonl":
            return json.dumps(row) + "\n"
        line = io.StringIO()
        csv.DictWriter(line, COLUMNS, lineterminator="\n").writerow(row)
        return line.getvalue()


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
    for column in COLUMNS[:2]:
        cell = row.get(column) if isinstance(row, dict) else None
        stems = cell.split(STEM_SEPARATOR) if isinstance(cell, str) else cell
        if not stems or not all(isinstance(stem, str) and stem.strip() for stem in stems):
            raise UsageError(f"{file}, pair {number}: no path in {column!r}; every pair names both sides")
        paths = [file.parent / stem.strip() for stem in stems]
        sides.append((paths[0] if len(paths) == 1 else paths, STEM_SEPARATOR.join(stems)))
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
