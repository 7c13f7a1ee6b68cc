"""The commands of this room: fad-bias, fad-behaviour."""

from collections.abc import Sequence
from pathlib import Path

from cocola_metric.dispatch import new_parser, reporting
from cocola_metric.fad import EMBEDDERS

PACKAGE = "cocola_metric.benchmarks"


def fad_bias(arguments: Sequence[str] | None = None) -> None:
    """Print the bias of a FAD: its value for two samples of one Gaussian, whose true distance is 0."""
    parser = new_parser(PACKAGE, "fad-bias", fad_bias.__doc__)
    parser.add_argument("--repeats", type=int, default=6, help="draws of which means are printed (default: 6)")
    options = parser.parse_args(arguments)
    with reporting(parser):
        from .bias import run

        run(options)


def fad_behaviour(arguments: Sequence[str] | None = None) -> None:
    """Print sub-FAD and the COCOLA score of the same accompaniments, real and damaged, as a Markdown table.

    FOLDER holds one folder of stems a song. From each song excerpts are cut, and their stems dealt into conditioning
    and accompaniment. The real accompaniment is then damaged in known ways, or replaced by one of another song: whole
    and real, but not made for this music (the paper's "Random", section 4.3).
    """
    parser = new_parser(PACKAGE, "fad-behaviour", fad_behaviour.__doc__)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="one folder of stems a song")
    parser.add_argument(
        "--embedder", choices=EMBEDDERS, default="cocola", help="embedder of the sub-FAD (default: cocola)"
    )
    parser.add_argument("--seconds", type=float, default=10.0, help="length of an excerpt (default: 10)")
    parser.add_argument("--per-song", type=int, default=8, help="most excerpts of a song (default: 8)")
    parser.add_argument("--seed", type=int, default=0, help="seed of all draws (default: 0)")
    parser.add_argument("--plot", type=Path, metavar="PNG", help="also draw the table (extra [plot])")
    options = parser.parse_args(arguments)
    with reporting(parser):
        if options.plot is not None:
            from cocola_metric.plot import check_picture

            check_picture(options.plot)
        from .behaviour import run

        run(options)
