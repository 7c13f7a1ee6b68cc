"""The answer of a command: a table for people, JSON or CSV, with the same number of decimals everywhere."""

import argparse
import csv
import io
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..json_files import json_text
from ..names import csv_text, printable

FORMATS = ("text", "json", "csv")
DECIMALS = 4
"""Decimals of every printed number; more would show rounding of float32."""
WARNING = "warning"
"""Name of a line with a warning, which --quiet leaves out."""


@dataclass(frozen=True)
class Answer:
    """The result of a command, for each of the formats.

    Attributes:
        values: result as JSON prints it.
        code: exit code.
        lines: name and text of each line for people; those without a text are left out. By default the values are.
        table: rows of a table for people, below the lines; the first holds the names of the columns.
        rows: rows of CSV; by default one row of those values that are no lists.
        scores: numbers that --score-only prints.
        printed: text to print whatever the format is, unless it is JSON; empty for none.
    """

    values: Mapping[str, Any]
    code: int = 0
    lines: Sequence[tuple[str, str]] = ()
    table: Sequence[Sequence[str]] = ()
    rows: Sequence[Mapping[str, Any]] = ()
    scores: Sequence[float] = ()
    printed: str = ""


def add_output_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what is printed."""
    output = parser.add_argument_group("output")
    output.add_argument("--format", choices=FORMATS, help="(default: text on a terminal, otherwise json)")
    output.add_argument("--json", dest="format", action="store_const", const="json", help="short for --format json")
    output.add_argument("--score-only", action="store_true", help="print the score and nothing else")
    output.add_argument("--quiet", action="store_true", help="print no warnings and no progress; errors are printed")


def rounded(value: float | None) -> float | None:
    """Return a number as it is printed; None for NaN.

    >>> rounded(1.23456), rounded(float("nan"))
    (1.2346, None)
    """
    return None if value is None or math.isnan(value) else round(value, DECIMALS)


def rounded_all(value: Any) -> Any:
    """Return a JSON value with all of its numbers as they are printed.

    >>> rounded_all({"fad": 1.23456, "interval": [0.5, None], "n": 12})
    {'fad': 1.2346, 'interval': [0.5, None], 'n': 12}
    """
    if isinstance(value, Mapping):
        return {name: rounded_all(entry) for name, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded_all(entry) for entry in value]
    return rounded(value) if isinstance(value, float) else value


def shown(value: float | None) -> str:
    """Return a number for a table of text.

    >>> shown(9.5), shown(float("nan"))
    ('9.5000', '-')
    """
    return "-" if value is None or math.isnan(value) else f"{value:.{DECIMALS}f}"


def as_text(answer: Answer, options: argparse.Namespace | None) -> str:
    """Return what is printed of an answer, without a line break at its end.

    Args:
        answer: result of the command.
        options: options with ``format`` and ``score_only``; None for JSON.
    """
    if getattr(options, "score_only", False):
        return "\n".join(map(shown, answer.scores))
    chosen = _format(options)
    if answer.printed and getattr(options, "format", None) != "json":
        return answer.printed
    if chosen == "csv":
        return csv_table(answer.rows or [_plain(answer.values)]).removesuffix("\n")
    if chosen == "text":
        lines = answer.lines or [(name, _words(value)) for name, value in _plain(answer.values).items()]
        width = max(len(name) for name, _ in lines) + 2
        quiet = getattr(options, "quiet", False)
        kept = [(name, text) for name, text in lines if text and not (quiet and name.endswith(WARNING))]
        texts = [f"{name:{width}}{printable(text)}".rstrip() for name, text in kept]
        return "\n".join([*(aligned(answer.table) if answer.table else []), *texts])
    parts = [f"  {json_text(key)}: {json_text(value)}" for key, value in answer.values.items()]
    return "{\n" + ",\n".join(parts) + "\n}"


def prints_text(options: argparse.Namespace) -> bool:
    """Tell whether the answer is a table for people, which has the warnings in it."""
    return _format(options) == "text" and not options.score_only


def csv_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows as CSV; the names of the first are the columns."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(rows[0])
    for row in rows:
        writer.writerow([csv_text(value) if isinstance(value, str) else value for value in row.values()])
    return text.getvalue()


def aligned(table: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table: numbers are aligned right, the last column left."""
    cells = [list(map(printable, row)) for row in table]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join([*(cell.rjust(width) for cell, width in zip(row[:-1], widths, strict=False)), row[-1]]).rstrip()
        for row in cells
    ]


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if not isinstance(value, (list, tuple, Mapping))}


def _words(value: Any) -> str:
    return shown(value) if isinstance(value, float) else "-" if value is None else str(value)


def _format(options: argparse.Namespace | None) -> str:
    if options is None:
        return "json"
    chosen: str | None = options.format
    return chosen or ("text" if _is_terminal() else "json")


def _is_terminal() -> bool:
    return sys.stdout is not None and sys.stdout.isatty()
