"""Trained weights of CompoNet: the authors' Lightning files, read without executing a pickle, and our own."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from cocola_metric.checkpoints import no_safe_globals_but, refuse_mismatch
from cocola_metric.errors import CheckpointError

from ..runs import save_tensors
from .network import CompoNet, is_attention

Trained = Literal["adapter", "attentions", "unet"]
METADATA = {"format": "pt", "model": "componet"}
_ADAPTER, _UNET = "controlnet.", "unet."


@dataclass(frozen=True)
class Loaded:
    """The content of a file of weights.

    Attributes:
        trained: trained part: the adapter alone, the attentions of the U-Net too, or more of the U-Net.
        adapter: number of the adapter's tensors.
        unet: number of the U-Net's tensors in the file. A Lightning file with 0 had them removed; whether they had been
            trained is unknown.
        unet_changed: number of those among them that differ from the U-Net they were loaded into, and replaced its own.
    """

    trained: Trained
    adapter: int
    unet: int
    unet_changed: int


def load_weights(path: Path, componet: CompoNet) -> Loaded:
    """Load a released Lightning file, or a file of `save_weights`, into a CompoNet that stands on its base weights.

    The adapter is taken from the file, and so are the tensors of the U-Net that differ: the released Slakh2100
    checkpoint also trained the attentions of the U-Net. All frozen weights stay as they are. A Lightning file is mapped
    into memory, not read into it, and nothing in it is executed.

    Args:
        path: file to read, ``.ckpt`` or ``.safetensors``.
        componet: model on the base U-Net (`pipeline.load_pipeline`), in any precision.

    Raises:
        CheckpointError: the file is damaged, holds no CompoNet, or belongs to a U-Net of other widths.
    """
    with (_own_file if path.suffix == ".safetensors" else _lightning_file)(path) as (names, tensor):
        adapter = [name for name in names if name.startswith(_ADAPTER)]
        unet = [name for name in names if name.startswith(_UNET)]
        if not adapter:
            raise CheckpointError(
                f"{path}: holds no CompoNet (no tensor named '{_ADAPTER}...'); pass a file of its weights"
            )
        ours = componet.state_dict()
        whole = path.suffix != ".safetensors" and bool(unet)  # our own files keep only what was trained
        expected = {name for name in ours if name.startswith(_ADAPTER) or (whole and name.startswith(_UNET))}
        found = ((name, tensor(name)) for name in (*adapter, *unet))
        refuse_mismatch(ours, found, f"{path}: does not fit this U-Net", optional=ours.keys() - expected)
        changed = [name for name in unet if not torch.equal(tensor(name).to(ours[name]), ours[name])]
        for name in (*adapter, *changed):
            ours[name].copy_(tensor(name))
    return Loaded(_trained(changed), len(adapter), len(unet), len(changed))


def save_weights(componet: CompoNet, path: Path, *, dtype: torch.dtype | None = None) -> None:
    """Write the adapter, and the trained weights of the U-Net, as safetensors; the base is left out.

    Args:
        componet: model whose weights are written.
        path: file to write, whole or not at all.
        dtype: type of the tensors in the file; None keeps each as it is.
    """
    trained = {name for name, parameter in componet.named_parameters() if parameter.requires_grad}
    state = componet.state_dict()
    kept = {name: state[name] for name in state if name.startswith(_ADAPTER) or name in trained}
    save_tensors(path, kept, dtype=dtype, metadata=METADATA)


_Opened = tuple[Iterable[str], Callable[[str], Tensor]]


@contextmanager
def _own_file(path: Path) -> Iterator[_Opened]:
    try:
        with safe_open(path, framework="pt") as file:
            yield list(file.keys()), file.get_tensor
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path}: not a readable safetensors file ({error}); copy it again") from error


@contextmanager
def _lightning_file(path: Path) -> Iterator[_Opened]:
    try:
        with no_safe_globals_but(path):
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:  # torch raises many kinds here, all of them meaning the same to the reader
        message = f"{path}: not a readable Lightning checkpoint ({type(error).__name__})"
        raise CheckpointError(f"{message}; if it is whole, save its 'state_dict' by itself with torch.save") from error
    state: Any = content.get("state_dict", content) if isinstance(content, Mapping) else None
    if not isinstance(state, Mapping):
        raise CheckpointError(f"{path}: holds no CompoNet (no state_dict); pass a file of its weights")
    yield [str(name) for name in state], state.__getitem__


def _trained(changed: Iterable[str]) -> Trained:
    names = list(changed)
    if not names:
        return "adapter"
    return "attentions" if all(is_attention(name) for name in names) else "unet"
