"""The commands of this room: listening."""

from collections.abc import Sequence
from pathlib import Path

from cocola_metric.dispatch import new_parser, reporting

PACKAGE = "cocola_metric.benchmarks"


def listening(arguments: Sequence[str] | None = None) -> None:
    """Print how well scores order accompaniments as people who listened to them did, as a Markdown table.

    The published listening test comes along: 880 ratings of 87 items, four systems each, and nine metrics' scores of
    the same audio (benchmarks/listening/data). Scores of your own metric on that audio go beside them with --scores;
    another listening test is judged with --ratings and --scores.
    """
    parser = new_parser(PACKAGE, "listening", listening.__doc__)
    parser.add_argument("--scores", type=Path, metavar="CSV", help="columns song, stem, system, score (and metric)")
    parser.add_argument("--ratings", type=Path, metavar="CSV", help="columns rater, song, stem, system, rating")
    parser.add_argument("--real", default="og", help="name of the system that is the real stem (default: og)")
    parser.add_argument("--seed", type=int, default=0, help="seed of intervals and split halves (default: 0)")
    options = parser.parse_args(arguments)
    with reporting(parser):
        from .report import report

        print(report(options.scores, options.ratings, real=options.real, seed=options.seed))
