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

_FOLDER_FILES = {CONFIG_FILE, WEIGHTS_FILE, GRAPH_FILE, "README.md"}  # files of a folder that may be replaced
_HEAD = {
    "encoder.projection": "encoder.projection",
    "layer_norm": "encoder.layer_norm",
    "similarity.w": "similarity.weight",
}
_BACKBONE_PREFIX = "encoder.encoder.model.0."
_FRONT_END_PREFIX = "encoder.encoder.processor.0."  # constants in the 2024-04 mel models; ours are computed
_CONSTANTS_TOLERANCE = 1e-6  # of the Hann window and the mel filters, between versions of torchaudio
_FLOATS = (torch.float32, torch.float16, torch.bfloat16)  # those that float32 holds without rounding
_safe_globals_lock = threading.Lock()  # torch keeps one list for the whole process


class _StandIn:
    """An inert class in place of every class that the file's pickle names."""

    __slots__ = ()

    def __init__(self, *_: object) -> None: ...

    def __setstate__(self, _: object) -> None: ...


def read_original(path: Path) -> tuple[EncoderConfig, dict[str, Tensor]]:
    """Read a checkpoint of the original code, or its bare ``state_dict``. Return configuration and renamed weights.

    The keys tell the released format. The mel models of 2024-04 hold the constants of their front end; the later
    two-channel models (COCOLA_HP_v1) do not. PHALAR and the COCOLA of 2026 have other parameters (`original_2026`), and
    their hyper-parameters are compared with the released ones. Optimiser state is ignored.

    Nothing in the file is executed. torch's restricted unpickler reads it, and an inert stand-in replaces every class
    that it names, even those that the program has declared safe for its own files.

    Raises:
        CheckpointError: the file is damaged, or is not a COCOLA checkpoint; the message lists the problems. Missing and
            mis-shaped tensors are found when the model is built (`load`).
    """
    try:
        with no_safe_globals_but(path):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except CheckpointError:
        raise
    except Exception as error:  # torch raises many types here, which mean the same to the user
        raise CheckpointError(
            f"{path}: not a readable PyTorch checkpoint ({type(error).__name__}); fetch it again"
        ) from error
    state = content.get("state_dict", content) if isinstance(content, dict) else None
    if not isinstance(state, dict) or not {"similarity.w", PHALAR_KEY} & state.keys():
        raise CheckpointError(
            f"{path}: holds no COCOLA model (no tensor named 'similarity.w'); pass a file of the original authors"
        )
    state = {str(key): value for key, value in state.items()}
    problems = [f"{key} {problem}" for key, value in state.items() if (problem := _unfit(value))]
    config, weights = EncoderConfig(), dict[str, Tensor]()
    if not problems:
        read = partial(read_2026, hyper_parameters=_hyper_parameters(content)) if is_of_2026(state) else _read_2024
        config, weights, problems = read(state)
    if problems:
        raise CheckpointError(
            f"{path}: not a released COCOLA model: {list_problems(problems)}; pass one of the authors' released files"
        )
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
    """Return the plain values among a file's hyper-parameters; values of classes are left out."""
    values = content.get("hyper_parameters")
    if not isinstance(values, dict):
        return {}
    return {str(name): value for name, value in values.items() if isinstance(value, str | int | float | bool | None)}


def rename(key: str) -> str:
    """Return our name of an original parameter, or "" if no original model has it.

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
    """Yield an empty folder that becomes ``folder`` when the block ends. If the block fails, nothing is changed.

    Args:
        folder: folder to write.
        replace: permission to replace an existing folder that holds nothing but a checkpoint.

    Raises:
        UsageError: the folder exists and may not be replaced, or it cannot be written.
    """
    target = folder.resolve()
    if target.exists():
        if not replace:
            raise UsageError(f"{folder} exists; pass another name, or --force to replace it")
        if not target.is_dir() or {entry.name for entry in target.iterdir()} - _FOLDER_FILES:
            raise UsageError(
                f"{folder} is not a checkpoint folder, and --force replaces nothing else; pass another name"
            )
    unique = uuid.uuid4().hex[:8]
    new, old = (target.parent / f".{target.name}.{unique}.{suffix}" for suffix in ("partial", "old"))
    try:
        new.mkdir(parents=True)
        yield new
        if target.exists():
            target.rename(old)
        new.rename(target)
    except OSError as error:
        raise UsageError(f"{folder} cannot be written ({error}); check the permission and the disk") from error
    finally:
        if old.exists() and not target.exists():
            old.rename(target)
        for left in (new, old):
            shutil.rmtree(left, ignore_errors=True)


@contextmanager
def no_safe_globals_but(path: Path) -> Iterator[None]:
    """Let the restricted unpickler use stand-ins for the classes named in a file, and no real class.

    Raises:
        CheckpointError: the file would take memory or time out of proportion to its size.
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
    """Return an entry of torch's list of safe classes as a tuple: it is a class, or a class and its name."""
    return entry if isinstance(entry, tuple) else (entry,)


def _unfit(value: object) -> str:
    """Return the reason why a value cannot become a float32 tensor; "" if it can."""
    if not isinstance(value, Tensor):
        return f"is not a tensor ({type(value).__name__})"
    if value.layout != torch.strided or value.device.type != "cpu" or value.is_quantized:
        return "is not a plain tensor"
    if value.dtype not in (*_FLOATS, torch.int64):
        return f"is {value.dtype}, which float32 cannot hold exactly".replace("torch.", "")
    return ""


def _other_constants(constants: Mapping[str, Tensor]) -> list[str]:
    """List the front-end constants of a file that differ from those of our mel front end."""
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
