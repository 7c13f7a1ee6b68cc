"""Sampling from a denoiser of several stems: partial and unconditional generation, source separation (Table 1).

No network is assumed: a denoiser is any function of noisy stems and a noise level, such as the exact one of a Gaussian.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor

from cocola_metric.errors import UsageError

from ..guides import Guiding
from .schedule import Schedule

Denoiser = Callable[[Tensor, float], Tensor]
"""D(x; sigma): noisy stems (B, N, L) and their noise level -> the expected stems (B, N, L)."""


@dataclass(frozen=True)
class Sampling(Schedule):
    """How stems are drawn; the defaults are those that MSDM publishes for partial generation.

    With one resample, the given stems are under-used (see docs/msdm.md).

    Attributes:
        likelihood: deviation of the mixture from the sum of separated stems, in noise levels (a Gaussian likelihood); 0
            lets them sum to it exactly (a Dirac likelihood).
    """

    likelihood: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.likelihood < 0:
            raise UsageError(f"likelihood must be 0 or more; got {self.likelihood}")


PARTIAL = Sampling()
UNCONDITIONAL = Sampling(steps=150, churn=20.0)
SEPARATION = Sampling(steps=150, sigma_max=1.0, churn=20.0, resamples=2)
GAUSSIAN_SEPARATION = Sampling(steps=150, sigma_max=1.0, churn=40.0, resamples=2, likelihood=0.75)
"""The settings of MSDM's own evaluation: partial and unconditional generation, and separation by either likelihood."""


def guided(denoise: Denoiser, guiding: Guiding) -> Denoiser:
    """Return a denoiser whose estimates are guided."""
    return lambda x, sigma: guiding(partial(_at, denoise, sigma), x, sigma)


def _at(denoise: Denoiser, sigma: float, x: Tensor) -> Tensor:
    return denoise(x, sigma)


def generate_stems(
    denoise: Denoiser, given: Tensor, mask: Tensor, sampling: Sampling = PARTIAL, *, rng: torch.Generator
) -> Tensor:
    """Draw the stems that are not given: an accompaniment, or all stems of a song where none is given.

    In each step the network gets the given stems, with fresh noise of the step's level, beside the others. In the end
    they are put back as they were. Every item of the batch has noise of its own.

    Args:
        denoise: denoiser of all stems.
        given: stems; where ``mask`` is False their content is ignored.
        mask: choice of the given stems. All others are drawn, whether they are asked for or not.
        sampling: schedule.
        rng: generator of all noise, on the CPU, so that a seed gives the same noise on every device.

    Shape:
        (B, N, L), (B, N) of booleans -> (B, N, L).

    Raises:
        UsageError: the mask is not boolean, or not of the shape (B, N).
    """
    if mask.shape != given.shape[:2] or mask.dtype != torch.bool:
        raise UsageError(
            f"mask must hold booleans of shape {tuple(given.shape[:2])}; got {mask.dtype} of {tuple(mask.shape)}"
        )
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
    dependent: int = 0,
) -> Tensor:
    """Separate a mixture into stems: MSDM's sampler with a Dirac or a Gaussian likelihood.

    With a Dirac likelihood, one stem, the dependent one, is the mixture minus all others; the slope of every other stem
    is its own, minus the slope of the dependent one. With a Gaussian likelihood, the slope of every stem is its own,
    plus that of the log-likelihood of the mixture.

    Args:
        denoise: denoiser of all stems.
        mixture: sum of all stems.
        stems: number of stems.
        sampling: schedule and likelihood.
        rng: generator of all noise, on the CPU.
        dependent: index of the stem that is the mixture minus all others; MSDM's is the bass.

    Shape:
        (B, L) -> (B, N, L).

    Raises:
        UsageError: there is no stem of that index, or there are fewer than two.
    """
    if stems < 2 or not -stems <= dependent < stems:
        raise UsageError(f"stems must be at least two, and dependent the index of one; got {stems} and {dependent}")
    shares = mixture[:, None].expand(-1, stems, -1)

    def close(free: Tensor) -> Tensor:
        """Set the dependent stem to the rest, if there is one."""
        if sampling.likelihood:
            return free
        closed = free.clone()
        closed[:, dependent] = 0
        closed[:, dependent] = mixture - closed.sum(dim=1)
        return closed

    def slope(x: Tensor, sigma: float) -> Tensor:
        own = (x - denoise(x, sigma)) / sigma
        if not sampling.likelihood:
            return own - own[:, dependent, None]
        return own - sigma / (2 * (sampling.likelihood * sigma) ** 2) * (mixture - x.sum(dim=1))[:, None]

    sigmas = sampling.sigmas()
    x = close(sigmas[0] * _noise(shares, rng))
    for sigma, following in pairwise(sigmas):
        for repeat in range(sampling.resamples):
            if repeat:
                x = close(x + math.sqrt(sigma**2 - following**2) * _noise(x, rng))
            raised = (1 + sampling.gamma) * sigma
            x = close(x + math.sqrt(raised**2 - sigma**2) * _noise(x, rng))
            x = close(x + (following - raised) * slope(x, raised))
    return x


def _noise(like: Tensor, rng: torch.Generator) -> Tensor:
    return torch.randn(like.shape, generator=rng, dtype=like.dtype).to(like.device)
