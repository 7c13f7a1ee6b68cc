"""Reading settings: a TOML file of differences, and changes from the command line, into a frozen dataclass."""

import dataclasses
import math
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from cocola_metric.errors import CocolaError, UsageError

_Settings = TypeVar("_Settings")
_CONFIGS = Path(__file__).parents[1] / "configs"
_KINDS = {bool: "true or false", int: "a whole number", float: "a finite number", str: "a text"}


def read_settings(path: Path, changes: Sequence[str] = ()) -> dict[str, Any]:
    """Read a TOML file, and apply changes, ``table.key=value`` with the value in TOML.

    Args:
        path: file to read, or name of a packed one, as for `find_config`.
        changes: settings in place of the file's.

    Raises:
        UsageError: the file is missing or no TOML, or a change cannot be read.
    """
    file = find_config(path)
    try:
        values: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot be read ({error}); pass a TOML file, or one of {_packed_names()}") from error
    for change in changes:
        _apply(values, change)
    return values


def find_config(path: Path) -> Path:
    """Return a file as it is; a name without a suffix that is no file is that of a configuration of this package.

    >>> find_config(Path("embedded")).name, find_config(Path("heads/wide")).name
    ('embedded.toml', 'wide.toml')
    """
    packed = _CONFIGS / f"{path}.toml"
    is_name = not path.suffix and not path.is_absolute() and ".." not in path.parts
    return packed if is_name and not path.is_file() and packed.is_file() else path


def _packed_names() -> str:
    files = sorted(_CONFIGS.rglob("*.toml"), key=lambda file: (len(file.parts), file))
    return ", ".join(file.relative_to(_CONFIGS).with_suffix("").as_posix() for file in files)


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


def pop_table(values: dict[str, Any], name: str, path: Path) -> dict[str, Any]:
    """Take a table out of the content of a TOML file; it is empty where the file has none.

    Raises:
        UsageError: it is a value.
    """
    table = values.pop(name, {})
    if not isinstance(table, dict):
        raise UsageError(f"{path}: {name} must be a table; got {table!r:.60}")
    return table


def build_settings(kind: type[_Settings], values: dict[str, Any], path: Path) -> _Settings:
    """Return settings, a dataclass, from the content of a TOML file; lists become tuples.

    Raises:
        CocolaError: a key is no setting, or a value is of another kind.
    """
    known = {entry.name for entry in dataclasses.fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(values) - known)
    if unknown:
        raise CocolaError(f"{path}: unknown setting {', '.join(unknown)}; known are {', '.join(sorted(known))}")
    hints = get_type_hints(kind)
    for name, value in values.items():
        if not _fits(value, hints[name]):
            raise UsageError(f"{path}: {name} must be {_named(hints[name])}; got {value!r:.60}")
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})


def _fits(value: Any, hint: Any) -> bool:
    """Tell whether a value is of the kind of a setting; of kinds that TOML has no word for, their class decides."""
    origin, inner = get_origin(hint) or hint, get_args(hint)
    if origin is tuple:
        if not isinstance(value, list | tuple):
            return False
        kinds = [inner[0]] * len(value) if inner[-1] is ... else inner
        return len(kinds) == len(value) and all(map(_fits, value, kinds))
    if origin is dict:
        return isinstance(value, dict) and all(_fits(entry, inner[1]) for entry in value.values())
    if origin is float:
        return type(value) in (int, float) and math.isfinite(value)
    if dataclasses.is_dataclass(origin):
        return isinstance(value, origin)  # type: ignore[arg-type]
    return type(value) is origin if origin in _KINDS else True


def _named(hint: Any) -> str:
    origin, inner = get_origin(hint) or hint, get_args(hint)
    if origin is tuple:
        count = "" if inner[-1] is ... else f"{len(inner)} times "
        return f"a list of {count}{_named(inner[0])}"
    if origin is dict:
        return f"a table, each entry {_named(inner[1])}"
    return _KINDS.get(origin, "a table")
