"""The command of this room: reference."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from cocola_metric.dispatch import new_parser, reporting

PACKAGE = "cocola_metric.training"


def reference(arguments: Sequence[str] | None = None) -> None:
    """Make the reference of an encoder from known music, and measure its calibration on other music.

    python -m cocola_metric.training reference MODEL [NAME=]CORPUS [...] --test [NAME=]CORPUS [...]

    The reference is written into the encoder's folder, where scores are read by it. Prints the calibration error.
    """
    parser = new_parser(PACKAGE, "reference", reference.__doc__)
    parser.add_argument("model", help="known name, or folder; a .ckpt file needs --out")
    parser.add_argument("music", nargs="+", metavar="[NAME=]CORPUS", help="folders of <track>/<stem> files")
    parser.add_argument(
        "--test", nargs="+", action="extend", default=[], metavar="[NAME=]CORPUS", help="held-out music"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="(default: reference.json in the encoder's folder)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the calibration as JSON")
    parser.add_argument("--plot", type=Path, metavar="PNG", help="draw the calibration (extra [plot])")
    parser.add_argument("--max-tracks", type=int, help="read only the first so many tracks of a set")
    parser.add_argument(
        "--max-windows", type=int, default=12, help="read only the first so many windows of a track (12)"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the sub-mixes and the mismatched pairs (0)")
    parser.add_argument("--device", default="cpu", help="as torch names it: cpu, cuda, mps")
    options: argparse.Namespace = parser.parse_args(arguments)
    if options.plot and not options.test:
        parser.error("--plot draws the calibration on --test; pass both, or none")
    with reporting(parser, files=[options.out, options.json]):
        if options.plot is not None:
            from cocola_metric.plot import check_picture

            check_picture(options.plot)
        from .run import run

        run(options)
