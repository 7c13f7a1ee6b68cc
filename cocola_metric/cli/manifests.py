"""The rows of a list of pairs, CSV or JSONL, as people and spreadsheets write them."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..json_files import parsed_json
from ..names import is_plain

SIDES = ("conditioning", "accompaniment")
STEM_SEPARATOR = ";"  # between the stems of one side, within a CSV cell
_DELIMITERS = (",", ";", "\t")
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")

Row = tuple[str, list[str], list[str]]
"""Where it stands, for messages; the stems of the conditioning, and of the accompaniment."""


def read_manifest(file: Path) -> list[Row]:
    """Read the pairs of a manifest; columns other than ``conditioning`` and ``accompaniment`` are ignored.

    Its text is UTF-8 whatever the locale, or UTF-16 with its mark; bytes that are no UTF-8 stay what they are, since a
    file's name may hold them. A CSV has commas, semicolons or tabs between its columns, and names them in any case.

    Raises:
        UsageError: the file cannot be read, is of another kind, lacks a column or a path, or holds no pairs.
    """
    if file.suffix.lower() not in (".csv", ".tsv", ".jsonl"):
        raise UsageError(f"{file}: neither .csv, .tsv nor .jsonl; --pairs takes a CSV or JSONL file")
    try:
        content = file.read_bytes()
    except FileNotFoundError as error:
        raise UsageError(f"{file}: no such file; --pairs takes a CSV or JSONL file") from error
    except (OSError, ValueError) as error:
        raise UsageError(f"{file} cannot be read ({error}): check the path and the permission") from error
    try:
        text = content.decode("utf-16" if content[:2] in _UTF_16 else "utf-8-sig", "surrogateescape")
    except UnicodeDecodeError as error:
        raise UsageError(f"{file} is no text ({error}): --pairs takes a CSV or JSONL file") from error
    rows = list(_json_rows(text, file) if file.suffix.lower() == ".jsonl" else _csv_rows(text, file))
    if not rows:
        raise UsageError(f"{file}: no pairs in it")
    return rows


def cell(stems: Sequence[str]) -> str:
    """Return how a manifest and a score file write the stems of one side: as they are, or as a JSON list.

    >>> cell(["drums.wav", "bass.wav"])
    'drums.wav;bass.wav'
    >>> cell(["drums;1.wav"])
    '["drums;1.wav"]'
    """
    plain = all(is_plain(stem) and STEM_SEPARATOR not in stem and not stem.startswith("[") for stem in stems)
    return STEM_SEPARATOR.join(stems) if plain else json.dumps(list(stems))


def stems_of(text: str) -> list[str]:
    """Return the stems that a cell names; the inverse of `cell`."""
    if text.startswith("["):
        try:
            stems = parsed_json(text)
        except ValueError:  # a name that begins with a bracket
            stems = None
        if isinstance(stems, list) and all(isinstance(stem, str) for stem in stems):
            return stems
    return [stem.strip() for stem in text.split(STEM_SEPARATOR)]


def _csv_rows(text: str, file: Path) -> Iterator[Row]:
    lines = io.StringIO(text, newline="")
    if text.lower().startswith("sep="):  # Excel's word on the separator; the header tells it, too
        lines.readline()
    start = lines.tell()
    header = lines.readline()
    lines.seek(start)
    reader = csv.reader(lines, delimiter=_delimiter(header), strict=True)
    try:
        columns = [name.strip() for name in next(reader, [])]
        places = [_column(side, columns, file) for side in SIDES]
        for cells in reader:
            where = f"{file}, line {reader.line_num}"
            if not any(entry.strip() for entry in cells):
                continue
            if len(cells) > len(columns) and any(entry.strip() for entry in cells[len(columns) :]):
                raise UsageError(
                    f"{where}: {len(cells)} cells for {len(columns)} columns: quote a name that holds the separator"
                )
            sides = [stems_of(cells[place]) if place < len(cells) else [] for place in places]
            yield where, *_named(sides, where)
    except csv.Error as error:
        raise UsageError(f"{file}, line {reader.line_num}: no CSV ({error})") from error


def _delimiter(header: str) -> str:
    """Return what stands between the columns: that which parts the header into names that are ours."""

    def known(delimiter: str) -> int:
        return len({name.strip().strip('"').lower() for name in header.split(delimiter)} & set(SIDES))

    return max(_DELIMITERS, key=known)


def _column(side: str, columns: list[str], file: Path) -> int:
    names = [name.lower() for name in columns]
    if names.count(side) != 1:
        shown = ", ".join(map(repr, columns[:10])) or "missing"
        problem = f"no column {side!r}" if side not in names else f"more than one column {side!r}"
        raise UsageError(f"{file}: {problem}; columns are {shown[:300]}; the first line names them")
    return names.index(side)


def _json_rows(text: str, file: Path) -> Iterator[Row]:
    for number, line in enumerate(text.split("\n"), start=1):
        where = f"{file}, line {number}"
        if not line.strip():
            continue
        try:
            row = parsed_json(line)
        except ValueError as error:
            raise UsageError(f"{where}: not JSON ({error})") from error
        if not isinstance(row, dict):
            raise UsageError(f"{where}: a {type(row).__name__}, not an object with {' and '.join(SIDES)}")
        folded = {key.strip().lower(): value for key, value in row.items()}
        yield where, *_named([_json_stems(folded.get(side)) for side in SIDES], where)


def _json_stems(value: Any) -> list[str]:
    """Return the stems that a value names: a list of them, or text, which is one path, whatever it holds."""
    if isinstance(value, str):
        return [stem.strip() for stem in value.split(STEM_SEPARATOR)]
    return value if isinstance(value, list) and all(isinstance(stem, str) for stem in value) else []


def _named(sides: list[list[str]], where: str) -> tuple[list[str], list[str]]:
    for side, stems in zip(SIDES, sides, strict=True):
        if not stems or not all(stem.strip() for stem in stems):
            raise UsageError(f"{where}: no path in {side!r}; every pair names both sides")
    return sides[0], sides[1]
