"""The rows of a list of pairs, CSV or JSONL, as people and spreadsheets write them."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from ..addresses import Address, Place
from ..errors import UsageError
from ..json_files import json_text, parsed_json
from ..names import is_plain
from ..remote import RemoteError, remote_bytes

SIDES = ("conditioning", "accompaniment")
STEM_SEPARATOR = ";"  # between the stems of one side, within a CSV cell
_DELIMITERS = (",", ";", "\t")
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


class Row(NamedTuple):
    """A row of a manifest.

    Attributes:
        where: place in the manifest, for messages.
        conditioning: stems of the conditioning.
        accompaniment: stems of the accompaniment.
        others: name and text of each other column.
    """

    where: str
    conditioning: list[str]
    accompaniment: list[str]
    others: dict[str, str]


def read_manifest(file: Place) -> list[Row]:
    """Read the pairs of a manifest, and what its other columns say of them.

    The text is UTF-8 in any locale, or UTF-16 with its mark. Bytes that are not UTF-8 are kept, since file names may
    hold them. Columns of a CSV are separated by commas, semicolons or tabs; their names may be in upper or lower case.

    Raises:
        UsageError: the file cannot be read, is of another kind, lacks a column or a path, or holds no pairs.
    """
    if file.suffix.lower() not in (".csv", ".tsv", ".jsonl"):
        raise UsageError(f"--pairs must name a file that ends in .csv, .tsv or .jsonl; got {file}")
    try:
        content = remote_bytes(file) if isinstance(file, Address) else file.read_bytes()
    except RemoteError as error:
        raise UsageError(str(error)) from error
    except FileNotFoundError as error:
        raise UsageError(f"{file}: no such file; --pairs takes a CSV or JSONL file") from error
    except (OSError, ValueError) as error:
        raise UsageError(f"{file} cannot be read ({error}); check the path and the permission") from error
    try:
        text = content.decode("utf-16" if content[:2] in _UTF_16 else "utf-8-sig", "surrogateescape")
    except UnicodeDecodeError as error:
        raise UsageError(f"{file} is not text ({error}); --pairs takes a CSV or JSONL file") from error
    rows = list(_json_rows(text, file) if file.suffix.lower() == ".jsonl" else _csv_rows(text, file))
    if not rows:
        raise UsageError(f"{file} holds no pairs; add one line for each")
    return rows


def cell(stems: Sequence[str]) -> str:
    """Return the stems of one side as a cell of a manifest or a score file: plain, or as a JSON list.

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


def _csv_rows(text: str, file: Place) -> Iterator[Row]:
    lines = io.StringIO(text, newline="")
    if text.lower().startswith("sep="):  # Excel's line about the separator, which the header shows too
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
                    f"{where}: {len(cells)} cells for {len(columns)} columns; quote a name that holds the separator"
                )
            sides = [stems_of(cells[place]) if place < len(cells) else [] for place in places]
            others = {
                name: cells[place] if place < len(cells) else ""
                for place, name in enumerate(columns)
                if name and place not in places
            }
            yield Row(where, *_named(sides, where), others)
    except csv.Error as error:
        raise UsageError(f"{file}, line {reader.line_num}: not CSV ({error}); mend the line") from error


def _delimiter(header: str) -> str:
    """Return the separator of the columns: the one that splits the header into the expected names."""

    def known(delimiter: str) -> int:
        return len({name.strip().strip('"').lower() for name in header.split(delimiter)} & set(SIDES))

    return max(_DELIMITERS, key=known)


def _column(side: str, columns: list[str], file: Place) -> int:
    names = [name.lower() for name in columns]
    if names.count(side) != 1:
        shown = ", ".join(map(repr, columns[:10])) or "missing"
        problem = f"no column {side!r}" if side not in names else f"more than one column {side!r}"
        raise UsageError(f"{file}: {problem}; columns are {shown[:300]}; the first line names them")
    return names.index(side)


def _json_rows(text: str, file: Place) -> Iterator[Row]:
    for number, line in enumerate(text.split("\n"), start=1):
        where = f"{file}, line {number}"
        if not line.strip():
            continue
        try:
            row = parsed_json(line)
        except ValueError as error:
            raise UsageError(f"{where}: not JSON ({error}); mend the line") from error
        if not isinstance(row, dict):
            raise UsageError(f"{where}: must be an object with {' and '.join(SIDES)}; got a {type(row).__name__}")
        folded = {key.strip().lower(): value for key, value in row.items()}
        others = {
            key: value if isinstance(value, str) else json_text(value)
            for key, value in row.items()
            if key.strip().lower() not in SIDES
        }
        yield Row(where, *_named([_json_stems(folded.get(side)) for side in SIDES], where), others)


def _json_stems(value: Any) -> list[str]:
    """Return the stems of a value: the items of a list, or a text, which is always one path."""
    if isinstance(value, str):
        return [value]
    return value if isinstance(value, list) and all(isinstance(stem, str) for stem in value) else []


def _named(sides: list[list[str]], where: str) -> tuple[list[str], list[str]]:
    for side, stems in zip(SIDES, sides, strict=True):
        if not stems or not all(stem.strip() for stem in stems):
            raise UsageError(f"{where}: no path in {side!r}; every pair names both sides")
    return sides[0], sides[1]
