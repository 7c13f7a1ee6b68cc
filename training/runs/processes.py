"""How the processes of a run share its work: the rows of each batch, the end of the run, drawing ahead."""

from typing import TypeVar

import torch
from accelerate import Accelerator
from torch.utils.data import DataLoader, Dataset, Subset

from cocola_metric.errors import UsageError

_Batch = TypeVar("_Batch")


def rows_of_process(batch_size: int, accelerator: Accelerator) -> slice:
    """Return the rows of each batch that are this process's.

    Raises:
        UsageError: the batch cannot be shared evenly.
    """
    if batch_size % accelerator.num_processes:
        raise UsageError(f"batch_size {batch_size} is no multiple of the {accelerator.num_processes} processes")
    rows = batch_size // accelerator.num_processes
    return slice(accelerator.process_index * rows, (accelerator.process_index + 1) * rows)


def agreed(accelerator: Accelerator, over: float) -> float:
    """Return the share of the run that is over, the same in every process; alone, without waiting for the device.

    Clocks differ: with learning rates that follow from its own, every process would end with other weights.
    """
    if accelerator.num_processes == 1:
        return over
    dtype = torch.float32 if accelerator.device.type == "mps" else torch.float64
    mean = accelerator.reduce(torch.tensor(over, dtype=dtype, device=accelerator.device), "mean")
    return float(mean.item())


def load_ahead(draws: Dataset[_Batch], done: int, steps: int, workers: int) -> DataLoader[_Batch]:
    """Draw the batches that are left in processes of their own, so that the device never waits.

    Args:
        draws: batch i of the run is its item i.
        done: batches that are not drawn again.
        steps: batches of the whole run.
        workers: processes that draw; 0, this one does.
    """
    return DataLoader(
        Subset(draws, range(done, max(done, steps))),
        batch_size=None,
        num_workers=workers,
        prefetch_factor=8 if workers else None,
        generator=torch.Generator(),  # else it takes a number from the generator that dropout draws from
    )
