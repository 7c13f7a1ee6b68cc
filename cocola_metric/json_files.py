"""Portable JSON: written without NaN, and read with limits and one clear error."""

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from .errors import CocolaError, UsageError

MOST_BYTES = 2**20
"""Default limit of the size of a file, such as a configuration."""


def json_text(value: Any, *, indent: int | None = None) -> str:
    """Return a value as JSON; NaN and infinity, which JSON lacks, become null.

    >>> json_text({"mean": float("nan"), "scores": (1.5, float("inf"))})
    '{"mean": null, "scores": [1.5, null]}'
    """
    return json.dumps(_finite(value), indent=indent, allow_nan=False)


def parsed_json(text: str | bytes) -> Any:
    """Return the value of a JSON text without NaN, infinity or deep nesting.

    Raises:
        ValueError: the text is not JSON of that kind.
    """
    try:
        return json.loads(text, parse_constant=_refuse_constant, parse_float=_finite_number)
    except RecursionError as error:
        raise ValueError("too deeply nested") from error


def read_json(
    file: str | os.PathLike[str],
    *,
    kind: type = dict,
    error: type[CocolaError] = UsageError,
    most_bytes: int = MOST_BYTES,
    remedy: str = "make it again",
) -> Any:
    """Read a JSON file that may be foreign or damaged.

    Args:
        file: path of the file.
        kind: type of the value.
        error: type of the raised error.
        most_bytes: largest size of the file, in bytes.
        remedy: way out, for the message.

    Raises:
        CocolaError: the file cannot be read, is too large, is not JSON or holds another type.
    """
    try:
        with Path(file).open("rb") as opened:
            content = opened.read(most_bytes + 1)
        if len(content) > most_bytes:
            raise ValueError(f"more than {most_bytes} bytes")
        value = parsed_json(content.decode("utf-8"))
        if not isinstance(value, kind):
            raise ValueError(f"a {type(value).__name__}, not a {kind.__name__}")
    except OSError as problem:
        raise error(f"{file}: cannot be read ({problem.strerror}); {remedy}") from problem
    except ValueError as problem:  # UnicodeDecodeError and JSONDecodeError among them
        raise error(f"{file}: damaged, or not the expected JSON ({problem}); {remedy}") from problem
    return value


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(entry) for key, entry in value.items()}
    return [_finite(entry) for entry in value] if isinstance(value, (list, tuple)) else value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"it holds {name}")


def _finite_number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text[:20]} is too large")
    return number
