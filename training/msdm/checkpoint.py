"""Weights of MSDM: the released Lightning files, read without executing a pickle, and folders of our own."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TypeVar

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from cocola_metric.checkpoints import CONFIG_FILE, WEIGHTS_FILE, list_problems, no_safe_globals_but, refuse_mismatch
from cocola_metric.errors import CheckpointError, UsageError
from cocola_metric.identity import file_sha256
from cocola_metric.whole_files import write_text_whole

from ..runs import save_tensors
from .network import MSDM, MSDMConfig
from .unet import UNetConfig

_Config = TypeVar("_Config")
COPIES = ("model.unet.", "model.diffusion.net.")
"""Prefixes of names in the released files, which hold the same network twice."""


def load_msdm(path: Path, released: MSDMConfig | None = None) -> MSDM:
    """Load a model: a released Lightning file, or a folder written by `save_msdm`.

    Args:
        path: path of the file or folder.
        released: configuration of a Lightning file, which does not hold its own; None stands for the published model.

    Raises:
        CheckpointError: there is no model, or it is damaged or another network.
    """
    if path.is_dir():
        config, weights = read_config(path / CONFIG_FILE, MSDMConfig), read_safetensors(path / WEIGHTS_FILE)
    elif path.is_file():
        config, weights = released or MSDMConfig(), read_lightning(path)
    else:
        raise CheckpointError(
            f"{path}: no such file or folder; pass MSDM's .ckpt for generation (glorious-star-335), "
            f"or a folder with {CONFIG_FILE} and {WEIGHTS_FILE}"
        )
    with torch.device("meta"):
        model = MSDM(config)
    refuse_mismatch(model.unet.state_dict(), weights.items(), f"{path}: another network than expected")
    model.unet.load_state_dict(weights, assign=True)
    return model.eval()


def msdm_sha256(path: Path) -> str:
    """Return the SHA-256 of the file that holds the weights."""
    return file_sha256(path / WEIGHTS_FILE if path.is_dir() else path)


def save_msdm(model: MSDM, folder: Path, *, dtype: torch.dtype | None = None) -> None:
    """Write a model as a folder of ``config.json`` and ``model.safetensors``, in another type if one is given."""
    save_tensors(folder / WEIGHTS_FILE, model.unet.state_dict(), dtype=dtype)
    write_text_whole(folder / CONFIG_FILE, json.dumps(asdict(model.config), indent=2) + "\n")


def read_lightning(path: Path) -> dict[str, Tensor]:
    """Read the U-Net of a Lightning file, or of its bare ``state_dict``: float32, under the names of `UNet`.

    Hyper-parameters are ignored, and with them the pickled objects of the training program. Nothing in the file is
    executed: every class that it names is replaced by an inert stand-in.

    Raises:
        CheckpointError: the file is damaged, holds another network, or its two copies of the network differ.
    """
    try:
        with no_safe_globals_but(path):
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:  # torch raises many kinds here, all of them meaning the same to the reader
        raise CheckpointError(
            f"{path}: damaged, or with objects that cannot be skipped ({type(error).__name__}); "
            "copy it again, or save its state_dict alone where it was made"
        ) from error
    state = content.get("state_dict", content) if isinstance(content, dict) else None
    if not isinstance(state, dict) or not state:
        raise CheckpointError(f"{path}: no Lightning checkpoint (no state_dict); pass MSDM's released .ckpt")
    copies = [_below(prefix, state) for prefix in COPIES]
    strange = [str(key) for key in state if not str(key).startswith(COPIES)]
    strange += [key for copy in copies for key, value in copy.items() if not _is_weight(value)]
    if strange:
        raise CheckpointError(f"{path}: not MSDM, unexpected {list_problems(strange)}")
    first, second = (copy or copies[0] or copies[1] for copy in copies)
    different = sorted(key for key in first.keys() | second.keys() if not _same(first.get(key), second.get(key)))
    if different:
        raise CheckpointError(f"{path}: {' and '.join(COPIES)} differ in {list_problems(different)}; download it again")
    return {key: value.float() for key, value in first.items()}


def _below(prefix: str, state: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(key)[len(prefix) :]: value for key, value in state.items() if str(key).startswith(prefix)}


def _is_weight(value: object) -> bool:
    return isinstance(value, Tensor) and value.layout == torch.strided and value.is_floating_point()


def _same(one: Tensor | None, other: Tensor | None) -> bool:
    if one is None or other is None or one.shape != other.shape:
        return False
    return one.data_ptr() == other.data_ptr() or torch.equal(one, other)


def read_safetensors(file: Path) -> dict[str, Tensor]:
    """Read tensors as float32.

    Raises:
        CheckpointError: the file is missing or damaged.
    """
    try:
        return {key: value.float() for key, value in safetensors.torch.load_file(file).items()}
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{file}: missing or damaged ({error}); copy it again") from error


def read_config(file: Path, kind: type[_Config]) -> _Config:
    """Read the configuration of a model with a U-Net, such as `MSDMConfig`.

    Raises:
        CheckpointError: the file is missing, damaged, or of another model.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        unet = UNetConfig(**_tuples(content.pop("unet"), UNetConfig))
        make: Callable[..., _Config] = kind
        return make(**_tuples(content, kind), unet=unet)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        name = kind.__name__.removesuffix("Config")
        raise CheckpointError(
            f"{file}: no configuration of {name} ({type(error).__name__}: {error}); copy the folder again"
        ) from error
    except UsageError as error:
        raise CheckpointError(f"{file}: {error}") from error


def _tuples(content: Mapping[str, Any], kind: type) -> dict[str, Any]:
    """Return the fields of a configuration, with lists as tuples."""
    known = {field.name for field in fields(kind)}
    if unknown := content.keys() - known:
        raise ValueError(f"unknown {', '.join(sorted(unknown))}")
    return {key: tuple(value) if isinstance(value, list) else value for key, value in content.items()}
