"""GMSDI in small: two levels, of which one attends, and 0.6 s at 4 kHz."""

import torch

from cocola_metric.training.gmsdi.network import GMSDI, GMSDIConfig
from cocola_metric.training.msdm.unet import UNetConfig

TINY_UNET = UNetConfig(
    stems=1,
    channels=32,
    multipliers=(1, 1, 1),
    factors=(3, 2),
    blocks=(1, 1),
    attentions=(False, True),
    heads=2,
    head_channels=8,
)
TINY = GMSDIConfig(sample_rate=4_000, length=2_304, sigma_data=0.1, unet=TINY_UNET)


def tiny_gmsdi(seed: int = 0) -> GMSDI:
    torch.manual_seed(seed)
    return GMSDI(TINY).eval()
