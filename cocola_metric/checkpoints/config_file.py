"""The configuration file of a checkpoint folder: read from strangers, and bound to the weights beside it."""

import dataclasses
import typing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import CheckpointError
from ..identity import file_sha256
from ..json_files import json_text, read_json
from ..whole_files import write_text_whole
from .known import CONFIG_FILE, WEIGHTS_FILE, WEIGHTS_KEY

if TYPE_CHECKING:  # it needs torch, which a graph does without
    from ..encoder import EncoderConfig

LARGEST_DIMENSION = 8192
"""Of anything that a configuration counts: sixteen times the paper's; a matrix of that side takes 256 MB."""
_REMEDY = "fetch or convert the checkpoint again"


def read_config(file: Path) -> "EncoderConfig":
    """Read the configuration of an encoder; nothing is built from values that no encoder of ours can have.

    Raises:
        CheckpointError: the file cannot be read, or is no configuration of this version.
    """
    from ..encoder import EncoderConfig

    values = read_json(file, error=CheckpointError, remedy=_REMEDY)
    values.pop(WEIGHTS_KEY, None)
    kinds = typing.get_type_hints(EncoderConfig)
    unknown = sorted(values.keys() - {field.name for field in dataclasses.fields(EncoderConfig)})
    if unknown:
        shown = ", ".join(ascii(name[:40]) for name in unknown[:5])
        raise CheckpointError(f"{file}: not an encoder configuration of this version: unknown {shown}; {_REMEDY}")
    for name, value in values.items():
        if problem := _problem(name, value, kinds[name]):
            raise CheckpointError(f"{file}: {name} is {_shown(value)}: {problem}; {_REMEDY}")
        if kinds[name] is float:
            values[name] = float(value)
    try:
        return EncoderConfig(**values)
    except (CheckpointError, TypeError, ValueError) as error:
        raise CheckpointError(f"{file}: {error}") from error


def write_config(config: "EncoderConfig", weights: Path) -> None:
    """Write the configuration beside a weights file, and bind it to that file.

    Raises:
        OutputError: it cannot be written.
    """
    values = dataclasses.asdict(config) | {WEIGHTS_KEY: file_sha256(weights)}
    write_text_whole(weights.with_name(CONFIG_FILE), json_text(values, indent=2) + "\n")


def refuse_other_weights(folder: Path) -> None:
    """See that the weights of a folder are those its configuration was written for, as far as it says.

    Raises:
        CheckpointError: they are not, as after a save that was interrupted.
    """
    expected = read_json(folder / CONFIG_FILE, error=CheckpointError, remedy=_REMEDY).get(WEIGHTS_KEY)
    if expected is not None and expected != file_sha256(folder / WEIGHTS_FILE):
        raise CheckpointError(
            f"{folder}: {CONFIG_FILE} was written for other weights than {WEIGHTS_FILE} holds: one of the two is of "
            f"another checkpoint; save, {_REMEDY}"
        )


def _problem(name: str, value: object, kind: Any) -> str:
    """Say why a value is none that a field of a type can have."""
    if kind is int:
        least = 1 if name.endswith("_dim") else 0
        fits = type(value) is int and least <= value <= LARGEST_DIMENSION
        return "" if fits else f"pass a whole number from {least} to {LARGEST_DIMENSION}"
    if kind is float:
        most = 0.99 if name.startswith("drop") else LARGEST_DIMENSION
        fits = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= most
        return "" if fits else f"pass a number from 0 to {most}"
    if kind in (str, bool):
        return "" if type(value) is kind else f"pass a {kind.__name__}"
    return ""  # of a kind that EncoderConfig checks itself


def _shown(value: object) -> str:
    text = ascii(value) if not isinstance(value, (dict, list)) else f"a {type(value).__name__}"
    return text if len(text) <= 60 else f"{text[:60]}…"
