"""`cocola-score compare`: score files of several systems, each compared with the first; the table goes to stdout."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from ..errors import CocolaError
from . import program

FORMATS = ("text", "csv", "json", "latex")
EXAMPLES = """examples:
  cocola-score compare baseline.csv ours.csv                   difference, 95 % interval, p-values
  cocola-score compare a.csv b.csv c.csv --format latex        b and c beside a
  cocola-score compare a.csv b.csv --group track               pairs of one track are drawn together

Pairs are joined by --key: the conditioning, and the name of the accompaniment where one conditioning has several.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``cocola-score compare`` and return its exit code: 0 done, 1 files that cannot be compared."""
    options = _parser().parse_args(arguments)
    try:
        from .score_tables import compare_files, report

        text = report(compare_files(options), options.format)
    except CocolaError as error:
        program.say("cocola-score compare", error)
        return 1
    return 0 if program.printed("cocola-score compare", text.removesuffix("\n")) else 2


def _parser() -> argparse.ArgumentParser:
    parser = program.new_parser(
        "cocola-score compare",
        "Compare systems by their scores of the same pairs; the first file is the baseline.",
        EXAMPLES,
    )
    parser.add_argument(
        "files", nargs="+", type=Path, metavar="SCORES", help="CSV or JSONL that --out wrote; two or more"
    )
    parser.add_argument("--group", metavar="COLUMN", help="column whose equal values belong together, such as track")
    parser.add_argument(
        "--key",
        choices=("auto", "conditioning", "accompaniment"),
        default="auto",
        help="column that identifies a pair: conditioning, file name of the accompaniment, or both as needed",
    )
    parser.add_argument("--format", choices=FORMATS, default="text", help="format of the table (default: text)")
    parser.add_argument("--json", dest="format", action="store_const", const="json", help="short for --format json")
    parser.add_argument("--resamples", type=int, default=10_000, metavar="N", help="redraws and swaps (default: 10000)")
    parser.add_argument("--seed", type=int, default=0, help="seed of both (default: 0)")
    return parser
