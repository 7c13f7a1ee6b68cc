"""A checkpoint in the original authors' format whose weights a seed decides, the same on every machine."""

import enum
import sys
import types
import zlib
from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch

from cocola_metric.checkpoints import efficientnet_names, original
from cocola_metric.encoder.front_end_modules import FrontEndModule
from cocola_metric.encoder.model import CocolaModel, EncoderConfig

FEATURE_SCALE = 0.05  # features are tens of decibels; activations are to be about one


def original_names() -> dict[str, str]:
    """Our name -> the original's, of every parameter that the original has."""
    prefix = "encoder.encoder.model.0."
    layers = [f"_blocks.{block}.{layer}" for block in range(16) for layer in efficientnet_names.BLOCK] + list(
        efficientnet_names.OUTSIDE_BLOCKS
    )
    kinds = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    heads = ["encoder.projection.weight", "encoder.projection.bias", "layer_norm.weight", "layer_norm.bias"]
    names = ["similarity.w", *heads, *(f"{prefix}{layer}.{kind}" for layer in layers for kind in kinds)]
    return {original.rename(name): name for name in names if original.rename(name)}


def original_state(model: CocolaModel) -> dict[str, torch.Tensor]:
    """A model's tensors as the original code names them."""
    names = original_names()
    state = OrderedDict((names[key], tensor) for key, tensor in model.state_dict().items())
    if model.config.front_end == "mel":
        front_end = FrontEndModule("mel")
        state["encoder.encoder.processor.0.spectrogram.window"] = front_end.window
        state["encoder.encoder.processor.0.mel_scale.fb"] = front_end.filterbank.T.clone()
    return state


def seeded_state(kind: str) -> dict[str, torch.Tensor]:
    """Tensors of the front end `kind`, by the original's names: each is drawn from a seed that is its name's checksum.

    Scaled so that every part matters: activations neither die out nor saturate, and scores of two clips differ by tens.
    """
    state = original_state(CocolaModel(EncoderConfig(front_end=kind)))
    return OrderedDict((name, seeded(name, tensor)) for name, tensor in state.items())


def seeded(name: str, like: torch.Tensor, *, is_gain: bool | None = None) -> torch.Tensor:
    """Draw a tensor from its name: gains lie around one, other vectors around zero, matrices keep the variance."""
    if ".processor." in name or name.endswith("num_batches_tracked"):
        return like
    if is_gain is None:
        is_gain = ("norm" in name or "_bn" in name) and name.endswith("weight")
    draws = np.random.RandomState(zlib.crc32(name.encode()))  # a stream that NumPy has promised not to change
    values = draws.standard_normal(tuple(like.shape))
    if name == "similarity.w":
        values *= 0.05
    elif name.endswith("running_var"):
        values = np.exp(0.2 * values)
    elif like.ndim == 1:
        values = 0.1 * values + is_gain
    else:
        values *= np.sqrt(2 / np.prod(like.shape[1:])) * (FEATURE_SCALE if "_conv_stem" in name else 1)
    return torch.from_numpy(values.astype(np.float32))


def write_checkpoint(path: Path, kind: str, state: dict[str, torch.Tensor], **hyper_parameters: object) -> Path:
    """Write a file as the authors' trainer does, with pickled enumerations of a package that its reader has not."""
    module = types.ModuleType("contrastive_model.constants")
    mode = enum.Enum("EmbeddingMode", {"RANDOM": "random"}, module=module.__name__)
    module.EmbeddingMode = mode
    sys.modules.update({"contrastive_model": types.ModuleType("contrastive_model"), module.__name__: module})
    content = {
        "epoch": 1,
        "pytorch-lightning_version": "2.2.0",
        "state_dict": state,
        "optimizer_states": [{"state": {0: {"exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 1e-3}]}],
        "hyper_parameters": {"dropout_p": 0.1} | ({} if kind == "mel" else {"embedding_mode": mode.RANDOM}),
    }
    content["hyper_parameters"] |= hyper_parameters
    torch.save(content, path)
    for name in ("contrastive_model", module.__name__):
        del sys.modules[name]
    return path
