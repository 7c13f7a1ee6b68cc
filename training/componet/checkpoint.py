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
    """What a file of weights held.

    Attributes:
        trained: the adapter alone, the attentions of the U-Net too, or more of the U-Net.
        adapter: tensors of the adapter.
        unet: tensors of the U-Net in the file. None in a Lightning file means that somebody removed them: whether they
            had been trained cannot be told.
        unet_changed: those of them that differ from the U-Net they were loaded into, and replaced its own.
    """

    trained: Trained
    adapter: int
    unet: int
    unet_changed: int


def load_weights(path: Path, componet: CompoNet) -> Loaded:
    """Load a released Lightning file, or a file of `save_weights`, into a CompoNet that stands on its base weights.

    The adapter is taken from the file, and so is what the file changed in the U-Net: the released Slakh2100 checkpoint
    trained its attentions, which the adapter alone would miss. Everything frozen is left as it is. A Lightning file is
    mapped into memory, not read into it, and nothing in it is executed.

    Args:
        path: ``.ckpt`` or ``.safetensors``.
        componet: on the base U-Net (`componet_pipeline.load_pipeline`), in any precision.

    Raises:
        CheckpointError: the file is damaged, is no CompoNet, or belongs to a U-Net of other widths.
    """
    with (_own_file if path.suffix == ".safetensors" else _lightning_file)(path) as (names, tensor):
        adapter = [name for name in names if name.startswith(_ADAPTER)]
        unet = [name for name in names if name.startswith(_UNET)]
        if not adapter:
            raise CheckpointError(f"{path}: holds no CompoNet (no tensor named '{_ADAPTER}...')")
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
    """Write the adapter, and what of the U-Net is selected for training, as safetensors; the base is not in it.

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
        raise CheckpointError(f"{path}: not a readable safetensors file ({error})") from error


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
        raise CheckpointError(f"{path}: holds no CompoNet (no state_dict)")
    yield [str(name) for name in state], state.__getitem__


def _trained(changed: Iterable[str]) -> Trained:
    names = list(changed)
    if not names:
        return "adapter"
    return "attentions" if all(is_attention(name) for name in names) else "unet"
