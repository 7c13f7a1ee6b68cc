"""The command of this room: table1."""

from collections.abc import Sequence
from pathlib import Path

from cocola_metric.dispatch import new_parser, reporting
from cocola_metric.fad import EMBEDDERS

from ..table3 import table_1_markdown


def table1(arguments: Sequence[str] | None = None) -> None:
    """Print the paper's Table 1; with --queries, let every system answer every task, and print it as measured.

    A manifest for each task comes from the command queries --task. The same command again goes on where it stopped, and
    does nothing twice. The table is also written to --out, as table1.md and table1.json.
    """
    parser = new_parser("cocola_metric.benchmarks", "table1", table1.__doc__)
    parser.add_argument("--queries", nargs="+", type=Path, metavar="JSONL", help="manifests, one for each task")
    parser.add_argument("--corpus", help="folder of their music (default: the one they were drawn on)")
    parser.add_argument(
        "--systems",
        nargs="*",
        default=[],
        metavar="NAME=GENERATOR",
        help="for example MSDM=msdm:DIR, or StemGen=folder:DIR/{task} where {task} stands for UG, AG, SS, EA or ER",
    )
    parser.add_argument("--encoder", default="embedded", help="encoder of COCOLA: name, path or repository")
    parser.add_argument("--embedder", default="cocola", help=f"embedder of the distances: {', '.join(EMBEDDERS)}")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder for answers, scores and table")
    parser.add_argument("--seed", type=int, default=0, help="seed of the answers (default: 0)")
    parser.add_argument("--batch-size", type=int, default=1, help="queries that a system answers at a time")
    parser.add_argument("--device", default="cpu", help="as torch names it: cpu, cuda, mps")
    options = parser.parse_args(arguments)
    if options.queries is None:
        with reporting(parser):
            print(table_1_markdown())
        return
    if options.out is None:
        parser.error("--queries needs --out, a folder for answers, scores and table")
    with reporting(parser, folders=[options.out], interrupted="the same command goes on from here"):
        from .measure import run

        run(options)
