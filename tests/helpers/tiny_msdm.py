"""MSDM in small: two levels, of which one attends, and half a second at 4 kHz."""

import numpy as np
import torch

from cocola_metric.training.msdm.network import MSDM, MSDMConfig
from cocola_metric.training.msdm.unet import UNetConfig

STEMS = ("bass", "drums", "guitar", "piano")
RATE = 4_000
LENGTH = 2_304  # 0.576 s
TINY_UNET = UNetConfig(
    channels=64,
    multipliers=(1, 2, 1),
    factors=(3, 2),
    blocks=(1, 2),
    attentions=(False, True),
    heads=2,
    head_channels=8,
)
TINY = MSDMConfig(stems=STEMS, sample_rate=RATE, length=LENGTH, unet=TINY_UNET)


def tiny_msdm(seed: int = 0) -> MSDM:
    torch.manual_seed(seed)
    return MSDM(TINY).eval()


def fill(module: torch.nn.Module) -> None:
    """Give every parameter values that are the same everywhere; the stream of RandomState never changes."""
    for number, (name, tensor) in enumerate(sorted(module.state_dict().items())):
        values = np.random.RandomState(number).standard_normal(tuple(tensor.shape)) / np.sqrt(tensor[0].numel())
        if name.endswith((".g", "groupnorm.weight")):
            values = 1 + 0.1 * values
        tensor.copy_(torch.from_numpy(values))


def example_input() -> tuple[torch.Tensor, torch.Tensor]:
    """Two items of stems, and a time for each."""
    x = np.random.RandomState(1).standard_normal((2, len(STEMS), 192))
    return torch.from_numpy(x).float(), torch.tensor([-0.9, 0.4])
