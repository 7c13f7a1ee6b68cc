"""The commands of this room: train, maps, train-head, join-head, hear-noise."""

from collections.abc import Sequence
from pathlib import Path

from cocola_metric.dispatch import new_parser, reporting

from ..runs import add_run_options

PACKAGE = "cocola_metric.training"


def train(arguments: Sequence[str] | None = None) -> None:
    """Train a COCOLA encoder.

    On several GPUs or machines: accelerate launch -m cocola_metric.training train CONFIG --out DIR.
    """
    parser = new_parser(PACKAGE, "train", train.__doc__)
    add_run_options(parser)
    parser.add_argument("--start-from", help="weights to begin with: known name, folder or .ckpt file")
    options = parser.parse_args(arguments)
    with reporting(parser, folders=[options.out, options.cache]):
        from .train import run

        run(options)


def maps(arguments: Sequence[str] | None = None) -> None:
    """Write the maps that a frozen trunk computes from drawn windows, so that heads train on them in minutes.

    python -m cocola_metric.training maps CONFIG --out MAPS
    """
    parser = new_parser(PACKAGE, "maps", maps.__doc__)
    add_run_options(parser)
    parser.add_argument("--start-from", default="embedded", help="encoder of the trunk: known name, folder or file")
    parser.add_argument("--batches", type=int, default=100, help="batches of training pairs, of the config's size")
    parser.add_argument("--lean", action="store_true", help="leave out maps that phasors do not read")
    options = parser.parse_args(arguments)
    with reporting(parser, folders=[options.out, options.cache]):
        from .maps import run

        run(options)


def train_head(arguments: Sequence[str] | None = None) -> None:
    """Train the head behind a frozen trunk, on the trunk's maps.

    python -m cocola_metric.training maps CONFIG --out MAPS
    python -m cocola_metric.training train-head CONFIG --maps MAPS --out DIR

    A head trains on the same music many times, so it must be small. Training takes minutes on a CPU.
    """
    parser = new_parser(PACKAGE, "train-head", train_head.__doc__)
    add_run_options(parser)
    parser.add_argument(
        "--maps", type=Path, nargs="+", required=True, help="folders that maps wrote; the first has validation windows"
    )
    parser.add_argument("--start-from", default="embedded", help="weights to begin with: known name, folder or file")
    parser.add_argument("--head", type=Path, help="folder of a head to go on from, or of a run of train-head")
    parser.add_argument("--keep", action="store_true", help="keep all weights that fit, not only the trunk's")
    options = parser.parse_args(arguments)
    with reporting(parser, folders=[options.out, options.cache]):
        from .heads import run

        run(options)


def join_head(arguments: Sequence[str] | None = None) -> None:
    """Add the phasors of a head to an encoder, in a given share or the one that is best on validation windows.

    python -m cocola_metric.training join-head embedded RUN --maps MAPS --out DIR

    Without RUN, it writes the encoder as it was before phasors and a verdict on noise were added.
    """
    parser = new_parser(PACKAGE, "join-head", join_head.__doc__)
    parser.add_argument("encoder", help="known name, folder or .ckpt file")
    parser.add_argument("head", type=Path, nargs="?", help="folder of a head, or of a run of train-head")
    parser.add_argument("--maps", type=Path, help="folder that the command maps wrote, to choose the share on")
    parser.add_argument("--share", type=float, help="share of the phasors, where it is known")
    parser.add_argument("--out", type=Path, required=True, help="folder for the joined encoder")
    options = parser.parse_args(arguments)
    with reporting(parser, folders=[options.out]):
        from .joining import run

        run(options)


def hear_noise(arguments: Sequence[str] | None = None) -> None:
    """Add a verdict on noise to an encoder with phasors: noise then scores below music, whatever it is compared with.

    python -m cocola_metric.training hear-noise CONFIG --encoder JOINED --out DIR
    """
    parser = new_parser(PACKAGE, "hear-noise", hear_noise.__doc__)
    add_run_options(parser)
    parser.add_argument(
        "--encoder",
        required=True,
        help="encoder that join-head wrote, or one that has a verdict, to replace it: folder or file",
    )
    parser.add_argument("--batches", type=int, default=20, help="batches of music, of the config's size")
    options = parser.parse_args(arguments)
    with reporting(parser, folders=[options.out, options.cache]):
        from .verdicts import run

        run(options)
