"""Randomness of a run: the state of the global generators, and a generator for each step."""

import random
from typing import Any

import numpy as np
import torch


def random_state(device: torch.device) -> dict[str, Any]:
    """Return the states as plain values and tensors, which a checkpoint can hold.

    Args:
        device: device of the run; the state of a GPU's generator is kept beside that of the CPU.
    """
    kind, keys, position, has_normal, normal = np.random.get_state(legacy=True)  # noqa: NPY002
    state = {
        "python": random.getstate(),
        "numpy": (kind, torch.from_numpy(np.asarray(keys).astype(np.int64)), position, has_normal, normal),
        "torch": torch.get_rng_state(),
    }
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    return state


def restore_random_state(state: dict[str, Any], device: torch.device) -> None:
    """Restore the states that `random_state` returned; a GPU without a stored state keeps its own."""
    random.setstate(state["python"])
    kind, keys, *rest = state["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), *rest))  # noqa: NPY002
    torch.set_rng_state(state["torch"])
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)


def step_generator(device: torch.device, seed: int, step: int, process: int = 0) -> torch.Generator:
    """Return the generator of a step; it is the same whether or not the run was interrupted before."""
    (state,) = np.random.SeedSequence([seed, step, process]).generate_state(1, np.uint64)
    return torch.Generator(device).manual_seed(int(state >> np.uint64(1)))
