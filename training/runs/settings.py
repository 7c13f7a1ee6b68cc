"""Reading settings: a TOML file of differences, and changes from the command line, into a frozen dataclass."""

import dataclasses
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from cocola_metric.errors import CocolaError, UsageError

_Settings = TypeVar("_Settings")


def read_settings(path: Path, changes: Sequence[str] = ()) -> dict[str, Any]:
    """Read a TOML file, and apply changes, ``table.key=value`` with the value in TOML.

    Raises:
        UsageError: the file is missing or no TOML, or a change cannot be read.
    """
    try:
        values: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot be read ({error}); pass a TOML file as those in training/configs") from error
    for change in changes:
        _apply(values, change)
    return values


def _apply(values: dict[str, Any], change: str) -> None:
    """Put one change into the settings: ``table.key=value``, the value in TOML."""
    key, _, value = change.partition("=")
    *tables, name = key.strip().split(".")
    try:
        parsed = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"--set {change}: {error}; write KEY=VALUE, texts in quotes") from error
    for table in tables:
        values = values.setdefault(table, {})
        if not isinstance(values, dict):
            raise UsageError(f"--set {change}: {table} must be a table of the file, and is a value; write KEY=VALUE")
    values[name] = parsed


def build_settings(kind: type[_Settings], values: dict[str, Any], path: Path) -> _Settings:
    """Return settings, a dataclass, from the content of a TOML file; lists become tuples.

    Raises:
        CocolaError: a key is no setting.
    """
    known = {entry.name for entry in dataclasses.fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(values) - known)
    if unknown:
        raise CocolaError(f"{path}: unknown setting {', '.join(unknown)}; known are {', '.join(sorted(known))}")
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})
