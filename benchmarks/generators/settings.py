"""Settings after the place of a generator's weights, as in "msdm:DIR,steps=64,resamples=4"."""

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any, TypeVar

from cocola_metric.errors import UsageError

_Settings = TypeVar("_Settings")


def with_settings(defaults: _Settings, texts: Sequence[str], generator: str) -> _Settings:
    """Return a frozen dataclass with some of its fields changed.

    Args:
        defaults: settings; a value must be of the type that the field has there.
        texts: changes, as "name=value".
        generator: name of the generator, for messages.

    Raises:
        UsageError: a setting is unknown, or a value is of another type or out of range.
    """
    kinds: dict[str, Any] = {field.name: type(getattr(defaults, field.name)) for field in fields(defaults)}  # type: ignore[arg-type]
    changes = {}
    for text in texts:
        name, _, value = text.partition("=")
        try:
            changes[name] = kinds[name](value)
        except (KeyError, ValueError):
            known = ", ".join(f"{name}=…" for name in kinds)
            raise UsageError(f"{generator}: a setting must be one of {known}; got {text!r}") from None
    return replace(defaults, **changes)  # type: ignore[type-var]
