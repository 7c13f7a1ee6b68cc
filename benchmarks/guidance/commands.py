"""The command of this room: guidance."""

from collections.abc import Sequence
from pathlib import Path

from cocola_metric.dispatch import new_parser, reporting
from cocola_metric.fad import EMBEDDERS


def guidance(arguments: Sequence[str] | None = None) -> None:
    """Guide systems by encoders, choose the best of N answers by encoders, and let every judge score the answers.

    Printed is a table for each task and system: answers x judges, with the gain over the system's own answers. The same
    command again goes on where it stopped, and does nothing twice. Written are guidance.md and guidance.json.
    """
    parser = new_parser("cocola_metric.benchmarks", "guidance", guidance.__doc__)
    parser.add_argument("--queries", nargs="+", type=Path, required=True, metavar="JSONL", help="one for each task")
    parser.add_argument("--corpus", help="folder of their music (default: the one they were drawn on)")
    parser.add_argument(
        "--systems",
        nargs="+",
        required=True,
        metavar="TASK/NAME=GENERATOR",
        help="such as AG/MSDM=msdm:DIR",
    )
    parser.add_argument(
        "--guides", nargs="*", default=[], metavar="ENCODER[,…]", help="of all systems; embedded,guide_weight=1"
    )
    parser.add_argument(
        "--judges", nargs="+", default=["embedded"], metavar="[NAME=]ENCODER", help="encoders that score the answers"
    )
    parser.add_argument("--cues", metavar="DIR", help="music that the judge of hand-made cues is fitted on")
    parser.add_argument(
        "--best-of", nargs="*", default=[], metavar="TASK/NAME=N", help="systems whose best of 1, 2, 4, …, N is chosen"
    )
    parser.add_argument("--embedder", default="timbre", help=f"embedder of sub-FAD: {', '.join(EMBEDDERS)}")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for answers, scores and table")
    parser.add_argument("--batch-size", type=int, default=1, help="queries that a system answers at a time")
    parser.add_argument("--device", default="cpu", help="as torch names it: cpu, cuda, mps")
    options = parser.parse_args(arguments)
    with reporting(parser, folders=[options.out], interrupted="the same command goes on from here"):
        from .measure import run

        run(options)
