"""The command of this room: queries."""

from collections.abc import Sequence
from pathlib import Path

from cocola_metric.dispatch import new_parser, reporting
from cocola_metric.training.corpora import CORPORA
from cocola_metric.training.paper import Task

from .manifest import COUNT

TASKS = [task.name for task in Task if task is not Task.ID]


def queries(arguments: Sequence[str] | None = None) -> None:
    """Draw the evaluation queries that all generators share, from a seed, and print the hash of their manifest.

    The same seed and the same music give the same bytes on every machine: every draw comes from SHA-256, and nothing in
    a manifest depends on where the music lies.
    """
    parser = new_parser("cocola_metric.benchmarks", "queries", queries.__doc__)
    parser.add_argument("corpus", help=f"reader:folder (readers: {', '.join(CORPORA)}), or a folder of stems")
    parser.add_argument("--out", type=Path, required=True, metavar="JSONL", help="the manifest to write")
    parser.add_argument(
        "--task", choices=TASKS, default="AG", help=f"task of all queries: {', '.join(TASKS)} (default: AG; Figure 3)"
    )
    parser.add_argument("--split", default="test", help="split of the data set (default: test)")
    parser.add_argument("--name", help="name of the data set (default: its reader, or its folder's name)")
    parser.add_argument("--count", type=int, default=COUNT, help=f"queries (default: {COUNT})")
    parser.add_argument(
        "--seconds",
        type=float,
        default=10.24,
        help="length of a window: 10.24 (default; Slakh2100), 5.944 (MUSDB18-HQ) or other",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of all draws (default: 0)")
    parser.add_argument(
        "--instruments",
        nargs="+",
        help="instruments to keep, each summed to one stem (Slakh2100: bass drums guitar piano)",
    )
    options = parser.parse_args(arguments)
    folder = options.out.parent
    with reporting(parser, files=[options.out] if folder.is_dir() else [], folders=[folder]):
        from .draw import run

        run(options)
