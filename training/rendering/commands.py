"""The commands of this room: render, sources."""

import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from cocola_metric.dispatch import new_parser, reporting

from ..corpora import SPLITS
from .works import CORPORA, USUAL_CORPORA

PACKAGE = "cocola_metric.training"


def render(arguments: Sequence[str] | None = None) -> None:
    """Render training corpora: stems of music from scores, SoundFonts and projects with free licences."""
    parser = new_parser(PACKAGE, "render", render.__doc__)
    parser.add_argument("output", type=Path, metavar="OUT", help="folder of the rendered corpora; a render is resumed")
    parser.add_argument("--sources", type=Path, default=Path("sources"), help="folder of scores/ and stems/ (sources)")
    parser.add_argument("--hours", type=float, default=14.0, help="hours of music in all (default: 14)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the content of every track (default: 0)")
    parser.add_argument("--jobs", type=int, default=2, help="number of processes; it changes no sample (default: 2)")
    parser.add_argument(
        "--corpora", nargs="+", choices=CORPORA, default=USUAL_CORPORA, help="corpora (default: all but songs)"
    )
    parser.add_argument("--splits", nargs="+", choices=SPLITS, default=SPLITS, help="splits (default: all)")
    parser.add_argument("--fetch", action="store_true", dest="may_fetch", help="download absent sources into SOURCES")
    options = parser.parse_args(arguments)
    _log_to_stderr()
    with reporting(parser, folders=[options.output]):
        from .render import run

        run(options)


def sources(arguments: Sequence[str] | None = None) -> int:
    """Check or fetch the music of the rendered corpora: the origin, licence and checksum of each source.

    python -m cocola_metric.training sources --check SOURCES    # compare the files with the checksums
    python -m cocola_metric.training sources --fetch SOURCES    # download absent sources that have an address

    The exit code is 1 if a source differs from its checksum or cannot be fetched.
    """
    parser = new_parser(PACKAGE, "sources", sources.__doc__)
    task = parser.add_mutually_exclusive_group(required=True)
    task.add_argument("--check", type=Path, metavar="SOURCES", help="print the sources found as JSON, with checksums")
    task.add_argument("--fetch", type=Path, metavar="SOURCES", help="download absent sources that have an address")
    options = parser.parse_args(arguments)
    _log_to_stderr()
    with reporting(parser, folders=[options.fetch]):
        from .sources import run

        return run(options)


def _log_to_stderr() -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
