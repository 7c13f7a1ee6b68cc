"""What a training run is made of: the paper's values are the defaults, a TOML file lists what differs."""

import dataclasses
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from cocola_metric.errors import CocolaError
from cocola_metric.model import EncoderConfig

_Settings = TypeVar("_Settings")


@dataclass(frozen=True)
class TrainingConfig:
    """A training run (sections 3.1, 4.2 and 4.3 of the paper).

    Attributes:
        encoder: the model to train.
        window: L, seconds.
        batch_size: K, windows per batch.
        max_overlap: r, the largest overlap of two windows of one track in a batch.
        noise: standard deviation of the Gaussian noise on every sub-mix.
        learning_rate: of Adam.
        similarity_learning_rate: of Adam, for the matrix W of the similarity; as the rest, in the paper.
        steps: optimiser steps.
        warmup_steps: steps over which the learning rate rises linearly; afterwards it falls as a cosine to zero.
            0 keeps it constant, as in the paper.
        pairs: number of pairs drawn and kept; they are gone through as often as the steps need.
        mode_shares: how often a pair is heard as both, harmonic and percussive (two-channel front end only).
        short_steps: the first steps hear only ``short_window`` of each window, drawn anew each step, and both channels:
            they cost less, and the encoder learns the same first things from them.
        short_window: seconds, with ``short_steps``.
        bfloat16: run the backbone in bfloat16.
        seed: of everything drawn.
    """

    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    window: float = 5.0
    batch_size: int = 32
    max_overlap: float = 0.5
    noise: float = 1e-3
    learning_rate: float = 1e-3
    similarity_learning_rate: float = 1e-3
    steps: int = 20_000
    warmup_steps: int = 0
    pairs: int = 100_000
    mode_shares: tuple[float, float, float] = (1 / 3, 1 / 3, 1 / 3)
    short_steps: int = 0
    short_window: float = 2.0
    bfloat16: bool = False
    seed: int = 0


def load_config(path: Path) -> TrainingConfig:
    """Read a TOML file of differences from the paper.

    Raises:
        CocolaError: a key that no setting has.
    """
    values: dict[str, Any] = tomllib.loads(path.read_text())
    encoder = _build(EncoderConfig, values.pop("encoder", {}), path)
    if "mode_shares" in values:
        values["mode_shares"] = tuple(values["mode_shares"])
    return _build(TrainingConfig, {**values, "encoder": encoder}, path)


def _build(kind: type[_Settings], values: dict[str, Any], path: Path) -> _Settings:
    known = {entry.name for entry in dataclasses.fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(values) - known)
    if unknown:
        raise CocolaError(f"{path}: unknown setting {', '.join(unknown)}; known are {', '.join(sorted(known))}")
    return kind(**values)
