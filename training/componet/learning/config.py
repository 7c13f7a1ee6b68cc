"""The settings of a training run of CompoNet: the paper's are the defaults, a TOML file lists the differences."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from cocola_metric.errors import UsageError

from ...runs import LogFormat, Pace, build_settings, pop_table, read_settings
from ..pipeline import AUDIOLDM2_LARGE
from ..small_files import SmallShape
from .pairs import PairConfig

Optimizer = Literal["adam", "adamw"]
Trained = Literal["adapter", "attentions", "unet"]
LOG = LogFormat(("step", "loss", "learning_rate", "pairs_per_second", "validation_loss"))


@dataclass(frozen=True)
class LoopConfig:
    """The length and pace of training; the defaults are the paper's (section 4.2), or else the released code's.

    Attributes:
        steps: number of optimiser steps.
        learning_rate: peak of the learning rate.
        warmup_steps: number of steps of a linear rise, after which the rate falls as a cosine to zero; 0 keeps it
            constant, as published.
        optimizer: name of the optimiser: "adam" as in the paper; "adamw" with the settings of the released code.
        gradient_clip: largest norm of the gradient; 0 for no limit.
        bfloat16: switch for bfloat16 wherever it can be used.
        log_every: number of steps between lines of the log.
        checkpoint_every: number of steps between checkpoints, with the loss on the validation split.
    """

    steps: int = 500_000
    learning_rate: float = 1e-4
    warmup_steps: int = 0
    optimizer: Optimizer = "adam"
    gradient_clip: float = 1.0
    bfloat16: bool = True
    log_every: int = 50
    checkpoint_every: int = 5000

    def __post_init__(self) -> None:
        if self.optimizer not in get_args(Optimizer):
            raise UsageError(f"optimizer must be adam or adamw; got {self.optimizer!r}")

    @property
    def pace(self) -> Pace:
        """The settings that every training has."""
        return Pace(self.steps, self.warmup_steps, self.gradient_clip, self.log_every, self.checkpoint_every)


@dataclass(frozen=True)
class CompoNetConfig:
    """A training run of CompoNet; the defaults are the paper's.

    Attributes:
        base: folder or Hub repository of AudioLDM2, or the folder of a small model.
        corpora: corpora, as for ``corpora.open_corpora``, unless the command line names others.
        pairs: settings of drawing Y and X.
        loop: settings of the loop: steps, learning rate and others.
        trained: trained part: "adapter"; "attentions", with those of the U-Net, as for the released Slakh2100
            checkpoint; "unet", with all of the U-Net.
        zero_init_condition: start of conv_in(w): zero, as in the paper, or random, as in the released code.
        posterior: choice of latents drawn from the VAE's posterior, as in the released code, instead of its mode.
        together: choice of encoding prompts in one batch, with attention to padding, as in the released code.
        recompute: choice of computing activations inside blocks anew in the backward pass, instead of keeping them.
        validation_batches: number of fixed batches of the validation split.
        sample_every: number of steps between samples; 0 for none.
        sample_steps: number of steps of DDIM.
        seed: seed of everything drawn.
    """

    base: str = AUDIOLDM2_LARGE
    corpora: tuple[str, ...] = ()
    pairs: PairConfig = field(default_factory=PairConfig)
    loop: LoopConfig = field(default_factory=LoopConfig)
    trained: Trained = "adapter"
    zero_init_condition: bool = True
    posterior: bool = True
    together: bool = False
    recompute: bool = False
    validation_batches: int = 8
    sample_every: int = 0
    sample_steps: int = 200
    seed: int = 0

    def __post_init__(self) -> None:
        if self.trained not in get_args(Trained):
            raise UsageError(f"trained must be one of {', '.join(get_args(Trained))}; got {self.trained!r}")


@dataclass(frozen=True)
class SmallConfig:
    """A run of all three stages.

    Attributes:
        shape: widths and depths of the networks.
        shares: shares of the stages in the time.
        vae_batch_size: number of pairs in a batch of the first stage.
        vae: settings of training the VAE.
        unet: settings of training the U-Net and the embeddings.
        componet: settings of training the adapter, with the corpora, pairs and precision of all stages.
    """

    componet: CompoNetConfig
    shape: SmallShape = field(default_factory=SmallShape)
    shares: tuple[float, ...] = (0.15, 0.3, 0.55)
    vae_batch_size: int = 16
    vae: LoopConfig = field(default_factory=LoopConfig)
    unet: LoopConfig = field(default_factory=LoopConfig)


def load_config(path: Path, changes: Sequence[str] = ()) -> CompoNetConfig:
    """Read a TOML file of differences from the paper; other tables than [pairs] and [loop] are not allowed.

    Args:
        path: file to read.
        changes: settings in place of the file's, as ``pairs.batch_size=5``; a value is TOML.

    Raises:
        CocolaError: the file is missing or no TOML, a key is no setting, or a change is no TOML.
    """
    return config_of(read_settings(path, changes), path)


def config_of(values: dict[str, Any], path: Path) -> CompoNetConfig:
    """Build a configuration from the values of a TOML file."""
    rest = dict(values)
    pairs = build_settings(PairConfig, pop_table(rest, "pairs", path), path)
    loop = build_settings(LoopConfig, pop_table(rest, "loop", path), path)
    return build_settings(CompoNetConfig, {**rest, "pairs": pairs, "loop": loop}, path)
