"""Commands in processes of their own, to be killed: what takes seconds to import is imported once, in their parent."""

import multiprocessing
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from multiprocessing.process import BaseProcess
from pathlib import Path

IMPORTED_BEFORE = (
    "cocola_metric.cli.fad_commands",
    "cocola_metric.cli.score_commands",
    "cocola_metric.benchmarks.table3.table3",
    "cocola_metric.training.encoder.train",
)
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
_PROCESSES = multiprocessing.get_context("forkserver" if os.name == "posix" else "spawn")


def start(main: Callable[[Sequence[str]], int | None], arguments: Sequence[str], printed: Path) -> BaseProcess:
    """Start a command, as its entry point and arguments; what it prints goes to files beside each other.

    Args:
        main: Importable function that is given the arguments.
        arguments: Arguments of the command.
        printed: File for stdout; messages go to the one with ``.stderr`` behind its name.
    """
    os.environ |= ENVIRONMENT
    _PROCESSES.set_forkserver_preload([*IMPORTED_BEFORE, __name__])
    process = _PROCESSES.Process(target=_run, args=(main, list(arguments), printed), daemon=True)
    process.start()
    return process


def messages_of(printed: Path) -> Path:
    """Return the file of a command's messages."""
    return printed.with_name(f"{printed.name}.stderr")


def package_command(package: str, *arguments: str) -> int | None:
    """Run ``python -m PACKAGE ARGUMENTS``."""
    from cocola_metric.dispatch import run

    return run(package, import_module(f"{package}.__main__").COMMANDS, arguments)


def core(arguments: Sequence[str]) -> int | None:
    return package_command("cocola_metric", *arguments)


def benchmarks(arguments: Sequence[str]) -> int | None:
    return package_command("cocola_metric.benchmarks", *arguments)


def training(arguments: Sequence[str]) -> int | None:
    """Run the training command with a checkpoint after every step, and few batches to watch and to calibrate on."""
    from cocola_metric.training.encoder import train, validation

    validation.BATCHES = {"shift": 1}
    train.CALIBRATION_BATCHES, train.STEPS_BETWEEN_CHECKPOINTS, train.STEPS_BETWEEN_LINES = 2, 1, 1
    return package_command("cocola_metric.training", *arguments)


def _run(main: Callable[[Sequence[str]], int | None], arguments: list[str], printed: Path) -> None:
    for descriptor, file in ((1, printed), (2, messages_of(printed))):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
    sys.exit(main(arguments))
