"""The command of this room: table3."""

from collections.abc import Sequence
from pathlib import Path

from cocola_metric.dispatch import new_parser, reporting
from cocola_metric.fad import EMBEDDERS

from ..generators import GENERATORS
from .systems import SYSTEMS

PACKAGE = "cocola_metric.benchmarks"
STAGES = ("generate", "score", "table")
ENGINES = ("in-process", "ray")


def table3(arguments: Sequence[str] | None = None) -> None:
    """Regenerate Table 3: generators x metrics per data set, the published value beside ours.

    Stages: generate, score, table. Each is kept under --out, goes on where it stopped, and does nothing twice. Written
    are table3.md, table3.json, and table3.html with score distributions and the best and worst examples to listen to.
    """
    parser = new_parser(PACKAGE, "table3", table3.__doc__)
    parser.add_argument(
        "--queries", type=Path, action="append", required=True, metavar="JSONL", help="a manifest; may be repeated"
    )
    parser.add_argument(
        "--corpus",
        action="append",
        help="folder of its music, one for each --queries (default: the one it was drawn on)",
    )
    systems = ", ".join(name.lower() for name in SYSTEMS)
    parser.add_argument(
        "--generators",
        nargs="+",
        default=["ground_truth", "random"],
        help=f"{', '.join(GENERATORS)}; folder:DIR; or {systems} alone, for a row with the reason it has no numbers",
    )
    parser.add_argument(
        "--encoders", nargs="*", default=["embedded"], help="encoders of COCOLA: name, path, repository, or NAME=PLACE"
    )
    parser.add_argument(
        "--embedders", nargs="*", default=["cocola"], help=f"embedders of sub-FAD: {', '.join(EMBEDDERS)}"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for answers, scores and table")
    parser.add_argument(
        "--candidates", nargs="*", default=[], metavar="NAME=N", help="take the loudest of N answers (msdm=12)"
    )
    parser.add_argument("--band", type=float, metavar="HZ", help="limit all audio to this frequency before scoring")
    parser.add_argument("--until", choices=STAGES, default="table", help="last stage to run")
    parser.add_argument("--seed", type=int, default=0, help="seed of the answers (default: 0)")
    parser.add_argument("--batch-size", type=int, default=1, help="queries that a generator answers at a time")
    parser.add_argument("--device", default="cpu", help="as torch names it: cpu, cuda, mps")
    parser.add_argument(
        "--engine",
        choices=ENGINES,
        default="in-process",
        help="place of COCOLA scoring: this process, or machines through Ray",
    )
    parser.add_argument("--workers", type=int, default=2, help="processes of --engine ray, one for each machine")
    parser.add_argument("--audio-megabytes", type=float, default=3.0, help="most audio in the page (default: 3)")
    parser.add_argument("--title", default="Table 3", help="title of the page (default: Table 3)")
    options = parser.parse_args(arguments)
    with reporting(parser, folders=[options.out], interrupted="the same command goes on from here"):
        from .table3 import run

        run(options)
