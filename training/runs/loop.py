"""The loop in which every model is trained, with clock, log and checkpoints, on one GPU or many."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.utils.data import Dataset
from tqdm import tqdm

from cocola_metric.whole_files import make_folder

from .checkpoint import CHECKPOINT_FILE, resume, save_checkpoint
from .clock import Clock, scheduled_rate
from .log import LOG_FILE, Log, LogFormat
from .processes import agreed, load_ahead

logger = logging.getLogger(__name__)

FEWEST_STEPS = 100
"""Number of steps below which a run that time ends gives a warning: it has learned nothing."""

_Batch = TypeVar("_Batch")


@dataclass(frozen=True)
class Pace:
    """The length of a run, the course of its learning rate, and the intervals at which it writes.

    Attributes:
        steps: number of optimiser steps of the whole run.
        warmup_steps: number of steps of a linear rise, after which the rate falls as a cosine to zero; 0 keeps it
            constant.
        largest_gradient: norm that the gradient is cut to; 0 for no limit.
        steps_between_lines: number of steps from one line of the log to the next.
        steps_between_checkpoints: number of steps from one checkpoint to the next, each with a measurement.
    """

    steps: int
    warmup_steps: int = 0
    largest_gradient: float = 0.0
    steps_between_lines: int = 50
    steps_between_checkpoints: int = 500


@dataclass(frozen=True)
class Training(Generic[_Batch]):
    """All that a training run consists of: weights, batches, loss and log.

    Attributes:
        name: text of the progress bar.
        weights: tensors by name that training changes in place; a checkpoint holds them.
        optimizer: optimiser of the parameters among them, every group at its peak learning rate.
        draws: batches of the run, one for each step.
        batch_size: number of pairs or windows of a batch, over all processes.
        loss: function of a step's number and its whole batch; it returns the loss of this process's rows, and the other
            means of the log.
        measure: function that returns the values logged with each checkpoint; one process calls it.
        log: columns of the log.
        settings: resolved configuration, for the checkpoint.
        sample: function of a step's number, called after every step by one process.
    """

    name: str
    weights: Mapping[str, Tensor]
    optimizer: torch.optim.Optimizer
    draws: Dataset[_Batch]
    batch_size: int
    loss: Callable[[int, _Batch], tuple[Tensor, ...]]
    measure: Callable[[], Mapping[str, float]]
    log: LogFormat
    settings: Mapping[str, object]
    sample: Callable[[int], None] = field(default=lambda step: None)


def run_loop(
    accelerator: Accelerator,
    training: Training[_Batch],
    pace: Pace,
    out: Path,
    *,
    minutes: float | None = None,
    workers: int = 2,
) -> float:
    """Train until the steps or the time are over; write ``checkpoint.pt`` and ``log.csv``.

    A run that was interrupted goes on from its last checkpoint, and ends as if it had not been interrupted.

    Args:
        accelerator: accelerator of the devices that compute ``training.loss``.
        training: weights, batches, loss and log.
        pace: length, learning rate and intervals.
        out: folder of the run.
        minutes: time for training, in minutes, without the preparation. With a warm-up, the rate has fallen by then.
        workers: number of processes that draw batches.

    Returns:
        Minutes that training took.

    Raises:
        UsageError: the checkpoint in ``out`` holds other parameters.
    """
    make_folder(out)
    rates = [group["lr"] for group in training.optimizer.param_groups]
    done = resume(out / CHECKPOINT_FILE, training.weights, training.optimizer, training.settings, accelerator.device)
    writer = _Writer(training, pace, out, accelerator.device, done) if accelerator.is_main_process else None
    batches = load_ahead(training.draws, done, pace.steps, workers)
    hidden = None if writer else True
    progress = tqdm(batches, desc=training.name, unit="step", initial=done, total=pace.steps, disable=hidden)
    groups = training.optimizer.param_groups  # new ones, where the run goes on
    parameters = [parameter for group in groups for parameter in group["params"]]
    clock, step = Clock(pace.steps, minutes), done
    over = agreed(accelerator, clock.share(done))
    for step, batch in enumerate(progress, done + 1):
        factor = scheduled_rate(step - 1, over, pace.warmup_steps)
        for group, rate in zip(groups, rates, strict=True):
            group["lr"] = rate * factor
        values = training.loss(step, batch)
        training.optimizer.zero_grad(set_to_none=True)
        accelerator.backward(values[0])
        if pace.largest_gradient:
            nn.utils.clip_grad_norm_(parameters, pace.largest_gradient)
        training.optimizer.step()
        means = accelerator.reduce(torch.stack([value.detach() for value in values]), "mean")
        over = agreed(accelerator, clock.share(step))
        if writer and (line := writer.note(step, means, rates[0] * factor, over)):
            progress.set_postfix(line)
        if over >= 1:
            break
    accelerator.wait_for_everyone()
    if writer and minutes is not None and done < step < min(pace.steps, FEWEST_STEPS):
        logger.warning(
            "%s: %g minutes were enough for %d of %d steps, and fewer than %d teach nothing; give more --minutes",
            *(training.name, minutes, step, pace.steps, FEWEST_STEPS),
        )
    return clock.minutes()


class _Writer(Generic[_Batch]):
    """Writer of log, checkpoints and samples, on one process."""

    def __init__(self, training: Training[_Batch], pace: Pace, out: Path, device: torch.device, done: int) -> None:
        self.training, self.pace, self.out, self.device = training, pace, out, device
        self.log = Log(out / LOG_FILE, training.log, done)

    def note(self, step: int, means: Tensor, rate: float, over: float) -> dict[str, str] | None:
        """Write all that is due after a step; return the line of the log if there was one.

        Args:
            step: number of steps made.
            means: loss and other values of the step, over all processes.
            rate: learning rate of the first group.
            over: share of the run that is over.
        """
        training, line = self.training, None
        self.log.add(means, training.batch_size)
        if step % self.pace.steps_between_checkpoints == 0 or over >= 1:
            line = self.log.write(step, {"learning_rate": rate, **training.measure()})
            save_checkpoint(
                self.out / CHECKPOINT_FILE, step, training.weights, training.optimizer, training.settings, self.device
            )
        elif step % self.pace.steps_between_lines == 0:
            line = self.log.write(step, {"learning_rate": rate})
        training.sample(step)
        return line
