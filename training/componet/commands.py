"""The commands of this room: train-componet, train-componet-small, componet-costs."""

from collections.abc import Sequence

from cocola_metric.dispatch import new_parser, reporting

from ..runs import add_run_options
from .cost_kinds import WORKS

PACKAGE = "cocola_metric.training"


def train_componet(arguments: Sequence[str] | None = None) -> None:
    """Train CompoNet on top of AudioLDM2 (section 4.2).

    On several GPUs or machines: accelerate launch -m cocola_metric.training train-componet CONFIG --out DIR.
    """
    parser = new_parser(PACKAGE, "train-componet", train_componet.__doc__)
    add_run_options(parser)
    parser.add_argument("--base", help="folder or Hub repository of the base, in place of the config's")
    options = parser.parse_args(arguments)
    with reporting(parser, folders=[options.out, options.cache]):
        from .learning.train import run

        run(options)


def train_componet_small(arguments: Sequence[str] | None = None) -> None:
    """Train a small CompoNet from random weights, in three stages.

    The stages are the VAE, the U-Net with the embeddings of tags (without an input mix), and the adapter. Each has a
    folder of its own in --out; a finished stage is not done again. The model is in OUT/model.
    """
    parser = new_parser(PACKAGE, "train-componet-small", train_componet_small.__doc__)
    add_run_options(parser)
    options = parser.parse_args(arguments)
    with reporting(parser, folders=[options.out, options.cache]):
        from .learning.small import run

        run(options)


def componet_costs(arguments: Sequence[str] | None = None) -> None:
    """Measure the costs of CompoNet at full size on this machine: memory and time of training and of generating.

    The U-Net and the adapter have the sizes of AudioLDM2-Large and random weights, which cost what trained ones do;
    VAE, text encoders and vocoder are left out. Latents are 256 rows, 10.24 s. Prints one line of JSON per cost.
    """
    parser = new_parser(PACKAGE, "componet-costs", componet_costs.__doc__)
    parser.add_argument("--batch", type=int, nargs="+", default=[1], help="windows a step; each number is measured")
    parser.add_argument("--work", nargs="+", choices=WORKS, default=list(WORKS), help="what to measure (default: all)")
    parser.add_argument("--device", help="as torch names it (default: a GPU if there is one)")
    parser.add_argument("--bfloat16", action="store_true", help="autocast; the weights stay in float32")
    options = parser.parse_args(arguments)
    with reporting(parser):
        from .learning.costs import run

        run(options)
