"""What the commands have in common: JSON on stdout, messages on stderr, exit codes, no torch for --help."""

import argparse
import json
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..errors import CocolaError

Result = tuple[dict[str, Any], int]  # what to print, and the exit code


def new_parser(program: str, description: str, epilog: str | None) -> argparse.ArgumentParser:
    """Return a parser that knows ``--version``."""
    parser = argparse.ArgumentParser(
        prog=program, description=description, epilog=epilog, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    return parser


def run(program: str, command: Callable[[], Result], *, bad_input: type[CocolaError], unfinished: str) -> int:
    """Run a command, print its result, and return the exit code: 0 done, 1 bad input, 2 wrong usage, 130 interrupted.

    Args:
        program: for the messages.
        command: imports what it needs, torch above all, only when called.
        bad_input: errors of this kind exit with 1, others of ours with 2.
        unfinished: what an interrupted run leaves behind.
    """
    try:
        with _own_warnings_only(program):
            result, code = command()
    except CocolaError as error:
        print(f"{program}: {error}", file=sys.stderr)
        return 1 if isinstance(error, bad_input) else 2
    except KeyboardInterrupt:
        print(f"{program}: interrupted; {unfinished}", file=sys.stderr)
        return 130
    try:
        lines = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in result.items()]
        print("{\n" + ",\n".join(lines) + "\n}")
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has seen enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


@contextmanager
def _own_warnings_only(program: str) -> Iterator[None]:
    """Print this package's warnings as messages on stderr, and none of other libraries'."""
    from tqdm import tqdm

    from ..audio import AudioWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", AudioWarning)
        warnings.showwarning = lambda message, *_, **__: tqdm.write(f"{program}: warning: {message}", file=sys.stderr)
        yield


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from .. import __version__

        print(f"cocola-metric {__version__}")
        parser.exit()
