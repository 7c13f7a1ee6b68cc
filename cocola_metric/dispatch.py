"""`python -m PACKAGE COMMAND`: one table of commands a package; only the chosen one is imported."""

import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import NamedTuple


class Command(NamedTuple):
    """A row of a package's table of commands.

    Attributes:
        module: Module, relative to the package.
        summary: What it does, in a line.
        function: Name of the function of the module that takes the arguments.
    """

    module: str
    summary: str
    function: str = "main"


def run(package: str, commands: Mapping[str, Command], arguments: Sequence[str]) -> int | None:
    """Run the command that the first argument names; without one, or with ``--help``, list them.

    Returns:
        The command's exit code; 2 for a name that is no command.
    """
    name, *rest = arguments or ["--help"]
    if name in ("-h", "--help"):
        width = max(map(len, commands))
        rows = "\n".join(f"  {command:{width}}  {row.summary}" for command, row in commands.items())
        print(f"usage: python -m {package} COMMAND ...\n\n{rows}\n\nCOMMAND --help has its options.")
        return 0
    if name not in commands:
        print(f"{name}: no such command; pass one of {', '.join(commands)}", file=sys.stderr)
        return 2
    row = commands[name]
    main = getattr(import_module(f".{row.module}", package), row.function)
    code: int | None = main(rest)
    return code
