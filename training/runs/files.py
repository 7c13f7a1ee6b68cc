"""What a training run keeps: a checkpoint to go on from, and a log."""

import csv
import time
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn


def save_checkpoint(path: Path, step: int, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Write everything a run needs to go on after ``step`` steps, whole or not at all."""
    partial = path.with_suffix(".partial")
    state = {
        "step": step,
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "random": torch.get_rng_state(),
    }
    torch.save(state, partial)
    partial.replace(path)


def resume(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """Load a checkpoint if there is one; return how many steps it has seen."""
    if not path.exists():
        return 0
    state = torch.load(path, map_location="cpu", weights_only=True)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    torch.set_rng_state(state["random"])
    return int(state["step"])


class Log:
    """A CSV file with a line every few steps; a resumed run cuts off what its checkpoint does not know of.

    Attributes:
        columns: of the file.
        means: those that are means over the steps since the last line.
        rate: the one that tells how many pairs or windows a second takes.
        digits: that count.
    """

    columns: tuple[str, ...] = (
        *("step", "loss", "accuracy", "pairs_per_second"),
        *("validation_loss", "validation_accuracy", "other_track", "same_track"),
        *("shift", "transpose", "stretch", "noise"),
    )
    means: tuple[str, ...] = ("loss", "accuracy")
    rate = "pairs_per_second"
    digits = 4

    def __init__(self, path: Path, done: int) -> None:
        kept: list[dict[str, str]] = []
        if path.exists():
            with path.open(newline="") as file:
                kept = [row for row in csv.DictReader(file) if int(row["step"]) <= done]
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, self.columns)
            writer.writeheader()
            writer.writerows(kept)
        self.path = path
        self._start_over()

    def add(self, values: Tensor, count: int) -> None:
        """Take note of a step of so many pairs or windows; nothing is fetched from the device before `write`.

        Args:
            values: one for each of `means`; a scalar where there is one.
            count: pairs or windows.
        """
        self._steps.append(values)
        self._count += count

    def write(self, step: int, measured: Mapping[str, float]) -> dict[str, str]:
        """Write the means since the last line, and what else was measured; return the line."""
        values = torch.stack(self._steps).reshape(len(self._steps), -1).mean(0).tolist()
        row = dict(zip(self.means, values, strict=True))
        row |= {self.rate: self._count / max(time.monotonic() - self._started, 1e-9), **measured}
        line = {"step": str(step), **{name: f"{value:.{self.digits}g}" for name, value in row.items()}}
        with self.path.open("a", newline="") as file:
            csv.DictWriter(file, self.columns).writerow(line)
        self._start_over()
        return line

    def _start_over(self) -> None:
        self._steps: list[Tensor] = []
        self._count, self._started = 0, time.monotonic()
