"""What a training run of MSDM is made of: the published values are the defaults, a TOML file lists what differs."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..runs import build_settings, read_settings
from .network import MSDMConfig
from .unet import UNetConfig


@dataclass(frozen=True)
class MSDMTraining:
    """A training run of MSDM (reference [12] of the paper).

    Attributes:
        corpora: what to train on, as for ``corpora.open_corpora``, unless the command line says otherwise.
        model: what is trained: stems, sample rate, length, network.
        batch_size: windows per step, over all processes.
        learning_rate: of Adam.
        betas: of Adam.
        noise_mean: mean of the logarithm of the noise levels, which are log-normal.
        noise_deviation: its standard deviation.
        stratified: spread the noise levels of a batch evenly over their distribution, instead of drawing each alone.
        largest_gradient: norm that the gradient is cut to; 0, it is not.
        steps: optimiser steps; how many there were is not published.
        warmup_steps: steps over which the learning rate rises linearly; afterwards it falls as a cosine to zero.
            0 keeps it constant, as published.
        bfloat16: run the network in bfloat16.
        seed: of everything drawn.
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


def load_msdm_config(path: Path, changes: Sequence[str] = ()) -> MSDMTraining:
    """Read a TOML file of differences from what is published, with tables ``[model]`` and ``[model.unet]``.

    Args:
        path: of the file.
        changes: settings in place of the file's, as ``model.unet.channels=128``; a value is TOML.

    Raises:
        CocolaError: the file is missing or no TOML, a key that no setting has, a change that is no TOML, or sizes that
            do not fit each other.
    """
    values = read_settings(path, changes)
    model = values.pop("model", {})
    unet = build_settings(UNetConfig, model.pop("unet", {}), path)
    values["model"] = build_settings(MSDMConfig, {**model, "unet": unet}, path)
    return build_settings(MSDMTraining, values, path)
