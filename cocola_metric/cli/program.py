"""The common part of the commands: results on stdout, messages on stderr, exit codes, and --help without torch."""

import argparse
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import Any, TextIO

from ..addresses import Address, located
from ..dispatch import ENDINGS, discard_stdout, ending_of, escaped
from ..errors import CocolaError
from .answers import Answer, as_text


def new_parser(program: str, description: str, epilog: str | None) -> argparse.ArgumentParser:
    """Return a parser with the option ``--version``."""
    parser = argparse.ArgumentParser(
        prog=program, description=description, epilog=epilog, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    return parser


def local(text: str) -> Path:
    """Return the path of a file to write, which cannot be an address."""
    if isinstance(located(text), Address):
        raise argparse.ArgumentTypeError(f"must be a file of this machine, to copy from here later; got {text}")
    return Path(text)


def run(
    program: str,
    command: Callable[[], Answer],
    *,
    bad_input: type[CocolaError],
    unfinished: str,
    options: argparse.Namespace | None = None,
) -> int:
    """Run a command, print its result, and return the exit code: 0 done, 1 bad input, 2 wrong usage, 130 interrupted.

    A missing extra is named, and its exit code is 1.

    Args:
        program: name of the program in messages.
        command: function that does the work, and imports torch and others only when called.
        bad_input: type of the errors with exit code 1; other errors of this package have 2.
        unfinished: message about the state that an interrupted run leaves behind.
        options: options of `answers.add_output_options`; None prints JSON.
    """
    if sys.stderr is None:  # closed by the caller; messages would be written to another file
        sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115
    try:
        with _silent_libraries(), _own_warnings_only(program), _quiet(getattr(options, "quiet", False)):
            answer = command()
    except ENDINGS as error:
        ending = ending_of(error, interrupted=unfinished, bad_input=bad_input, otherwise=2)
        if ending is None:
            raise
        say(program, ending.message)
        return ending.code
    return answer.code if printed(program, as_text(answer, options)) else 2


def say(program: str, message: object) -> None:
    """Print a message on stderr, with control characters escaped."""
    from tqdm import tqdm

    tqdm.write(escaped(f"{program}: {message}"), file=sys.stderr)


def printed(program: str, text: str) -> bool:
    """Print the result; if it cannot be printed, print a message and return False."""
    if sys.stdout is None:
        say(program, "stdout is closed, the result cannot be printed; send it to a file, or to /dev/null")
        return False
    try:
        print(text)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has closed the pipe, as `head` does
        discard_stdout()
    except OSError as error:
        discard_stdout()
        say(program, f"the result cannot be printed ({error.strerror}); send it elsewhere")
        return False
    return True


@contextmanager
def _silent_libraries() -> Iterator[None]:
    """Discard text that C libraries write to stderr, as libmpg123 does for every damaged frame."""
    own = sys.stderr
    try:
        kept = os.dup(2)
    except OSError:  # closed
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    if _is_descriptor(own, 2):  # otherwise Python already writes elsewhere
        own.flush()
        sys.stderr = open(kept, "w", 1, encoding=own.encoding, errors="backslashreplace", closefd=False)  # noqa: SIM115
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        sys.stderr = own
        os.close(kept)
        os.close(nowhere)


@contextmanager
def _quiet(quiet: bool) -> Iterator[None]:
    """Discard messages and progress; an error that ends the command is reported outside."""
    if not quiet:
        yield
        return
    with open(os.devnull, "w") as nowhere, redirect_stderr(nowhere):  # noqa: PTH123
        yield


def _is_descriptor(file: TextIO, number: int) -> bool:
    try:
        return file.fileno() == number
    except (OSError, ValueError, AttributeError):
        return False


@contextmanager
def _own_warnings_only(program: str) -> Iterator[None]:
    """Print warnings of this package as messages on stderr, and hide those of other libraries."""
    from ..audio import AudioWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", AudioWarning)
        warnings.showwarning = lambda message, *_, **__: say(program, f"warning: {message}")
        yield


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from .. import __version__

        print(f"cocola-metric {__version__}")
        parser.exit()
