"""The original authors' Lightning files, read without executing a pickle and renamed to our parameter names."""

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from .errors import CheckpointError
from .model import EncoderConfig

_STAGE_LENGTHS = (1, 2, 2, 3, 3, 4, 1)  # blocks per stage of EfficientNet-B0
_FIRST_BLOCK = {  # the one block without an expansion
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn1",
    "_se_reduce": "se.conv_reduce",
    "_se_expand": "se.conv_expand",
    "_project_conv": "conv_pw",
    "_bn2": "bn2",
}
_BLOCK = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_se_reduce": "se.conv_reduce",
    "_se_expand": "se.conv_expand",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
_OUTSIDE_BLOCKS = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2"}
_HEAD = {
    "encoder.projection": "encoder.projection",
    "layer_norm": "encoder.layer_norm",
    "similarity.w": "similarity.weight",
}
_BACKBONE_PREFIX = "encoder.encoder.model.0."
_FRONT_END_PREFIX = "encoder.encoder.processor."  # constants of the 2024-04 mel models; ours are computed


class _Placeholder:
    """Stands for any class that the file's pickle names; keeps nothing and does nothing."""

    def __init__(self, *_: object) -> None: ...

    def __setstate__(self, _: object) -> None: ...


def read_original(path: Path) -> tuple[EncoderConfig, dict[str, Tensor]]:
    """Read a checkpoint of the original code: its configuration, and its weights under our names.

    Classes that the file pickles are replaced by inert stand-ins, so nothing in the file is ever executed.

    Raises:
        CheckpointError: the file is damaged, or is not a COCOLA checkpoint.
    """
    try:
        foreign = torch.serialization.get_unsafe_globals_in_checkpoint(path)
        with torch.serialization.safe_globals([(_Placeholder, name) for name in foreign]):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds here, all of them meaning the same to the reader
        raise CheckpointError(f"{path}: not a readable PyTorch checkpoint ({type(error).__name__})") from error
    state = content.get("state_dict", content) if isinstance(content, dict) else None
    if not isinstance(state, dict) or "similarity.w" not in state:
        raise CheckpointError(f"{path}: holds no COCOLA model (no tensor named 'similarity.w')")
    return convert_state(state)


def convert_state(state: Mapping[str, Tensor]) -> tuple[EncoderConfig, dict[str, Tensor]]:
    """Rename the original's parameters to ours; the number of input channels tells the front end."""
    renamed = {_rename(key): tensor for key, tensor in state.items() if not key.startswith(_FRONT_END_PREFIX)}
    stem = renamed.get("encoder.backbone.conv_stem.weight")
    if stem is None:
        raise CheckpointError("no COCOLA model: its first convolution is missing")
    return EncoderConfig(front_end="mel" if stem.shape[1] == 1 else "hps"), renamed


def _rename(key: str) -> str:
    for original, ours in _HEAD.items():
        if key.startswith(original):
            return ours + key[len(original) :]
    if not key.startswith(_BACKBONE_PREFIX):
        raise CheckpointError(f"no COCOLA model: unexpected tensor {key!r}")
    inside = key.removeprefix(_BACKBONE_PREFIX)
    block = re.fullmatch(r"_blocks\.(\d+)\.(\w+)(.*)", inside)
    if block:
        stage, index = _stage(int(block[1]))
        layers = _FIRST_BLOCK if stage == 0 else _BLOCK
        return f"encoder.backbone.blocks.{stage}.{index}.{layers.get(block[2], block[2])}{block[3]}"
    layer, _, rest = inside.partition(".")
    return f"encoder.backbone.{_OUTSIDE_BLOCKS.get(layer, layer)}.{rest}"


def _stage(block: int) -> tuple[int, int]:
    for stage, length in enumerate(_STAGE_LENGTHS):
        if block < length:
            return stage, block
        block -= length
    raise CheckpointError("no COCOLA model: more blocks than EfficientNet-B0 has")
