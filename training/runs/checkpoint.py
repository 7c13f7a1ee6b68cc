"""The checkpoint of a training run: step, weights, optimiser, random state and settings, to go on from."""

import json
import logging
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cocola_metric.checkpoints import list_problems, tensor_problems
from cocola_metric.errors import CheckpointError, UsageError
from cocola_metric.whole_files import written_whole

from .random_state import random_state, restore_random_state

logger = logging.getLogger(__name__)

CHECKPOINT_FILE = "checkpoint.pt"
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
        with zipfile.ZipFile(path) as archive:  # torch does not look at its check sums
            if (part := archive.testzip()) is not None:
                raise ValueError(f"check sum of {part}")
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
