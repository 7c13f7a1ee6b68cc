"""Weights of the model behind GMSDI: a folder of ``config.json`` and ``model.safetensors``."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import torch

from cocola_metric.checkpoints import CONFIG_FILE, WEIGHTS_FILE, refuse_mismatch
from cocola_metric.errors import CheckpointError
from cocola_metric.identity import file_sha256
from cocola_metric.whole_files import write_text_whole

from ..msdm import read_config, read_safetensors
from ..runs import save_tensors
from .network import GMSDI, GMSDIConfig


def load_gmsdi(folder: Path) -> GMSDI:
    """Load a model that `save_gmsdi` wrote, in evaluation mode.

    Raises:
        CheckpointError: there is no model, or it is damaged or another network.
    """
    if not folder.is_dir():
        raise CheckpointError(f"{folder}: no such folder; pass one with {CONFIG_FILE} and {WEIGHTS_FILE}")
    config = read_config(folder / CONFIG_FILE, GMSDIConfig)
    weights = read_safetensors(folder / WEIGHTS_FILE)
    with torch.device("meta"):
        model = GMSDI(config)
    refuse_mismatch(model.state_dict(), weights.items(), f"{folder}: another network than expected")
    model.load_state_dict(weights, assign=True)
    return model.eval()


def gmsdi_sha256(folder: Path) -> str:
    """Return the SHA-256 of the file that holds the weights."""
    return file_sha256(folder / WEIGHTS_FILE)


def save_gmsdi(model: GMSDI, folder: Path, *, dtype: torch.dtype | None = None) -> None:
    """Write a model as a folder of ``config.json`` and ``model.safetensors``, in another type if one is given."""
    save_tensors(folder / WEIGHTS_FILE, model.state_dict(), dtype=dtype)
    write_text_whole(folder / CONFIG_FILE, json.dumps(asdict(model.config), indent=2) + "\n")


def load_weights_of(model: GMSDI, folder: Path) -> None:
    """Give a model the weights of another one of the same configuration; their powers may differ.

    Raises:
        CheckpointError: there is no model, or its configuration is another one.
    """
    other = load_gmsdi(folder)
    if replace(other.config, powers=()) != replace(model.config, powers=()):
        raise CheckpointError(f"{folder}: a model of other sizes, tags or rate; start from one of {model.config}")
    model.load_state_dict(other.state_dict())
