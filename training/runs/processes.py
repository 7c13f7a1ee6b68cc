"""The work that the processes of a run share: rows of each batch, the end of the run, drawing ahead."""

from typing import TypeVar

import torch
from accelerate import Accelerator
from torch.utils.data import DataLoader, Dataset, Subset

from cocola_metric.errors import UsageError

_Batch = TypeVar("_Batch")


def rows_of_process(batch_size: int, accelerator: Accelerator) -> slice:
    """Return the rows of each batch that belong to this process.

    Raises:
        UsageError: the batch cannot be shared evenly.
    """
    if batch_size % accelerator.num_processes:
        raise UsageError(
            f"batch_size must be a multiple of the number of processes, {accelerator.num_processes}; got {batch_size}"
        )
    rows = batch_size // accelerator.num_processes
    return slice(accelerator.process_index * rows, (accelerator.process_index + 1) * rows)


def agreed(accelerator: Accelerator, over: float) -> float:
    """Return the share of the run that is over, the same in every process; a single one does not wait for its device.

    Clocks differ: if each process took its learning rate from its own clock, their weights would differ in the end.
    """
    if accelerator.num_processes == 1:
        return over
    dtype = torch.float32 if accelerator.device.type == "mps" else torch.float64
    mean = accelerator.reduce(torch.tensor(over, dtype=dtype, device=accelerator.device), "mean")
    return float(mean.item())


def load_ahead(draws: Dataset[_Batch], done: int, steps: int, workers: int) -> DataLoader[_Batch]:
    """Draw the batches that are left in processes of their own, so that the device never waits.

    Args:
        draws: batches of the run; item i is batch i.
        done: number of batches that are not drawn again.
        steps: number of batches of the whole run.
        workers: number of processes that draw; with 0, this one does.
    """
    return DataLoader(
        Subset(draws, range(done, max(done, steps))),
        batch_size=None,
        num_workers=workers,
        prefetch_factor=8 if workers else None,
        generator=torch.Generator(),  # else it takes a number from the generator that dropout draws from
    )
