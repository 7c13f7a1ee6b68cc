"""Score files of several systems, joined by pairs and compared in a table."""

import argparse
import csv
import io
import math
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path, PurePath
from typing import Any

from ..comparison import Comparison, compare_scores
from ..errors import UsageError
from ..intervals import LEVEL
from ..json_files import json_text, parsed_json
from ..names import csv_text, printable
from ..signature import score_recipe
from .answers import DECIMALS, rounded_all, shown

Row = dict[str, Any]
COLUMNS = {
    "system": "system",
    "mean": "mean",
    "difference": "difference",
    "interval": "95 % interval",
    "p_bootstrap": "p (bootstrap)",
    "p_randomization": "p (randomisation)",
    "effect_size": "effect size",
    "wins": "wins / ties / losses",
    "pairs": "pairs",
    "groups": "groups",
}


@dataclass(frozen=True)
class SystemTable:
    """Comparisons of systems with a baseline.

    Attributes:
        baseline: name of the first file.
        comparisons: name of each other file -> its comparison with the first.
        only_in: name of each other file -> number of scored pairs only in the first, only in it.
        signature: recipe of all scores.
        group: column whose values were drawn as wholes; None if pairs were.
    """

    baseline: str
    comparisons: dict[str, Comparison]
    only_in: dict[str, tuple[int, int]]
    signature: str
    group: str | None


def compare_files(options: argparse.Namespace) -> SystemTable:
    """Read the score files of the options, and compare each with the first.

    Raises:
        UsageError: a file cannot be read, is not a score file or has another recipe, or no pair is in both.
    """
    if len(options.files) < 2:
        raise UsageError(f"compare needs two score files or more, the baseline first; got only {options.files[0]}")
    if options.resamples < 100:
        raise UsageError(f"--resamples must be at least 100; got {options.resamples}")
    tables = [_read_scores(file) for file in options.files]
    names = _short_names(options.files)
    signatures = {score_recipe(row["signature"]) for table in tables for row in table}
    if len(signatures) > 1:
        raise UsageError(f"scores of several recipes cannot be compared ({'; '.join(sorted(signatures))}); score again")
    keyed = [_by_key(table, options.key, file) for table, file in zip(tables, options.files, strict=True)]
    comparisons, only_in = {}, {}
    for name, other, file in zip(names[1:], keyed[1:], options.files[1:], strict=True):
        both = [key for key in keyed[0] if key in other]
        if not both:
            raise UsageError(
                f"{options.files[0]} and {file} have no pair in common, such as {_shown(next(iter(keyed[0])))} "
                f"and {_shown(next(iter(other)))}; score the same pairs, or choose another --key"
            )
        groups = [_group(keyed[0][key], options.group, options.files[0]) for key in both] if options.group else None
        comparisons[name] = compare_scores(
            [keyed[0][key]["score"] for key in both],
            [other[key]["score"] for key in both],
            groups,
            resamples=options.resamples,
            seed=options.seed,
        )
        only_in[name] = len(keyed[0]) - len(both), len(other) - len(both)
    return SystemTable(names[0], comparisons, only_in, signatures.pop(), options.group)


def report(table: SystemTable, kind: str) -> str:
    """Return a table as text, CSV, JSON or LaTeX."""
    if kind == "json":
        return json_text(rounded_all(asdict(table)), indent=2) + "\n"
    rows = [_baseline_cells(table), *(_cells(name, one) for name, one in table.comparisons.items())]
    if kind == "csv":
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerows(
            [list(COLUMNS), *([csv_text(cell) if at == 0 else cell for at, cell in enumerate(r)] for r in rows)]
        )
        return text.getvalue()
    if kind == "latex":
        return _latex(rows, table.signature)
    widths = [max(map(len, column)) for column in zip(COLUMNS.values(), *rows, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) if at == 0 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in [list(COLUMNS.values()), *rows]
    ]
    notes = [
        f"difference: mean minus that of {table.baseline}; {LEVEL:.0%} BCa interval and p-values: "
        f"{_drawn(table)} redrawn"
    ]
    for name, (first, second) in table.only_in.items():
        if first or second:
            notes.append(f"left out: {first} pairs only in {table.baseline}, {second} only in {name}")
    return "\n".join([*(line.rstrip() for line in lines), "", *map(printable, notes), table.signature]) + "\n"


def _drawn(table: SystemTable) -> str:
    return f"whole groups by {table.group}" if table.group else "pairs"


def _read_scores(file: Path) -> list[Row]:
    """Return the rows that have a score."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeError) as error:
        raise UsageError(f"{file}: cannot be read ({error}); pass a CSV or JSONL file that --out wrote") from error
    try:
        rows = list(csv.DictReader(io.StringIO(text))) if file.suffix == ".csv" else _json_lines(text)
        found = [row | {"score": float(row["score"])} for row in rows if row.get("score") not in (None, "")]
    except (ValueError, TypeError, AttributeError, csv.Error) as error:
        raise UsageError(f"{file}: a row is damaged ({error}); run the command that wrote it again") from error
    lacking = {"conditioning", "accompaniment", "signature"} - set(found[0] if found else {})
    if lacking:
        what = f"has no column {', '.join(map(repr, sorted(lacking)))}" if found else "has no score"
        raise UsageError(f"{file} {what}; pass a CSV or JSONL file that --out wrote")
    return found


def _json_lines(text: str) -> list[Row]:
    return [parsed_json(line) for line in text.splitlines() if line.strip()]


def _by_key(rows: list[Row], key: str, file: Path) -> dict[tuple[str, ...], Row]:
    """Return the rows by the key that joins pairs of several systems."""
    alone = {name for name, count in Counter(row["conditioning"] for row in rows).items() if count == 1}
    keyed: dict[tuple[str, ...], Row] = {}
    for row in rows:
        conditioning, accompaniment = row["conditioning"], PurePath(row["accompaniment"]).stem
        if key == "accompaniment":
            name: tuple[str, ...] = (accompaniment,)
        elif key == "conditioning" or (key == "auto" and len(alone) == len(rows)):
            name = (conditioning,)
        else:
            name = (conditioning, accompaniment)
        if name in keyed:
            raise UsageError(f"{file}: two rows have the same pair {_shown(name)}; choose another --key, or remove one")
        keyed[name] = row
    return keyed


def _shown(key: tuple[str, ...]) -> str:
    return printable(" with ".join(key))


def _group(row: Row, column: str, file: Path) -> str:
    if not row.get(column):
        known = ", ".join(name for name in row if name)
        raise UsageError(f"{file}: --group must be a column of every row ({known}); got {column!r}")
    return str(row[column])


def _short_names(files: list[Path]) -> list[str]:
    stems = [file.stem for file in files]
    return stems if len(set(stems)) == len(stems) else [str(file) for file in files]


def _baseline_cells(table: SystemTable) -> list[str]:
    means = {one.mean_baseline for one in table.comparisons.values()}
    mean = shown(means.pop()) if len(means) == 1 else ""  # systems may have different pairs in common with the baseline
    return [printable(table.baseline), mean, *[""] * (len(COLUMNS) - 2)]


def _cells(name: str, one: Comparison) -> list[str]:
    low, high = one.interval
    return [
        printable(name),
        shown(one.mean_system),
        f"{one.difference:+.{DECIMALS}f}",
        "" if math.isnan(low) else f"[{low:+.{DECIMALS}f}, {high:+.{DECIMALS}f}]",
        shown(one.p_bootstrap),
        shown(one.p_randomization),
        "" if math.isnan(one.effect_size) else shown(one.effect_size),
        f"{one.wins} / {one.ties} / {one.losses}",
        str(one.pairs),
        str(one.groups),
    ]


def _latex(rows: list[list[str]], signature: str) -> str:
    escapes = str.maketrans({character: f"\\{character}" for character in "&%$#_{}"} | {"\\": r"\textbackslash{}"})
    lines = [" & ".join(cell.translate(escapes) for cell in row) + r" \\" for row in [list(COLUMNS.values()), *rows]]
    return "\n".join(
        [
            f"% {printable(signature)}",
            rf"\begin{{tabular}}{{l{'r' * (len(COLUMNS) - 1)}}}",
            r"\hline",
            lines[0],
            r"\hline",
            *lines[1:],
            r"\hline",
            r"\end{tabular}",
            "",
        ]
    )
