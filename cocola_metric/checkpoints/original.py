"""The original authors' Lightning files, read without executing a pickle and renamed to our parameter names."""

import shutil
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..encoder import EncoderConfig, FrontEndModule
from ..errors import CheckpointError, UsageError
from .efficientnet_names import backbone_name
from .known import CONFIG_FILE, GRAPH_FILE, WEIGHTS_FILE
from .mismatch import list_problems
from .original_2026 import PHALAR_KEY, is_of_2026, read_2026
from .pickle_bounds import refuse_bombs

_FOLDER_FILES = {CONFIG_FILE, WEIGHTS_FILE, GRAPH_FILE, "README.md"}  # what a folder that may be replaced consists of
_HEAD = {
    "encoder.projection": "encoder.projection",
    "layer_norm": "encoder.layer_norm",
    "similarity.w": "similarity.weight",
}
_BACKBONE_PREFIX = "encoder.encoder.model.0."
_FRONT_END_PREFIX = "encoder.encoder.processor.0."  # constants that the 2024-04 mel models carry; ours are computed
_CONSTANTS_TOLERANCE = 1e-6  # of the Hann window and the mel filters, between versions of torchaudio
_FLOATS = (torch.float32, torch.float16, torch.bfloat16)  # those that float32 holds without rounding
_safe_globals_lock = threading.Lock()  # torch keeps one list for the whole process


class _StandIn:
    """Takes the place of any class that the file's pickle names; keeps nothing and does nothing."""

    __slots__ = ()

    def __init__(self, *_: object) -> None: ...

    def __setstate__(self, _: object) -> None: ...


def read_original(path: Path) -> tuple[EncoderConfig, dict[str, Tensor]]:
    """Read a checkpoint of the original code, or its bare ``state_dict``: configuration, and weights under our names.

    The keys tell which of the released formats it is: the mel models of 2024-04 carry the constants of their front
    end, the later two-channel models (COCOLA_HP_v1) do not; PHALAR and the COCOLA of 2026 have parameters of their own
    (`original_2026`), and their hyper-parameters are compared with the released ones. Optimiser state is not looked at.

    Nothing in the file is ever executed: torch's restricted unpickler reads it, every class it names is replaced by an
    inert stand-in, and what the program has declared safe for files of its own is not safe here.

    Raises:
        CheckpointError: the file is damaged, or is not a COCOLA checkpoint; the message lists what is wrong with it.
            Missing and mis-shaped tensors are found when the model is built (`hub.load`).
    """
    try:
        with no_safe_globals_but(path):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except CheckpointError:
        raise
    except Exception as error:  # torch raises many kinds here, all of them meaning the same to the reader
        raise CheckpointError(f"{path}: not a readable PyTorch checkpoint ({type(error).__name__})") from error
    state = content.get("state_dict", content) if isinstance(content, dict) else None
    if not isinstance(state, dict) or not {"similarity.w", PHALAR_KEY} & state.keys():
        raise CheckpointError(f"{path}: holds no COCOLA model (no tensor named 'similarity.w')")
    state = {str(key): value for key, value in state.items()}
    problems = [f"{key} {problem}" for key, value in state.items() if (problem := _unfit(value))]
    config, weights = EncoderConfig(), dict[str, Tensor]()
    if not problems:
        read = partial(read_2026, hyper_parameters=_hyper_parameters(content)) if is_of_2026(state) else _read_2024
        config, weights, problems = read(state)
    if problems:
        raise CheckpointError(f"{path}: not a released COCOLA model: {list_problems(problems)}")
    return config, weights


def _read_2024(state: Mapping[str, Tensor]) -> tuple[EncoderConfig, dict[str, Tensor], list[str]]:
    constants = {key: state[key] for key in state if key.startswith(_FRONT_END_PREFIX)}
    weights = {key: state[key] for key in state if key not in constants}
    problems = _other_constants(constants) or [f"unexpected {key}" for key in weights if not rename(key)]
    return (
        EncoderConfig(front_end="mel" if constants else "hps"),
        {rename(key): weights[key] for key in weights},
        problems,
    )


def _hyper_parameters(content: Mapping[str, object]) -> dict[str, Any]:
    """Return the plain values among a file's hyper-parameters; what its classes were is not known."""
    values = content.get("hyper_parameters")
    if not isinstance(values, dict):
        return {}
    return {str(name): value for name, value in values.items() if isinstance(value, str | int | float | bool | None)}


def rename(key: str) -> str:
    """Return our name of one of the original's parameters, or nothing if no original model has it.

    >>> rename("encoder.encoder.model.0._blocks.2._bn0.weight")
    'encoder.backbone.blocks.1.1.bn1.weight'
    >>> rename("decoder.weight")
    ''
    """
    for original, ours in _HEAD.items():
        if key == original or key.startswith(original + "."):
            return ours + key[len(original) :]
    return backbone_name(key.removeprefix(_BACKBONE_PREFIX)) if key.startswith(_BACKBONE_PREFIX) else ""


@contextmanager
def new_folder(folder: Path, *, replace: bool) -> Iterator[Path]:
    """Yield an empty folder that becomes ``folder`` when the block ends; if the block fails, nothing has changed.

    Args:
        folder: to be written.
        replace: an existing folder, if it holds nothing but a checkpoint.

    Raises:
        UsageError: it exists and may not be replaced, or it cannot be written.
    """
    target = folder.resolve()
    if target.exists():
        if not replace:
            raise UsageError(f"{folder} exists: pass another name, or --force to replace it")
        if not target.is_dir() or {entry.name for entry in target.iterdir()} - _FOLDER_FILES:
            raise UsageError(f"{folder} is no checkpoint folder: --force replaces nothing else; pass another name")
    unique = uuid.uuid4().hex[:8]
    new, old = (target.parent / f".{target.name}.{unique}.{suffix}" for suffix in ("partial", "old"))
    try:
        new.mkdir(parents=True)
        yield new
        if target.exists():
            target.rename(old)
        new.rename(target)
    except OSError as error:
        raise UsageError(f"{folder} cannot be written: {error}") from error
    finally:
        if old.exists() and not target.exists():
            old.rename(target)
        for left in (new, old):
            shutil.rmtree(left, ignore_errors=True)


@contextmanager
def no_safe_globals_but(path: Path) -> Iterator[None]:
    """Let the restricted unpickler take stand-ins for the classes named in a file, and no class of anybody's.

    Raises:
        CheckpointError: reading the file would take memory or time out of proportion to its size.
    """
    refuse_bombs(path)
    with _safe_globals_lock:
        declared = torch.serialization.get_safe_globals()
        torch.serialization.clear_safe_globals()
        try:
            named = torch.serialization.get_unsafe_globals_in_checkpoint(path)
            torch.serialization.add_safe_globals([(_StandIn, name) for name in named])
            yield
        finally:
            meanwhile = [entry for entry in torch.serialization.get_safe_globals() if _StandIn not in _parts(entry)]
            torch.serialization.clear_safe_globals()
            torch.serialization.add_safe_globals(declared + meanwhile)


def _parts(entry: object) -> tuple[object, ...]:
    """Return what is declared safe as a tuple: it may be a class, or a class and the name that it goes by."""
    return entry if isinstance(entry, tuple) else (entry,)


def _unfit(value: object) -> str:
    """Say why a value is no tensor that float32 weights can be made of; nothing if it is one."""
    if not isinstance(value, Tensor):
        return f"is no tensor ({type(value).__name__})"
    if value.layout != torch.strided or value.device.type != "cpu" or value.is_quantized:
        return "is no plain tensor"
    if value.dtype not in (*_FLOATS, torch.int64):
        return f"is {value.dtype}, which float32 cannot hold exactly".replace("torch.", "")
    return ""


def _other_constants(constants: Mapping[str, Tensor]) -> list[str]:
    """List the front end constants of a file that are not those of our mel front end."""
    computed = dict(FrontEndModule("mel").named_buffers())
    ours = {"spectrogram.window": computed["window"], "mel_scale.fb": computed["filterbank"].T}
    problems = []
    for key, theirs in constants.items():
        constant = ours.get(key.removeprefix(_FRONT_END_PREFIX))
        if constant is None:
            problems.append(f"unexpected {key}")
        elif theirs.shape != constant.shape or not torch.allclose(theirs.float(), constant, atol=_CONSTANTS_TOLERANCE):
            problems.append(f"{key} belongs to another front end")
    return problems
