"""Rows of a document's tables that were not computed this time stay in their place."""

import re
from collections.abc import Iterator, Sequence

from cocola_metric.errors import UsageError

TABLE = re.compile(r"^\|.*\|\n\|[-:| ]+\|\n(?:\|.*\|(?:\n|\Z))*", re.MULTILINE)
HEADING = re.compile(r"^#+ .*$", re.MULTILINE)


def keep_rows(before: str, now: str) -> str:
    """Return what was printed now, with the rows that only the text before has, each below the row that it followed.

    A row is known by its first cell, a table by the heading above it and its header.

    Args:
        before: document in Markdown, with its tables.
        now: text in Markdown, with the tables that were printed now.

    Raises:
        UsageError: a row has no table to stay in, since its test sets have changed.
    """
    old = {(heading, table[0]): table[2:] for heading, _, table in _tables(before)}
    parts, end = [], 0
    for heading, match, table in _tables(now):
        rows = _merged(old.pop((heading, table[0]), []), table[2:])
        parts += [now[end : match.start()], "\n".join([*table[:2], *rows]), "\n"]
        end = match.end()
    names = {_name(row) for _, _, table in _tables(now) for row in table[2:]}
    lost = {_name(row) for rows in old.values() for row in rows} - names
    if lost:
        raise UsageError(
            f"rows of other test sets would be lost: {', '.join(sorted(lost))}; print them again (`make documents "
            "ENCODERS=...`) or delete them from the document"
        )
    return "".join(parts) + now[end:]


def _tables(text: str) -> Iterator[tuple[str, re.Match[str], list[str]]]:
    """Yield the heading above each table, its place in the text, and its lines."""
    for match in TABLE.finditer(text):
        headings = HEADING.findall(text, 0, match.start())
        yield headings[-1] if headings else "", match, match[0].splitlines()


def _merged(old: Sequence[str], new: Sequence[str]) -> list[str]:
    rows, known = list(new), {_name(row) for row in new}
    place = 0
    for row in old:
        if _name(row) in known:
            place = next(number for number, found in enumerate(rows) if _name(found) == _name(row)) + 1
        else:
            rows.insert(place, row)
            place += 1
    return rows


def _name(row: str) -> str:
    return row.split("|")[1].strip()
