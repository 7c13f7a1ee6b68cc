"""Loading and saving encoder weights: config.json beside model.safetensors, loaded strictly."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from filelock import FileLock
from torch import Tensor

from ..encoder import CocolaModel, EncoderConfig
from ..errors import CheckpointError, OutputError
from ..identity import file_sha256
from ..reading import drop_reference
from ..whole_files import make_folder, write_bytes_whole
from .config_file import read_config, refuse_other_weights, write_config
from .finding import Found, find, unreadable_named
from .graph_export import write_graph
from .known import CHECKPOINTS, CONFIG_FILE, EMBEDDED_FOLDER, WEIGHTS_FILE, Checkpoint, PublishedFile
from .mismatch import list_problems, refuse_mismatch

__all__ = [
    "CHECKPOINTS",
    "CONFIG_FILE",
    "EMBEDDED_FOLDER",
    "WEIGHTS_FILE",
    "Checkpoint",
    "LoadedCheckpoint",
    "file_sha256",
    "load",
    "save",
    "save_state",
]


_FETCH_AGAIN = "fetch it again, or use an earlier checkpoint of its training"


@dataclass(frozen=True)
class LoadedCheckpoint:
    """A model in evaluation mode, the identity of its weights, and the tensors as they were stored."""

    name: str
    model: CocolaModel
    sha256: str
    state: Mapping[str, Tensor]


def load(
    name: str | os.PathLike[str], *, revision: str | None = None, token: str | bool | None = None
) -> LoadedCheckpoint:
    """Load an encoder from a folder, a ``.ckpt`` file of the original authors, a known name or the Hub.

    Args:
        name: path, key of ``CHECKPOINTS`` or Hub repository "organisation/name". "embedded" is always the encoder that
            comes with this package; any other name is first looked for as a file or folder.
        revision: branch, tag or commit of a Hub repository.
        token: access token for private repositories, as for huggingface_hub; by default that of the user's login.

    Raises:
        CheckpointError: the name is unknown, a file is missing or damaged, tensors do not match the configuration, or
            the repository cannot be read.
    """
    found = find(name, revision=revision, token=token, check_config=read_config, convert=convert_published)
    return load_found(found)


@unreadable_named()
def load_found(found: Found) -> LoadedCheckpoint:
    """Load an encoder from its place on this disk.

    Raises:
        CheckpointError: a file is missing or damaged, or tensors do not match the configuration.
    """
    return _load_path(found.name, found.path)


def save(model: CocolaModel, folder: Path, *, dtype: torch.dtype = torch.float32) -> None:
    """Write ``config.json`` and ``model.safetensors``, whole or not at all; ``torch.float16`` halves the size.

    Raises:
        CheckpointError: the folder cannot be written.
    """
    save_state(model.config, model.state_dict(), folder, dtype=dtype)


def save_state(
    config: EncoderConfig, state: Mapping[str, Tensor], folder: Path, *, dtype: torch.dtype | None = None
) -> Path:
    """Write a configuration and its tensors, whole or not at all; return the weights file.

    Args:
        config: configuration of the model.
        state: tensors by name, as of ``CocolaModel.state_dict``.
        folder: folder to write; it is created if it is missing.
        dtype: type of the floating-point tensors in the file; None keeps the type of each.

    Raises:
        CheckpointError: the folder cannot be written.
    """
    content = safetensors.torch.save({key: _stored(tensor, dtype) for key, tensor in state.items()})
    weights = folder / WEIGHTS_FILE
    try:
        make_folder(folder)
        write_bytes_whole(weights, content)
        write_config(config, weights)  # if interrupted here, the old configuration names the old weights and is refused
        drop_reference(folder, file_sha256(weights))
    except OutputError as error:
        raise CheckpointError(str(error)) from error
    return weights


def convert_published(name: str, published: PublishedFile) -> Path:
    """Return the converted folder of a published file, and convert it first if needed."""
    from .download import cache_folder, fetch

    folder = cache_folder(published)
    converted = folder / "converted"
    if (converted / WEIGHTS_FILE).is_file() and (converted / CONFIG_FILE).is_file():
        return converted
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock")
        lock.acquire()
    except OSError as error:
        raise CheckpointError(f"{folder}: cannot be written ({error.strerror}); set XDG_CACHE_HOME") from error
    with lock:
        if not (converted / WEIGHTS_FILE).is_file():
            _convert(fetch(name, published), converted)
    return converted


def _convert(file: Path, folder: Path) -> None:
    """Convert an original file to a folder, and delete the file; if it was damaged, the next call fetches it again."""
    from .original import read_original

    try:
        config, state = read_original(file)
        refuse_mismatch(
            CocolaModel(config).state_dict(),
            state.items(),
            f"{file}: its tensors are not those of the released encoder",
        )
        save_state(config, state, folder)
        write_graph(config, folder)
    finally:
        file.unlink()


def _load_path(name: str, path: Path) -> LoadedCheckpoint:
    if path.is_file():
        from .original import read_original

        return _build(name, *read_original(path), path)
    weights = path / WEIGHTS_FILE
    for file in (path / CONFIG_FILE, weights):
        if not file.is_file():
            raise CheckpointError(
                f"{path}: no {file.name}; pass a checkpoint folder, which holds {CONFIG_FILE} and {WEIGHTS_FILE}"
            )
    config = read_config(path / CONFIG_FILE)
    try:
        state = safetensors.torch.load_file(weights)
    except (safetensors.SafetensorError, OSError, MemoryError) as error:
        raise CheckpointError(f"{weights}: damaged or not a safetensors file ({error}); fetch it again") from error
    checkpoint = _build(name, config, state, weights)
    refuse_other_weights(path)
    return checkpoint


def _build(name: str, config: EncoderConfig, state: dict[str, Tensor], weights: Path) -> LoadedCheckpoint:
    model = CocolaModel(config)
    refuse_mismatch(model.state_dict(), state.items(), f"{weights}: weights do not match their configuration")
    model.load_state_dict(state)
    unfit = [key for key, tensor in model.state_dict().items() if not torch.isfinite(tensor).all()]
    if unfit:
        raise CheckpointError(f"{weights}: NaN or infinite values in {list_problems(unfit)}; {_FETCH_AGAIN}")
    return LoadedCheckpoint(name, model.eval(), file_sha256(weights), state)


def _stored(tensor: Tensor, dtype: torch.dtype | None) -> Tensor:
    return tensor.detach().to("cpu", dtype if tensor.is_floating_point() else None).contiguous()
