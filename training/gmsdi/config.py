"""The settings of a training run of GMSDI; a TOML file lists what differs from the defaults."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cocola_metric.errors import UsageError

from ..msdm import UNetConfig
from ..runs import build_settings, pop_table, read_settings
from .network import GMSDIConfig


@dataclass(frozen=True)
class GMSDITraining:
    """A training run of the model behind GMSDI (reference [46] of the paper).

    Attributes:
        corpora: corpora to train on, as for ``corpora.open_corpora``, unless the command line names others.
        model: configuration of the model: tags, sample rate, length, network.
        batch_size: number of windows per step, over all processes.
        untagged: share of the windows whose tags are left out, for classifier-free guidance.
        learning_rate: learning rate of Adam.
        betas: coefficients of Adam's moving averages.
        noise_mean: mean of the logarithm of the noise levels, which are log-normal.
        noise_deviation: standard deviation of the logarithm of the noise levels.
        stratified: choice of drawing: evenly spread noise levels within a batch, or one independent draw for each item.
        largest_gradient: norm that the gradient is cut to; 0 for no limit.
        steps: number of optimiser steps.
        warmup_steps: number of steps of a linear rise, after which the rate falls as a cosine to zero; 0 keeps it
            constant.
        bfloat16: switch for bfloat16 in the network.
        seed: seed of everything drawn.
    """

    corpora: tuple[str, ...] = ()
    model: GMSDIConfig = field(default_factory=GMSDIConfig)
    batch_size: int = 8
    untagged: float = 0.1
    learning_rate: float = 1e-4
    betas: tuple[float, float] = (0.9, 0.99)
    noise_mean: float = -2.2
    noise_deviation: float = 1.7
    stratified: bool = True
    largest_gradient: float = 1.0
    steps: int = 1_000_000
    warmup_steps: int = 0
    bfloat16: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.untagged <= 1 or self.batch_size < 1:
            raise UsageError(
                f"untagged must be from 0 to 1, batch_size 1 or more; got {self.untagged:g} and {self.batch_size}"
            )

    @property
    def window_shape(self) -> tuple[int, int]:
        """Channels and samples of a window."""
        return 1, self.model.length


def load_gmsdi_config(path: Path, changes: Sequence[str] = ()) -> GMSDITraining:
    """Read a TOML file of differences from the defaults, with tables ``[model]`` and ``[model.unet]``.

    Args:
        path: file to read.
        changes: settings in place of the file's, as ``model.unet.channels=128``; a value is TOML.

    Raises:
        CocolaError: the file is missing or no TOML, a key is no setting, a change is no TOML, or sizes do not fit each
            other.
    """
    values = read_settings(path, changes)
    model = pop_table(values, "model", path)
    unet = build_settings(UNetConfig, {"stems": 1, **pop_table(model, "unet", path)}, path)
    values["model"] = build_settings(GMSDIConfig, {**model, "unet": unet}, path)
    return build_settings(GMSDITraining, values, path)
