"""The settings of guidance, as a generator's specification names them: "msdm:DIR,guide=embedded,guide_weight=2"."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cocola_metric.errors import UsageError

from .shares import SHARES

PREFIX = "guide"


@dataclass(frozen=True)
class Guidance:
    """How a generator is guided: what it draws is as likely as before, times exp(weight * score).

    Attributes:
        encoder: encoder whose score guides, as for ``checkpoints.load``. Answers have to be judged by another one.
        weight: weight of the score.
        schedule: share of the weight that counts at each noise level, key of `SHARES`.
        limit: largest norm of what guidance adds to a step's noise, relative to that noise.
    """

    encoder: str
    weight: float = 1.0
    schedule: str = "constant"
    limit: float = 0.3

    def __post_init__(self) -> None:
        if not self.encoder:
            raise UsageError("guide must name an encoder: embedded, a folder or a file of weights; got nothing")
        if self.schedule not in SHARES:
            raise UsageError(f"guide_schedule must be one of {', '.join(SHARES)}; got {self.schedule!r}")
        if not (0 <= self.weight < math.inf and 0 < self.limit < math.inf):
            raise UsageError(
                f"guide_weight must be 0 or more, guide_limit above 0; got {self.weight:g} and {self.limit:g}"
            )


def split_guidance(texts: Sequence[str], generator: str) -> tuple[Guidance | None, list[str]]:
    """Take the settings of guidance out of those of a generator.

    Args:
        texts: settings, as "name=value": guide, guide_weight, guide_schedule, guide_limit, and others.
        generator: name of the generator, for messages.

    Returns:
        Guidance, or None where no guide is named; the other settings.

    Raises:
        UsageError: a setting of guidance is unknown or out of range, or there is one without a guide.
    """
    mine = [text for text in texts if text.split("=")[0].split("_")[0] == PREFIX]
    values = {name: value for name, _, value in (text.partition("=") for text in mine)}
    names = {PREFIX: "encoder"} | {f"{PREFIX}_{name}": name for name in ("weight", "schedule", "limit")}
    unknown = [name for name in values if name not in names]
    if unknown or len(values) < len(mine):
        raise UsageError(
            f"{generator}: guidance is set by {', '.join(f'{name}=…' for name in names)}, each once; got "
            f"{', '.join(map(repr, mine))}"
        )
    if values and PREFIX not in values:
        raise UsageError(f"{generator}: {next(iter(values))} needs a guide; write guide=embedded")
    rest = [text for text in texts if text not in mine]
    return (_guidance({names[name]: value for name, value in values.items()}, generator) if values else None), rest


def _guidance(values: dict[str, str], generator: str) -> Guidance:
    changes: dict[str, Any] = dict(values)
    for name in ("weight", "limit"):
        if name in values:
            try:
                changes[name] = float(values[name])
            except ValueError:
                raise UsageError(
                    f"{generator}: {PREFIX}_{name} must be a number; got {values[name]!r}; write {PREFIX}_{name}=1"
                ) from None
    return Guidance(**changes)
