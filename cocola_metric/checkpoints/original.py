"""The original authors' Lightning files, read without executing a pickle and renamed to our parameter names."""

import re
import shutil
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from ..encoder import FRONT_ENDS, EncoderConfig
from ..errors import CheckpointError, UsageError
from .known import CONFIG_FILE, WEIGHTS_FILE
from .mismatch import list_problems

_FOLDER_FILES = {CONFIG_FILE, WEIGHTS_FILE, "README.md"}  # what a folder that may be replaced consists of
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
_FRONT_END_PREFIX = "encoder.encoder.processor.0."  # constants that the 2024-04 mel models carry; ours are computed
_CONSTANTS_TOLERANCE = 1e-5  # of the Hann window and the mel filters, between versions of torchaudio and powers of 10
_FLOATS = (torch.float32, torch.float16, torch.bfloat16)  # those that float32 holds without rounding
_safe_globals_lock = threading.Lock()  # torch keeps one list for the whole process


class _StandIn:
    """Takes the place of any class that the file's pickle names; keeps nothing and does nothing."""

    __slots__ = ()

    def __init__(self, *_: object) -> None: ...

    def __setstate__(self, _: object) -> None: ...


def read_original(path: Path) -> tuple[EncoderConfig, dict[str, Tensor]]:
    """Read a checkpoint of the original code, or its bare ``state_dict``: configuration, and weights under our names.

    The keys tell which of the two released formats it is: the mel models of 2024-04 carry the constants of their front
    end, the later two-channel models (COCOLA_HP_v1) do not. Optimiser state and hyper-parameters are not looked at.

    Nothing in the file is ever executed: torch's restricted unpickler reads it, every class it names is replaced by an
    inert stand-in, and what the program has declared safe for files of its own is not safe here.

    Raises:
        CheckpointError: the file is damaged, or is not a COCOLA checkpoint; the message lists what is wrong with it.
            Missing and mis-shaped tensors are found when the model is built (`hub.load`).
    """
    try:
        with no_safe_globals_but(path):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds here, all of them meaning the same to the reader
        raise CheckpointError(f"{path}: not a readable PyTorch checkpoint ({type(error).__name__})") from error
    state = content.get("state_dict", content) if isinstance(content, dict) else None
    if not isinstance(state, dict) or "similarity.w" not in state:
        raise CheckpointError(f"{path}: holds no COCOLA model (no tensor named 'similarity.w')")
    state = {str(key): value for key, value in state.items()}
    constants = {key: state[key] for key in state if key.startswith(_FRONT_END_PREFIX)}
    weights = {key: state[key] for key in state if key not in constants}
    problems = [f"{key} {problem}" for key, value in state.items() if (problem := _unfit(value))]
    problems = problems or _other_constants(constants) or [f"unexpected {key}" for key in weights if not rename(key)]
    if problems:
        raise CheckpointError(f"{path}: not a released COCOLA model: {list_problems(problems)}")
    return EncoderConfig(front_end="mel" if constants else "hps"), {rename(key): weights[key] for key in weights}


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
    block = re.fullmatch(re.escape(_BACKBONE_PREFIX) + r"_blocks\.(0|[1-9][0-9]?)\.(\w+)(\.\w+)", key)
    if block and int(block[1]) < sum(_STAGE_LENGTHS):
        stage, index = _stage(int(block[1]))
        layer = (_FIRST_BLOCK if stage == 0 else _BLOCK).get(block[2])
        return f"encoder.backbone.blocks.{stage}.{index}.{layer}{block[3]}" if layer else ""
    outside = re.fullmatch(re.escape(_BACKBONE_PREFIX) + r"(\w+)(\.\w+)", key)
    layer = _OUTSIDE_BLOCKS.get(outside[1]) if outside else None
    return f"encoder.backbone.{layer}{outside[2]}" if outside and layer else ""


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
    """Let the restricted unpickler take stand-ins for the classes named in a file, and no class of anybody's."""
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
    computed = {key: torch.from_numpy(values) for key, values in FRONT_ENDS["mel"].constants().items()}
    ours = {"spectrogram.window": computed["window"], "mel_scale.fb": computed["filterbank"].T}
    problems = []
    for key, theirs in constants.items():
        constant = ours.get(key.removeprefix(_FRONT_END_PREFIX))
        if constant is None:
            problems.append(f"unexpected {key}")
        elif theirs.shape != constant.shape or not torch.allclose(theirs.float(), constant, atol=_CONSTANTS_TOLERANCE):
            problems.append(f"{key} belongs to another front end")
    return problems


def _stage(block: int) -> tuple[int, int]:
    """Return the stage of a block, and its number in it."""
    stage = 0
    while block >= _STAGE_LENGTHS[stage]:
        block -= _STAGE_LENGTHS[stage]
        stage += 1
    return stage, block
