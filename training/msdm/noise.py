"""The noise of training: its levels are log-normal, and the same seed gives the same noise."""

from typing import NamedTuple, Protocol

import torch
from torch import Tensor

_EDGE = 1e-6  # of the quantiles: an infinite noise level is of no use


class NoiseSettings(Protocol):
    """The settings that noise is drawn by.

    Attributes:
        noise_mean: mean of the logarithm of the noise levels, which are log-normal.
        noise_deviation: standard deviation of the logarithm of the noise levels.
        stratified: choice of drawing: evenly spread noise levels within a batch, or one independent draw for each item.
    """

    @property
    def noise_mean(self) -> float: ...  # noqa: D102
    @property
    def noise_deviation(self) -> float: ...  # noqa: D102
    @property
    def stratified(self) -> bool: ...  # noqa: D102
    @property
    def window_shape(self) -> tuple[int, int]:
        """Channels and samples of a window."""


class Noise(NamedTuple):
    """The noise that is added to a batch.

    Attributes:
        levels: standard deviation of each item's noise, (B,).
        samples: noise of standard deviation 1, (B, C, L).
    """

    levels: Tensor
    samples: Tensor

    def part(self, rows: slice) -> "Noise":
        """Return the noise of some of the items."""
        return Noise(self.levels[rows], self.samples[rows])


def draw_noise(settings: NoiseSettings, items: int, seed: int, device: torch.device) -> Noise:
    """Draw noise and its levels, exp(N(mean, deviation)), on the device; the same for the same seed.

    With ``settings.stratified``, item i takes its level from the i-th of B equal parts of the distribution.
    """
    generator = torch.Generator(device).manual_seed(seed)
    if settings.stratified:
        quantiles = torch.arange(items, device=device) + torch.rand(items, generator=generator, device=device)
        normal = torch.special.ndtri((quantiles / items).clamp(_EDGE, 1 - _EDGE))
    else:
        normal = torch.randn(items, generator=generator, device=device)
    levels = (settings.noise_mean + settings.noise_deviation * normal).exp()
    return Noise(levels, torch.randn((items, *settings.window_shape), generator=generator, device=device))
