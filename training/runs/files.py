"""The files of a training run: a checkpoint to resume from, settings, log, and weights."""

import csv
import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from cocola_metric.checkpoints import list_problems, tensor_problems
from cocola_metric.errors import CheckpointError, UsageError
from cocola_metric.whole_files import write_text_whole, written_whole

from .random_state import random_state, restore_random_state

logger = logging.getLogger(__name__)

CHECKPOINT_FILE, LOG_FILE, SETTINGS_FILE = "checkpoint.pt", "log.csv", "training.json"
FORMAT = 2
"""Version of checkpoints; the first one lacked the settings and some random states."""


def save_checkpoint(
    path: Path,
    step: int,
    weights: Mapping[str, Tensor],
    optimizer: torch.optim.Optimizer,
    settings: Mapping[str, object],
    device: torch.device,
) -> None:
    """Write a checkpoint from which a run goes on as if it had not stopped; the file is written whole or not at all.

    Args:
        path: file to write.
        step: number of steps made.
        weights: tensors of the model that training changes.
        optimizer: optimiser of the run.
        settings: resolved configuration of the run.
        device: device whose random state belongs to the run, beside those of the CPU.
    """
    state = {
        "format": FORMAT,
        "step": step,
        "weights": {name: tensor.detach() for name, tensor in weights.items()},
        "optimizer": optimizer.state_dict(),
        "random": random_state(device),
        "settings": plain_settings(settings),
    }
    with written_whole(path) as unfinished:
        torch.save(state, unfinished)


def resume(
    path: Path,
    weights: Mapping[str, Tensor],
    optimizer: torch.optim.Optimizer,
    settings: Mapping[str, object],
    device: torch.device,
) -> int:
    """Restore a run from its checkpoint, if there is one; return the number of steps it has made.

    The arguments are those of `save_checkpoint`; weights are changed in place. Settings may differ from those of the
    checkpoint; a warning names the differences.

    Raises:
        CheckpointError: the file is damaged, or of another version.
        UsageError: the run in this folder trained other parameters.
    """
    if not path.exists():
        return 0
    state = _read_checkpoint(path)
    if problems := tensor_problems(weights, state["weights"].items()):
        raise UsageError(
            f"{path}: other parameters were trained here ({list_problems(problems)}); "
            "give an empty folder, or the same configuration"
        )
    with torch.no_grad():
        for name, tensor in weights.items():
            tensor.copy_(state["weights"][name])
    optimizer.load_state_dict(state["optimizer"])
    restore_random_state(state["random"], device)
    if changed := _changed(state["settings"], plain_settings(settings)):
        logger.warning("%s: the run goes on with other settings: %s", path.parent, ", ".join(changed))
    return int(state["step"])


def _read_checkpoint(path: Path) -> dict[str, Any]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds here, all of them meaning the same to the reader
        raise CheckpointError(f"{path}: damaged ({type(error).__name__}); give an empty folder") from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise CheckpointError(f"{path}: written by another version of this package; give an empty folder")
    return state


def plain_settings(settings: Mapping[str, object]) -> dict[str, Any]:
    """Return settings as JSON has them: lists for tuples."""
    plain: dict[str, Any] = json.loads(json.dumps(settings))
    return plain


def _changed(before: Mapping[str, Any], now: Mapping[str, Any], table: str = "") -> list[str]:
    """Return the settings that differ, with both values."""
    changed = []
    for name in sorted(before.keys() | now.keys()):
        old, new = before.get(name), now.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            changed += _changed(old, new, f"{table}{name}.")
        elif old != new:
            changed.append(f"{table}{name} {json.dumps(new)} instead of {json.dumps(old)}")
    return changed


def note_settings(out: Path, settings: Mapping[str, object]) -> None:
    """Create the folder of a run, and write ``training.json``, the resolved configuration, into it."""
    out.mkdir(parents=True, exist_ok=True)
    write_text_whole(out / SETTINGS_FILE, json.dumps(settings, indent=2) + "\n")


def save_tensors(
    path: Path,
    tensors: Mapping[str, Tensor],
    *,
    dtype: torch.dtype | None = None,
    metadata: dict[str, str] | None = None,
) -> None:
    """Write tensors as safetensors, whole or not at all; the folder is created.

    Args:
        path: file to write.
        tensors: tensors by name, on any device.
        dtype: type of the floating-point tensors in the file; None keeps each as it is.
        metadata: header of the file.
    """
    kept = {
        name: tensor.detach().to("cpu", dtype if tensor.is_floating_point() else None).contiguous()
        for name, tensor in tensors.items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as unfinished:
        save_file(kept, unfinished, metadata)


@dataclass(frozen=True)
class LogFormat:
    """The form of a line of the log.

    Attributes:
        columns: names of the columns.
        means: columns that are means over the steps since the last line, in the order in which a step gives them.
        rate: name of the column with the number of pairs or windows per second.
        digits: number of significant digits.
    """

    columns: tuple[str, ...]
    means: tuple[str, ...] = ("loss",)
    rate: str = "pairs_per_second"
    digits: int = 5


class Log:
    """A CSV file with a line every few steps; a resumed run removes lines that are later than its checkpoint."""

    def __init__(self, path: Path, form: LogFormat, done: int) -> None:
        kept: list[dict[str, str]] = []
        if path.exists():
            with path.open(newline="") as file:
                kept = [row for row in csv.DictReader(file) if int(row["step"]) <= done]
        with written_whole(path) as unfinished, unfinished.open("w", newline="") as file:
            writer = csv.DictWriter(file, form.columns)
            writer.writeheader()
            writer.writerows(kept)
        self.path, self.form = path, form
        self._start_over()

    def add(self, values: Tensor, count: int) -> None:
        """Add a step of so many pairs or windows; nothing is fetched from the device before `write`.

        Args:
            values: one value for each of ``form.means``, (n,).
            count: number of pairs or windows.
        """
        self._steps.append(values)
        self._count += count

    def write(self, step: int, measured: Mapping[str, float]) -> dict[str, str]:
        """Write a line with the means since the last one and other measurements; return the line.

        Args:
            step: number of steps made.
            measured: values by column; values without a column in the log are left out.
        """
        means = dict(zip(self.form.means, torch.stack(self._steps).mean(0).tolist(), strict=True))
        rate = self._count / max(time.monotonic() - self._started, 1e-9)
        row = means | {self.form.rate: rate} | {name: measured[name] for name in self.form.columns if name in measured}
        line = {"step": str(step), **{name: f"{value:.{self.form.digits}g}" for name, value in row.items()}}
        with self.path.open("a", newline="") as file:
            csv.DictWriter(file, self.form.columns).writerow(line)
        self._start_over()
        return line

    def _start_over(self) -> None:
        self._steps: list[Tensor] = []
        self._count, self._started = 0, time.monotonic()
