"""The objective of MSDM: the preconditioned network predicts the music from noisy music."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from .config import MSDMTraining
from .network import MSDM

_EDGE = 1e-6  # of the quantiles: an infinite noise level is of no use


class Noise(NamedTuple):
    """The noise that is added to a batch.

    Attributes:
        levels: standard deviation of each item's noise, (B,).
        samples: noise of standard deviation 1, (B, N, L).
    """

    levels: Tensor
    samples: Tensor

    def part(self, rows: slice) -> "Noise":
        """Return the noise of some of the items."""
        return Noise(self.levels[rows], self.samples[rows])


def draw_noise(config: MSDMTraining, items: int, seed: int, device: torch.device) -> Noise:
    """Draw noise and its levels, exp(N(mean, deviation)), on the device; the same for the same seed.

    With ``config.stratified``, item i takes its level from the i-th of B equal parts of the distribution.
    """
    generator = torch.Generator(device).manual_seed(seed)
    if config.stratified:
        quantiles = torch.arange(items, device=device) + torch.rand(items, generator=generator, device=device)
        normal = torch.special.ndtri((quantiles / items).clamp(_EDGE, 1 - _EDGE))
    else:
        normal = torch.randn(items, generator=generator, device=device)
    levels = (config.noise_mean + config.noise_deviation * normal).exp()
    shape = (items, len(config.model.stems), config.model.length)
    return Noise(levels, torch.randn(shape, generator=generator, device=device))


class Denoising(nn.Module):
    """A model in training: it maps stems and noise to losses."""

    def __init__(self, model: MSDM) -> None:
        super().__init__()
        self.model = model

    def forward(self, stems: Tensor, noise: Noise) -> Tensor:
        """Return each item's mean square error of D(x; sigma) weighted by 1 / c_out^2 (EDM, Karras et al. 2022).

        That is the error of the network's own output against (sigma stems - sigma_data^2 noise) / (sigma_data
        sqrt(sigma^2 + sigma_data^2)), which has variance 1 at every level. The clamp of D to [-1, 1] is left out.

        Shape:
            (B, N, L), noise of B items -> (B,).
        """
        data = self.model.config.sigma_data
        sigma = noise.levels[:, None, None]
        scale = (sigma.square() + data**2).rsqrt()
        predicted = self.model.unet((stems + sigma * noise.samples) * scale, noise.levels.log() / 4)
        wanted = (sigma * stems - data**2 * noise.samples) * (scale / data)
        losses: Tensor = (predicted.float() - wanted).square().mean(dim=(1, 2))
        return losses
