"""The command of this room: train-msdm."""

from collections.abc import Sequence

from cocola_metric.dispatch import new_parser, reporting

from ..runs import add_run_options


def train_msdm(arguments: Sequence[str] | None = None) -> None:
    """Train an MSDM.

    On several GPUs or machines: accelerate launch -m cocola_metric.training train-msdm CONFIG --out DIR.
    """
    parser = new_parser("cocola_metric.training", "train-msdm", train_msdm.__doc__)
    add_run_options(parser)
    options = parser.parse_args(arguments)
    with reporting(
        parser, folders=[options.out, options.cache], interrupted="the same command goes on from its checkpoint"
    ):
        from .train import run

        run(options)
