"""`python -m PACKAGE COMMAND`: one table of commands a package; only the chosen one is imported, and its work later.

A command is a function of a light module. It reads its options, and imports the modules that do the work inside
`reporting`. So ``--help`` needs neither torch nor an extra, and a missing extra is named.
"""

import argparse
import contextlib
import errno
import inspect
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from .errors import CocolaError, MissingExtraError
from .names import printable
from .whole_files import refuse_unwritable_places

_OF_A_PATH = (
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENAMETOOLONG,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.ELOOP,
    errno.EIO,
)
"""What the system says of a path, whoever asks."""
EXTRAS = {
    "accelerate": "train",
    "diffusers": "bench",
    "frechet_audio_distance": "fad",
    "jinja2": "bench",
    "matplotlib": "plot",
    "music21": "corpora",
    "pretty_midi": "train",
    "ray": "scale",
    "sklearn": "train",
    "torchmetrics": "torchmetrics",
    "transformers": "bench",
    "yaml": "train",
}
"""Import name of a package outside the base install -> the extra that installs it."""


class Command(NamedTuple):
    """A row of a package's table of commands.

    Attributes:
        module: light module of the command, relative to the package.
        summary: description of the command in one line.
        function: name of its function; by default that of the command.
    """

    module: str
    summary: str
    function: str = ""


def run(package: str, commands: Mapping[str, Command], arguments: Sequence[str]) -> int | None:
    """Run the command that the first argument names; without one, or with ``--help``, list them.

    Returns:
        The command's exit code; 2 for a name that is no command.
    """
    name, *rest = arguments or ["--help"]
    if name in ("-h", "--help"):
        width = max(map(len, commands))
        rows = "\n".join(f"  {command:{width}}  {row.summary}" for command, row in commands.items())
        with contextlib.suppress(OSError):  # as argparse does
            print(f"usage: python -m {package} COMMAND ...\n\n{rows}\n\nCOMMAND --help has its options.", flush=True)
            return 0
        discard_stdout()
        return 1
    if name not in commands:
        print(f"command must be one of {', '.join(commands)}; got {name!r}", file=sys.stderr)
        return 2
    row = commands[name]
    main = getattr(import_module(f".{row.module}", package), row.function or name.replace("-", "_"))
    code: int | None = 0
    try:
        code = main(rest)
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:  # the reader has closed the pipe, as `head` does
        discard_stdout()
    return code


def discard_stdout() -> None:
    """Discard the rest of stdout's buffer, which the interpreter could not write at its end."""
    with contextlib.suppress(OSError, ValueError, AttributeError):  # stdout is closed, or no file at all
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def new_parser(package: str, command: str, description: str | None) -> argparse.ArgumentParser:
    """Return the parser of a command of a package; its description keeps its lines."""
    return argparse.ArgumentParser(
        prog=f"python -m {package} {command}",
        description=inspect.cleandoc(description or ""),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


@contextmanager
def reporting(
    parser: argparse.ArgumentParser,
    *,
    files: Iterable[Path | None] = (),
    folders: Iterable[Path | None] = (),
    interrupted: str = "what is finished stays",
) -> Iterator[None]:
    """Report an error in one line on stderr, with exit code 1, or 130 after an interruption.

    Control characters in names are escaped, so that they cannot steer the terminal.

    Args:
        parser: parser of the command, which names it.
        files: files that the command will write; one that cannot be written is refused before any work is done.
        folders: folders that the command will write to.
        interrupted: message about the state that an interruption leaves behind.
    """
    command = parser.prog.split()[-1]
    if sys.stdout is None:
        parser.exit(1, f"{command}: stdout is closed; send it to a file, or to /dev/null\n")
    try:
        refuse_unwritable_places(files, folders)
        yield
        sys.stdout.flush()
    except ENDINGS as error:
        ending = ending_of(error, interrupted=interrupted)
        if ending is None:
            raise
        if isinstance(error, OSError):
            discard_stdout()  # stdout may be on the full disk
        parser.exit(ending.code, escaped(f"{command}: {ending.message}") + "\n")


class Ending(NamedTuple):
    """How a command ends that could not do its work.

    Attributes:
        message: text that says what is wrong, and what the user can do.
        code: exit code.
    """

    message: str
    code: int


ENDINGS = (CocolaError, OSError, ModuleNotFoundError, KeyboardInterrupt)
"""Errors of which `ending_of` knows some."""


def ending_of(
    error: BaseException, *, interrupted: str, bad_input: type[CocolaError] = CocolaError, otherwise: int = 1
) -> Ending | None:
    """Return how a command ends after an error that the user can mend; None where it is a fault of ours.

    Args:
        error: error that ended the command, one of ``ENDINGS``.
        interrupted: message about the state that an interruption leaves behind; its exit code is 130.
        bad_input: type of the errors with exit code 1; a missing extra has it, too.
        otherwise: exit code of all others.
    """
    if isinstance(error, KeyboardInterrupt):
        return Ending(f"interrupted; {interrupted}", 130)
    if isinstance(error, ModuleNotFoundError):
        error = missing_extra(error) or error
    if isinstance(error, CocolaError):
        return Ending(str(error), 1 if isinstance(error, (bad_input, MissingExtraError)) else otherwise)
    problem = system_problem(error) if isinstance(error, OSError) else None
    return None if problem is None else Ending(problem, otherwise)


def escaped(message: object) -> str:
    """Return a message with control characters escaped, line by line, so that they cannot steer the terminal."""
    return "\n".join(map(printable, str(message).split("\n")))


def require(package: str) -> None:
    """Refuse to begin long work that ends in need of a package which is not installed.

    Args:
        package: import name, a key of ``EXTRAS``.

    Raises:
        MissingExtraError: the package is not installed.
    """
    try:
        found = find_spec(package) is not None
    except ModuleNotFoundError:
        found = False
    if not found:
        raise _install(package)


def system_problem(error: OSError) -> str | None:
    """Return what the user can do about an error of the system; None where it is a fault of ours."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{error.strerror}; free some space, and start again; finished work stays"
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return f"{error.strerror}; raise the limit (ulimit -n), and start again; finished work stays"
    if error.filename is not None and error.errno in _OF_A_PATH:
        return f"{os.fsdecode(error.filename)}: {error.strerror}; check the path and the permission"
    return None


def missing_extra(error: ModuleNotFoundError) -> MissingExtraError | None:
    """Return the error that names the extra of a missing package, or None if no extra has it."""
    package = (error.name or "").partition(".")[0]
    if package not in EXTRAS:
        return None
    return _install(package)


def _install(package: str) -> MissingExtraError:
    return MissingExtraError(f"{package} is not installed; run pip install 'cocola-metric[{EXTRAS[package]}]'")
