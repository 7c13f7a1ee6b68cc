"""The configuration file of a checkpoint folder: strict reading, and the hash that binds it to its weights."""

import dataclasses
import typing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import CheckpointError
from ..identity import file_sha256
from ..json_files import json_text, read_json
from ..whole_files import write_text_whole
from .known import CONFIG_FILE, WEIGHTS_FILE, WEIGHTS_KEY

if TYPE_CHECKING:  # it needs torch, and a graph does not
    from ..encoder import EncoderConfig

LARGEST_DIMENSION = 8192
"""Largest number of a configuration: sixteen times the paper's embedding; a square matrix of it takes 256 MB."""
_REMEDY = "fetch or convert the checkpoint again"


def read_config(file: Path) -> "EncoderConfig":
    """Read the configuration of an encoder, and refuse values that no encoder of this version can have.

    Raises:
        CheckpointError: the file cannot be read, or is not a configuration of this version.
    """
    from ..encoder import EncoderConfig

    values = read_json(file, error=CheckpointError, remedy=_REMEDY)
    values.pop(WEIGHTS_KEY, None)
    kinds = typing.get_type_hints(EncoderConfig)
    unknown = sorted(values.keys() - {field.name for field in dataclasses.fields(EncoderConfig)})
    if unknown:
        shown = ", ".join(ascii(name[:40]) for name in unknown[:5])
        raise CheckpointError(
            f"{file}: not an encoder configuration of this version: unknown setting {shown}; {_REMEDY}"
        )
    for name, value in values.items():
        if problem := _problem(name, value, kinds[name]):
            raise CheckpointError(f"{file}: {name} must be {problem}; got {_shown(value)}; {_REMEDY}")
        if kinds[name] is float:
            values[name] = float(value)
    try:
        return EncoderConfig(**values)
    except (CheckpointError, TypeError, ValueError) as error:
        raise CheckpointError(f"{file}: {error}") from error


def write_config(config: "EncoderConfig", weights: Path) -> None:
    """Write the configuration beside a weights file, and bind it to that file.

    Raises:
        OutputError: the file cannot be written.
    """
    values = dataclasses.asdict(config) | {WEIGHTS_KEY: file_sha256(weights)}
    write_text_whole(weights.with_name(CONFIG_FILE), json_text(values, indent=2) + "\n")


def refuse_other_weights(folder: Path) -> None:
    """Check that a configuration was written for the weights beside it; configurations without a hash pass.

    Raises:
        CheckpointError: it was written for other weights, as after an interrupted save.
    """
    expected = read_json(folder / CONFIG_FILE, error=CheckpointError, remedy=_REMEDY).get(WEIGHTS_KEY)
    if expected is not None and expected != file_sha256(folder / WEIGHTS_FILE):
        raise CheckpointError(
            f"{folder}: {CONFIG_FILE} was written for other weights than those in {WEIGHTS_FILE}, so one of the two is "
            f"of another checkpoint; save, {_REMEDY}"
        )


def _problem(name: str, value: object, kind: Any) -> str:
    """Return the values that a field may have, for a message, if this value is not one of them; otherwise ""."""
    if kind is int:
        least = 1 if name.endswith("_dim") else 0
        fits = type(value) is int and least <= value <= LARGEST_DIMENSION
        return "" if fits else f"a whole number from {least} to {LARGEST_DIMENSION}"
    if kind is float:
        most = 0.99 if name.startswith("drop") else LARGEST_DIMENSION
        fits = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= most
        return "" if fits else f"a number from 0 to {most}"
    if kind in (str, bool):
        return "" if type(value) is kind else f"a {kind.__name__}"
    return ""  # EncoderConfig checks the other types itself


def _shown(value: object) -> str:
    text = ascii(value) if not isinstance(value, (dict, list)) else f"a {type(value).__name__}"
    return text if len(text) <= 60 else f"{text[:60]}…"
