"""What a training run of CompoNet is made of: the paper's values are the defaults, a TOML file lists what differs."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from cocola_metric.errors import UsageError

from ...runs import LogFormat, Pace, build_settings, read_settings
from ..pipeline import AUDIOLDM2_LARGE
from ..small_files import SmallShape
from .pairs import PairConfig

Optimizer = Literal["adam", "adamw"]
Trained = Literal["adapter", "attentions", "unet"]
LOG = LogFormat(("step", "loss", "learning_rate", "pairs_per_second", "validation_loss"))


@dataclass(frozen=True)
class LoopConfig:
    """How long and how fast to train; the defaults are the paper's (section 4.2), and the released code's beyond it.

    Attributes:
        steps: number of optimiser steps.
        learning_rate: peak of the learning rate.
        warmup_steps: steps of a linear rise, before it falls as a cosine to zero; 0 keeps it constant, as published.
        optimizer: "adam" as in the paper; "adamw", with the settings of the released code.
        gradient_clip: largest norm of the gradient; 0, any.
        bfloat16: whether to compute in bfloat16 where it can be.
        log_every: steps between lines of the log.
        checkpoint_every: steps between checkpoints, with the loss on the validation split.
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
        """What of it every training has."""
        return Pace(self.steps, self.warmup_steps, self.gradient_clip, self.log_every, self.checkpoint_every)


@dataclass(frozen=True)
class CompoNetConfig:
    """A training run of CompoNet; the defaults are the paper's.

    Attributes:
        base: folder or Hub repository of AudioLDM2, or the folder of a small model.
        corpora: as for ``corpora.open_corpora``, unless the command line says otherwise.
        pairs: how Y and X are drawn.
        loop: steps, learning rate and the like.
        trained: "adapter"; "attentions", those of the U-Net too, as for the released Slakh2100 checkpoint; "unet", all
            of it too.
        zero_init_condition: conv_in(w) starts at zero, as in the paper and not in the released code.
        posterior: latents are drawn from the VAE's posterior, as in the released code, not its mode.
        together: prompts are encoded in batches, padding attended to, as in the released code.
        recompute: keep no activations inside blocks.
        validation_batches: fixed batches of the validation split.
        sample_every: steps between samples; 0, none.
        sample_steps: steps of DDIM.
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
        shares: share of the time of each stage.
        vae_batch_size: pairs in a batch of the first stage.
        vae: how the VAE is trained.
        unet: how the U-Net and the embeddings are trained.
        componet: how the adapter is trained, and the corpora, pairs and precision of all stages.
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
        CocolaError: the file is missing or no TOML, a key that no setting has, or a change that is no TOML.
    """
    return config_of(read_settings(path, changes), path)


def config_of(values: dict[str, Any], path: Path) -> CompoNetConfig:
    """Build a configuration from the values of a TOML file."""
    rest = dict(values)
    pairs = build_settings(PairConfig, rest.pop("pairs", {}), path)
    loop = build_settings(LoopConfig, rest.pop("loop", {}), path)
    return build_settings(CompoNetConfig, {**rest, "pairs": pairs, "loop": loop}, path)
