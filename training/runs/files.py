"""What a training run leaves beside checkpoint and log: its settings, and weights as safetensors."""

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from cocola_metric.whole_files import make_folder, write_text_whole, written_whole

SETTINGS_FILE = "training.json"


def note_settings(out: Path, settings: Mapping[str, object]) -> None:
    """Create the folder of a run, and write ``training.json``, the resolved configuration, into it."""
    make_folder(out)
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
    make_folder(path.parent)
    with written_whole(path) as unfinished:
        save_file(kept, unfinished, metadata)
