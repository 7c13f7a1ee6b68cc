"""The term that guidance adds to a step of sampling, whatever is sampled: waveforms, stems or latents."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from .settings import Guidance
from .shares import SHARES, noise_share

Estimator = Callable[[Tensor], Tensor]
"""D(x): noisy sources of one noise level -> the expected sources."""
Guiding = Callable[[Estimator, Tensor, float], Tensor]
"""Function of an estimator, noisy sources and their noise level that returns what a sampler takes as the estimate."""


def bend(noise: Tensor, slope: Tensor, *, level: float, share: float, guidance: Guidance) -> Tensor:
    """Change the noise that a network predicts, so that the step leads towards higher scores.

    noise - weight * share * level * slope: the guidance of a classifier (Dhariwal and Nichol 2021) with a score for its
    log-probability. What is added has at most ``limit`` times the norm of the noise, item by item.

    Args:
        noise: predicted noise, of variance 1.
        slope: gradient of the score in what is noisy.
        level: standard deviation of the noise in it.
        share: share of noise in its variance, for the schedule.
        guidance: weight, schedule and limit.

    Shape:
        (B, ...), (B, ...) -> (B, ...).
    """
    added = guidance.weight * SHARES[guidance.schedule](share) * level * torch.nan_to_num(slope)
    excess = _norms(added) / (guidance.limit * _norms(noise)).clamp(min=1e-12)
    return noise - added / excess.clamp(min=1.0)


@dataclass(frozen=True)
class Bending:
    """Guidance of a sampler of waveforms: a `Guiding`.

    The gradient in the noisy sources is that in their estimate, taken through the estimator: diffusion posterior
    sampling (Chung et al. 2023). It is exact for Gaussian sources and scores that are linear in the waveform.

    Attributes:
        pull: function of estimated sources, (B, K, L), that returns the gradient of the score in them.
        guidance: weight, schedule and limit.
        sigma_data: standard deviation of the music, for the schedule.
    """

    pull: Callable[[Tensor], Tensor]
    guidance: Guidance
    sigma_data: float

    def __call__(self, estimator: Estimator, x: Tensor, sigma: float) -> Tensor:
        """Return the guided estimate: (B, K, L) -> (B, K, L)."""
        share = noise_share(sigma, self.sigma_data)
        if not self.guidance.weight * SHARES[self.guidance.schedule](share):
            return estimator(x)
        with torch.enable_grad():
            noisy = x.detach().requires_grad_()
            estimate = estimator(noisy)
            (slope,) = torch.autograd.grad(estimate, noisy, self.pull(estimate.detach()))
        noise = (x - estimate.detach()) / sigma
        return x - sigma * bend(noise, slope, level=sigma, share=share, guidance=self.guidance)


def _norms(values: Tensor) -> Tensor:
    """Return the norm of each item, as (B, 1, ...)."""
    norms: Tensor = values.flatten(1).norm(dim=1)
    return norms.view(-1, *[1] * (values.ndim - 1))
