"""The commands of this room: evaluate, compare, guards, bleed, ablation, judge-heads, figure4."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from cocola_metric.dispatch import new_parser, reporting
from cocola_metric.encoder import MODES

from ..signal import PARTITIONS
from .protocols import PROTOCOLS

PACKAGE = "cocola_metric.training"


def evaluate(arguments: Sequence[str] | None = None) -> None:
    """Measure how well an encoder tells coherent from mismatched sub-mixes (section 5.1, Eq. 8 with K = 2).

    python -m cocola_metric.training evaluate CORPUS [CORPUS ...] --model embedded --protocol paper --k 2
    python -m cocola_metric.training evaluate --table2 MODEL [MODEL ...] --test NAME=CORPUS [...]
    python -m cocola_metric.training evaluate --validity MODEL [MODEL ...] --test NAME=CORPUS [...]
    """
    parser = new_parser(PACKAGE, "evaluate", evaluate.__doc__)
    parser.add_argument(
        "corpus", nargs="*", help="[NAME=] folder of <track>/<stem> files, or reader:folder (its test split)"
    )
    parser.add_argument("--model", default="embedded", help="known name, folder or .ckpt file")
    parser.add_argument("--mode", choices=MODES, default="both", help="part of the sound to encode (default: both)")
    parser.add_argument("--symmetric", action="store_true", help="score by the mean of both directions")
    parser.add_argument("--plot", type=Path, metavar="PNG", help="draw the distributions of scores (extra [plot])")
    parser.add_argument("--card", action="store_true", help="add the accuracies to the README.md of the model's folder")
    several = parser.add_mutually_exclusive_group()
    several.add_argument(
        "--table2", nargs="+", metavar="[NAME=]MODEL", help="compare encoders and baselines, as Table 2"
    )
    several.add_argument(
        "--validity",
        nargs="+",
        metavar="[NAME=]MODEL",
        help="test that beat, key and tempo change the score, and level does not",
    )
    parser.add_argument("--test", nargs="+", action="extend", metavar="[NAME=]CORPUS", help="test sets of a comparison")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the comparison as JSON")
    parser.add_argument("--partition", nargs="+", choices=PARTITIONS, help="how stems are split (Table 2: both)")
    parser.add_argument(
        "--protocol",
        choices=PROTOCOLS,
        help="paper: measure by the paper's protocol, too, beside the strict one (default: paper for --table2)",
    )
    parser.add_argument(
        "--k", type=_sizes, default="2,8,16,64", help="windows of a batch, by the paper's protocol (default: 2,8,16,64)"
    )
    parser.add_argument("--max-tracks", type=int, help="read only the first so many tracks of a corpus")
    parser.add_argument("--max-windows", type=int, help="read at most so many windows of a track, evenly spread")
    parser.add_argument(
        "--hop",
        type=float,
        default=5.0,
        help="seconds from one window's start to the next, for one encoder: 5, the default, or more. Where a whole "
        "number of beats fills them, as 5 s at 132 bpm, all windows of a track begin alike in the beat",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the sub-mixes and negatives of a comparison")
    parser.add_argument("--device", default="cpu", help="as torch names it: cpu, cuda, mps")
    options = parser.parse_args(arguments)
    options.protocol = options.protocol or ("paper" if options.table2 else "strict")
    if options.validity and options.protocol == "paper":
        parser.error("--protocol paper goes with --table2, or with corpora for one encoder, not with --validity")
    comparing = bool(options.table2 or options.validity)
    if comparing != bool(options.test) or comparing == bool(options.corpus):
        parser.error("pass corpora to evaluate one encoder, or --table2 or --validity with --test")
    if not 5 <= options.hop < float("inf"):
        parser.error(f"--hop must be 5 s or more, so that windows do not overlap; got {options.hop:g}")
    if options.hop != 5 and (comparing or options.card):
        parser.error("--hop is for one encoder, and a card states what windows every 5 s give: leave --hop out")
    if options.json and not comparing:
        parser.error("--json goes with --table2 or --validity; the JSON of one encoder is printed, so redirect it")
    if comparing and options.card:
        parser.error("--card states the accuracies of one encoder: leave it out, or pass corpora and --model")
    with reporting(parser, files=[options.json], folders=[Path(options.model)] if options.card else []):
        if options.plot is not None:
            from cocola_metric.plot import check_picture

            check_picture(options.plot)
        from .evaluate import run

        run(options)


def _sizes(text: str) -> list[int]:
    """Read values of K, separated by commas."""
    sizes = [int(size) for size in text.split(",")]
    if min(sizes) < 2:
        raise argparse.ArgumentTypeError(f"K must be 2 or more; got {min(sizes)}")
    return sizes


def compare(arguments: Sequence[str] | None = None) -> None:
    """Print each accuracy of encoders on the same windows, and their differences from the first, with intervals.

    python -m cocola_metric.training compare embedded runs/new --test bands=corpora/bands/test desk=corpora/desk/test
    """
    parser = new_parser(PACKAGE, "compare", compare.__doc__)
    parser.add_argument("first", metavar="[NAME=]MODEL", help="known name, folder or .ckpt file")
    parser.add_argument("others", nargs="+", metavar="[NAME=]MODEL", help="encoders that are compared with it")
    parser.add_argument("--test", nargs="+", action="extend", required=True, metavar="[NAME=]CORPUS", help="test sets")
    parser.add_argument("--mode", choices=MODES, default="both", help="part of the sound to encode (default: both)")
    parser.add_argument("--symmetric", action="store_true", help="score by the mean of both directions")
    parser.add_argument("--max-tracks", type=int, help="take only the first so many tracks of a test set")
    parser.add_argument("--max-windows", type=int, help="take at most so many windows of a track, evenly spread")
    parser.add_argument("--seed", type=int, default=0, help="seed of the sub-mixes and the noise")
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write the tables to a file")
    parser.add_argument("--device", default="cpu", help="as torch names it: cpu, cuda, mps")
    options = parser.parse_args(arguments)
    with reporting(parser, files=[options.out]):
        from .paired import run

        run(options)


def guards(arguments: Sequence[str] | None = None) -> None:
    """Print how often real pairs cross the thresholds of echo and noise, and how often pairs that game the score do.

    python -m cocola_metric.training guards recorded=songs bands=corpora/bands/test
    """
    parser = new_parser(PACKAGE, "guards", guards.__doc__)
    parser.add_argument("test", nargs="+", metavar="[NAME=]CORPUS", help="test sets, as for evaluate")
    parser.add_argument("--max-tracks", type=int, help="read only the first so many tracks of a test set")
    parser.add_argument("--max-windows", type=int, default=10, help="read so many windows of a track (default: 10)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the sub-mixes and the noise")
    options = parser.parse_args(arguments)
    with reporting(parser):
        from .guards import run

        run(options)


def ablation(arguments: Sequence[str] | None = None) -> None:
    """Print the worth of each part of a training recipe: runs that leave one out, beside the run with all parts.

    python -m cocola_metric.training ablation runs/all-parts runs/without-this runs/without-that
    """
    parser = new_parser(PACKAGE, "ablation", ablation.__doc__)
    parser.add_argument("runs", nargs="+", type=Path, help="folders of runs; the first has all parts")
    options = parser.parse_args(arguments)
    with reporting(parser):
        from .ablation import ablation_table

        print(ablation_table(options.runs))


def judge_heads(arguments: Sequence[str] | None = None) -> None:
    """Print the accuracies of encoders and heads on the same validation windows, as they are and treated.

    python -m cocola_metric.training judge-heads embedded wide=training/weights/wide_phasors --maps MAPS
    """
    parser = new_parser(PACKAGE, "judge-heads", judge_heads.__doc__)
    parser.add_argument("encoders", nargs="+", help="known names or folders, of heads too; label=name labels one")
    parser.add_argument("--maps", type=Path, required=True, help="folder that the command maps wrote")
    parser.add_argument("--trunk", default="embedded", help="encoder whose trunk made the maps")
    options = parser.parse_args(arguments)
    with reporting(parser):
        from .judged_heads import run

        run(options)


def bleed(arguments: Sequence[str] | None = None) -> None:
    """Measure encoders and heads on one trunk on music whose stems were made to bleed.

    python -m cocola_metric.training bleed clean=runs/clean/head bled=runs/bled/head --test bands=corpora/bands/test
    """
    parser = new_parser(PACKAGE, "bleed", bleed.__doc__)
    parser.add_argument("encoders", nargs="+", help="known names or folders, of heads too; label=name labels one")
    parser.add_argument("--trunk", default="embedded", help="encoder with the trunk of all of them")
    parser.add_argument(
        "--test", nargs="+", action="extend", required=True, metavar="[NAME=]CORPUS", help="test sets; one name pools"
    )
    parser.add_argument("--max-tracks", type=int, help="read only the first so many tracks of a test set")
    parser.add_argument("--max-windows", type=int, help="read at most so many windows of a track, evenly spread")
    parser.add_argument("--seed", type=int, default=0, help="seed of the sub-mixes and the negatives")
    parser.add_argument("--out", type=Path, help="also write the tables to this file")
    options = parser.parse_args(arguments)
    with reporting(parser, files=[options.out]):
        from .bleeding_report import run

        run(options)


def figure4(arguments: Sequence[str] | None = None) -> None:
    """Print Figure 4 as CSV: cosine against bilinear similarity during training, from the logs of two runs.

    python -m cocola_metric.training figure4 runs/cosine runs/bilinear --plot figure4.png
    """
    parser = new_parser(PACKAGE, "figure4", figure4.__doc__)
    parser.add_argument("cosine", type=Path, help="run with cosine similarity: its folder, or log.csv")
    parser.add_argument("bilinear", type=Path, help="run with bilinear similarity")
    parser.add_argument("--plot", type=Path, metavar="PNG", help="draw both (extra [plot])")
    options = parser.parse_args(arguments)
    with reporting(parser):
        if options.plot is not None:
            from cocola_metric.plot import check_picture

            check_picture(options.plot)
        from .figure4 import run

        run(options)
