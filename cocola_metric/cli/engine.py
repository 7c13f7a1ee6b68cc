"""Where the work of a command is done: in this process, or in many through Ray."""

import argparse
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from ..errors import UsageError

if TYPE_CHECKING:  # --help takes the options alone
    from ..ray_pool import RayPool

WORKERS = 2


def add_engine_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say where the work is done."""
    engine = parser.add_argument_group("many processes and machines", "how to: docs/howto/many_machines.md")
    engine.add_argument(
        "--engine",
        choices=("in-process", "ray"),
        default="in-process",
        help="ray: worker processes on the cluster at RAY_ADDRESS, or on this machine (extra [scale])",
    )
    engine.add_argument("--workers", type=int, metavar="N", help=f"processes of ray, one a core (default: {WORKERS})")
    engine.add_argument(
        "--workers-gpu",
        type=float,
        metavar="GPUS",
        help="GPUs of each worker: 1, or a fraction such as 0.25 for four workers on one (default: none)",
    )


def open_pool(options: argparse.Namespace) -> "AbstractContextManager[RayPool | None]":
    """Return the pool of workers that the options ask for; None in its place for this process.

    With workers, this process opens what it needs on its CPU.

    Raises:
        UsageError: options contradict each other.
        MissingExtraError: the extra [scale], which holds Ray, is not installed.
    """
    if options.engine != "ray":
        for name in ("workers", "workers_gpu"):
            if getattr(options, name) is not None:
                raise UsageError(f"--{name.replace('_', '-')} is an option of --engine ray; add that, or leave it out")
        return nullcontext()
    from ..ray_pool import RayPool

    if options.device not in (None, "cpu"):
        raise UsageError(f"--engine ray has no --device; got {options.device}; --workers-gpu 1 gives each worker a GPU")
    pool = RayPool(WORKERS if options.workers is None else options.workers, gpus=options.workers_gpu or 0)
    options.device = "cpu"
    return pool


def device_of(pool: "RayPool") -> str:
    """Return the device of the workers of a pool."""
    return "cuda" if pool.gpus else "cpu"


def units_of(pool: "RayPool", count: int, most: int) -> int:
    """Return how many neighbours of a list to send at once: few of a short list, so that every worker has some."""
    return max(1, min(most, -(-count // (4 * pool.workers))))
