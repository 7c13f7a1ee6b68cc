"""The command of this room: train-gmsdi."""

from collections.abc import Sequence
from pathlib import Path

from cocola_metric.dispatch import new_parser, reporting

from ..runs import add_run_options


def train_gmsdi(arguments: Sequence[str] | None = None) -> None:
    """Train a diffusion model of sub-mixes given their tags, for GMSDI.

    On several GPUs or machines: accelerate launch -m cocola_metric.training train-gmsdi CONFIG --out DIR.
    """
    parser = new_parser("cocola_metric.training", "train-gmsdi", train_gmsdi.__doc__)
    add_run_options(parser)
    parser.add_argument("--start-from", type=Path, help="folder of a model whose weights are the first ones")
    options = parser.parse_args(arguments)
    with reporting(
        parser, folders=[options.out, options.cache], interrupted="the same command goes on from its checkpoint"
    ):
        from .train import run

        run(options)
