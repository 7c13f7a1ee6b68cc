"""Sampling from a denoiser of several stems: partial and unconditional generation, source separation (Table 1).

Nothing here knows a network: a denoiser is any function of noisy stems and a noise level, such as the exact one of a
Gaussian.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from cocola_metric.errors import UsageError

Denoiser = Callable[[Tensor, float], Tensor]
"""D(x; sigma): noisy stems (B, N, L) and their noise level -> the expected stems (B, N, L)."""


@dataclass(frozen=True)
class Sampling:
    """How stems are drawn; the defaults are those that MSDM publishes for partial generation.

    Attributes:
        steps: from noise to music.
        sigma_max: noise level of the first step.
        sigma_min: noise level of the last step; it leads to 0.
        rho: curvature of the schedule.
        churn: noise added anew in all steps together, S_churn of EDM.
        resamples: how often each step is made; with one, what is given is under-used (see docs/msdm.md).
    """

    steps: int = 256
    sigma_max: float = 20.0
    sigma_min: float = 1e-4
    rho: float = 7.0
    churn: float = 10.0
    resamples: int = 1

    def __post_init__(self) -> None:
        if self.steps < 2 or self.resamples < 1:
            raise UsageError(f"steps={self.steps}, resamples={self.resamples}: pass at least 2 and 1")
        if not 0 < self.sigma_min < self.sigma_max or self.rho <= 0 or self.churn < 0:
            raise UsageError(
                f"sigma_min={self.sigma_min}, sigma_max={self.sigma_max}, rho={self.rho}, churn={self.churn}: "
                "pass 0 < sigma_min < sigma_max, a positive rho, no negative churn"
            )

    @property
    def gamma(self) -> float:
        """By how much the noise level rises before each step, in relation to itself."""
        return min(self.churn / self.steps, math.sqrt(2) - 1)

    def sigmas(self) -> list[float]:
        """Return the noise levels, steps + 1 of them with the final 0 (Karras et al. 2022, Eq. 5)."""
        top, bottom = self.sigma_max ** (1 / self.rho), self.sigma_min ** (1 / self.rho)
        levels = [(top + step / (self.steps - 1) * (bottom - top)) ** self.rho for step in range(self.steps)]
        return [*levels, 0.0]


PARTIAL = Sampling()
UNCONDITIONAL = Sampling(steps=150, churn=20.0)
SEPARATION = Sampling(steps=150, sigma_max=1.0, churn=20.0)


def generate_stems(
    denoise: Denoiser, given: Tensor, mask: Tensor, sampling: Sampling = PARTIAL, *, rng: torch.Generator
) -> Tensor:
    """Draw the stems that are not given: accompaniment of those that are, or a whole band where none is.

    In each step the given stems take part with fresh noise of the step's level, and the network hears them beside the
    others; in the end they are put back as they were. Every item of the batch has noise of its own.

    Args:
        denoise: of all stems.
        given: stems; what it holds where ``mask`` is False is not heard.
        mask: which stems are given. One that is not asked for is not silent either: it is drawn too.
        sampling: schedule.
        rng: of all noise, on the CPU, so that a seed means the same on every device.

    Shape:
        given: (B, N, L); mask: (B, N), bool
        output: (B, N, L)

    Raises:
        UsageError: the mask does not fit.
    """
    if mask.shape != given.shape[:2] or mask.dtype != torch.bool:
        raise UsageError(f"mask {tuple(mask.shape)} of {mask.dtype}: pass booleans of shape {tuple(given.shape[:2])}")
    sigmas, known = sampling.sigmas(), mask[..., None].to(given.device)
    x = sigmas[0] * _noise(given, rng)
    for sigma, following in pairwise(sigmas):
        heard = given + sigma * _noise(given, rng)
        for repeat in range(sampling.resamples):
            if repeat:
                x = x + math.sqrt(sigma**2 - following**2) * _noise(x, rng)
            x = torch.where(known, heard, x)
            raised = (1 + sampling.gamma) * sigma
            x = x + math.sqrt(raised**2 - sigma**2) * _noise(x, rng)
            x = x + (following - raised) / raised * (x - denoise(x, raised))
    return torch.where(known, given, x)


def separate_stems(
    denoise: Denoiser,
    mixture: Tensor,
    stems: int,
    sampling: Sampling = SEPARATION,
    *,
    rng: torch.Generator,
    dependent: int = -1,
) -> Tensor:
    """Separate a mixture into stems that sum to it exactly: MSDM's sampler with a Dirac likelihood.

    One stem is what the others leave of the mixture, so the score of another stem is its own minus that one's.

    Args:
        denoise: of all stems.
        mixture: sum of all stems.
        stems: how many there are.
        sampling: schedule.
        rng: of all noise, on the CPU.
        dependent: index of the stem that is the rest.

    Shape:
        mixture: (B, L)
        output: (B, N, L)

    Raises:
        UsageError: there is no such stem, or fewer than two.
    """
    if stems < 2 or not -stems <= dependent < stems:
        raise UsageError(f"stem {dependent} of {stems}: pass at least two stems, and the index of one")
    shares = mixture[:, None].expand(-1, stems, -1)

    def close(free: Tensor) -> Tensor:
        """Set the dependent stem to the rest."""
        closed = free.clone()
        closed[:, dependent] = 0
        closed[:, dependent] = mixture - closed.sum(dim=1)
        return closed

    sigmas = sampling.sigmas()
    x = close(sigmas[0] * _noise(shares, rng))
    for sigma, following in pairwise(sigmas):
        for repeat in range(sampling.resamples):
            if repeat:
                x = close(x + math.sqrt(sigma**2 - following**2) * _noise(x, rng))
            raised = (1 + sampling.gamma) * sigma
            x = close(x + math.sqrt(raised**2 - sigma**2) * _noise(x, rng))
            slope = (x - denoise(x, raised)) / raised
            x = close(x + (following - raised) * (slope - slope[:, dependent, None]))
    return x


def _noise(like: Tensor, rng: torch.Generator) -> Tensor:
    return torch.randn(like.shape, generator=rng, dtype=like.dtype).to(like.device)
