"""The settings of a training run of MSDM: published values are the defaults, a TOML file lists the differences."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..runs import build_settings, pop_table, read_settings
from .network import MSDMConfig
from .unet import UNetConfig


@dataclass(frozen=True)
class MSDMTraining:
    """A training run of MSDM (reference [12] of the paper).

    Attributes:
        corpora: corpora to train on, as for ``corpora.open_corpora``, unless the command line names others.
        model: configuration of the model: stems, sample rate, length, network.
        batch_size: number of windows per step, over all processes.
        learning_rate: learning rate of Adam.
        betas: coefficients of Adam's moving averages.
        noise_mean: mean of the logarithm of the noise levels, which are log-normal.
        noise_deviation: standard deviation of the logarithm of the noise levels.
        stratified: choice of drawing: evenly spread noise levels within a batch, or one independent draw for each item.
        largest_gradient: norm that the gradient is cut to; 0 for no limit.
        steps: number of optimiser steps; the published number is unknown.
        warmup_steps: number of steps of a linear rise, after which the rate falls as a cosine to zero; 0 keeps it
            constant, as published.
        bfloat16: switch for bfloat16 in the network.
        seed: seed of everything drawn.
    """

    corpora: tuple[str, ...] = ()
    model: MSDMConfig = field(default_factory=MSDMConfig)
    batch_size: int = 8
    learning_rate: float = 1e-4
    betas: tuple[float, float] = (0.9, 0.99)
    noise_mean: float = -3.0
    noise_deviation: float = 1.0
    stratified: bool = False
    largest_gradient: float = 0.0
    steps: int = 1_000_000
    warmup_steps: int = 0
    bfloat16: bool = True
    seed: int = 0

    @property
    def window_shape(self) -> tuple[int, int]:
        """Channels and samples of a window."""
        return len(self.model.stems), self.model.length


def load_msdm_config(path: Path, changes: Sequence[str] = ()) -> MSDMTraining:
    """Read a TOML file of differences from what is published, with tables ``[model]`` and ``[model.unet]``.

    Args:
        path: file to read.
        changes: settings in place of the file's, as ``model.unet.channels=128``; a value is TOML.

    Raises:
        CocolaError: the file is missing or no TOML, a key is no setting, a change is no TOML, or sizes do not fit each
            other.
    """
    values = read_settings(path, changes)
    model = pop_table(values, "model", path)
    unet = build_settings(UNetConfig, pop_table(model, "unet", path), path)
    values["model"] = build_settings(MSDMConfig, {**model, "unet": unet}, path)
    return build_settings(MSDMTraining, values, path)
