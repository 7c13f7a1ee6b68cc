"""Where encoder weights come from and how they are kept: config.json beside model.safetensors, loaded strictly."""

import dataclasses
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from .errors import CheckpointError
from .model import CocolaModel, EncoderConfig

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
EMBEDDED_FOLDER = Path(__file__).parent / "weights"


@dataclass(frozen=True)
class Checkpoint:
    """A released encoder: where its weights are, and what they were trained on."""

    training_data: str
    front_end: str
    folder: Path | None = None  # None: not on this disk; `remedy` says how to get it
    remedy: str = ""


_ORIGINAL_REMEDY = (
    "the authors publish it on a file-sharing site (linked in github.com/gladia-research-group/cocola) and not on the "
    "Hub: download the .ckpt file and pass its path instead of the name"
)
CHECKPOINTS: dict[str, Checkpoint] = {
    "embedded": Checkpoint("rendered music, see the model card", "hps", folder=EMBEDDED_FOLDER),
    "all": Checkpoint("MoisesDB, Slakh2100, CocoChorales (random ensembles)", "mel", remedy=_ORIGINAL_REMEDY),
    "cocochorales": Checkpoint("CocoChorales, all ensembles", "mel", remedy=_ORIGINAL_REMEDY),
    "hp_v1": Checkpoint("as stated by its authors", "hps", remedy=_ORIGINAL_REMEDY),
}


@dataclass(frozen=True)
class LoadedCheckpoint:
    """A model in evaluation mode and the identity of its weights."""

    name: str
    model: CocolaModel
    sha256: str


def load(name: str | os.PathLike[str]) -> LoadedCheckpoint:
    """Load an encoder by known name, from a folder of ours, or from a ``.ckpt`` file of the original authors.

    Raises:
        CheckpointError: unknown name, missing or damaged file, or tensors that do not match the configuration.
    """
    path = Path(name)
    if path.is_file():
        from .convert import read_original

        return _build(path.name, *read_original(path), path)
    if path.is_dir():
        return _load_folder(path.name, path)
    known = CHECKPOINTS.get(str(name))
    if known is None:
        raise CheckpointError(
            f"{name}: neither a file, a folder nor a known name ({', '.join(CHECKPOINTS)}); loading from the Hugging "
            "Face Hub is not there yet: download the repository and pass its folder"
        )
    if known.folder is None:
        raise CheckpointError(f"{name}: {known.remedy}")
    return _load_folder(str(name), known.folder)


def save(model: CocolaModel, folder: Path, *, dtype: torch.dtype = torch.float32) -> None:
    """Write ``config.json`` and ``model.safetensors``, whole or not at all; ``torch.float16`` halves the size."""
    folder.mkdir(parents=True, exist_ok=True)
    state = {key: _stored(tensor, dtype) for key, tensor in model.state_dict().items()}
    temporary = folder / f".{WEIGHTS_FILE}.partial"
    safetensors.torch.save_file(state, temporary)
    (folder / CONFIG_FILE).write_text(json.dumps(dataclasses.asdict(model.config), indent=2) + "\n")
    temporary.replace(folder / WEIGHTS_FILE)


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _load_folder(name: str, folder: Path) -> LoadedCheckpoint:
    weights = folder / WEIGHTS_FILE
    for file in (folder / CONFIG_FILE, weights):
        if not file.is_file():
            raise CheckpointError(f"{folder}: no {file.name}; a checkpoint folder holds {CONFIG_FILE}, {WEIGHTS_FILE}")
    try:
        state = safetensors.torch.load_file(weights)
    except safetensors.SafetensorError as error:
        raise CheckpointError(f"{weights}: damaged or not a safetensors file ({error}); fetch it again") from error
    return _build(name, _read_config(folder / CONFIG_FILE), state, weights)


def _read_config(file: Path) -> EncoderConfig:
    try:
        values: dict[str, Any] = json.loads(file.read_text())
        return EncoderConfig(**values)
    except (json.JSONDecodeError, TypeError) as error:
        raise CheckpointError(f"{file}: not an encoder configuration of this version ({error})") from error


def _build(name: str, config: EncoderConfig, state: dict[str, Tensor], weights: Path) -> LoadedCheckpoint:
    model = CocolaModel(config)
    expected = model.state_dict()
    problems = [f"missing {key}" for key in expected if key not in state]
    problems += [f"unexpected {key}" for key in state if key not in expected]
    problems += [
        f"{key} is {tuple(state[key].shape)}, not {tuple(tensor.shape)}"
        for key, tensor in expected.items()
        if key in state and state[key].shape != tensor.shape
    ]
    if problems:
        shown = "; ".join(problems[:5]) + (f"; and {len(problems) - 5} more" if len(problems) > 5 else "")
        raise CheckpointError(f"{weights}: weights do not match their configuration: {shown}")
    model.load_state_dict(state)
    return LoadedCheckpoint(name, model.eval(), file_sha256(weights))


def _stored(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    return tensor.detach().to("cpu", dtype if tensor.is_floating_point() else None).contiguous()
