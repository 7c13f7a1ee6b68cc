"""`python -m cocola_metric examples`: the example song as files to score."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from ..dispatch import new_parser, reporting


def main(arguments: Sequence[str] | None = None) -> None:
    """Write three example stems (20 s, CC0) into a folder, and print a command that scores them."""
    parser = new_parser("cocola_metric", "examples", main.__doc__)
    parser.add_argument(
        "folder", nargs="?", type=Path, default=Path("examples"), help="folder to write to (default: examples)"
    )
    options = parser.parse_args(arguments)
    with reporting(parser, folders=[options.folder]):
        from ..example_songs import write_examples

        drums, bass, keys = (shlex.quote(str(file)) for file in write_examples(options.folder))
        print(f"cocola-score -c {drums} {bass} -a {keys}")
