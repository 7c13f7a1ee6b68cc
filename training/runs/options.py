"""The options that every training command has."""

import argparse
from pathlib import Path


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of configuration, folders, time and devices."""
    parser.add_argument(
        "config",
        type=Path,
        help="TOML file of the settings that differ from the paper or the published run; or the name of one that comes "
        "with the package, such as embedded",
    )
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="settings in place of the config's")
    parser.add_argument("--corpus", nargs="+", help="instead of the config's: folders with train/ and validation/")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run; an earlier run in it goes on")
    parser.add_argument(
        "--cache", type=Path, help="folder of the decoded corpora, for several runs (default: OUT/bank)"
    )
    parser.add_argument("--minutes", type=float, help="time for training, even if steps are left; preparing is extra")
    parser.add_argument("--workers", type=int, default=2, help="processes that decode stems and draw batches")
    parser.add_argument("--cpu", action="store_true", help="do not use the GPU")
