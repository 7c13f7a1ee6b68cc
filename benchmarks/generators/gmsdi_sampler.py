"""Sampling of several sources at once from a denoiser of single sub-mixes: GMSDI's inference (docs/gmsdi.md).

No joint law of the sources is learned. It is put together at inference, from the law of each source given its tags
and the law of their mixture given all tags. No network is assumed: the tests put in the exact denoisers of Gaussians.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Literal, get_args

import torch
from torch import Tensor

from cocola_metric.errors import UsageError

from ..guides import Guiding
from .schedule import Schedule

Denoiser = Callable[[Tensor, Tensor], Tensor]
"""D(x; sigma): noisy sub-mixes (B, R, L) and the noise level of each (B, R) -> the expected sub-mixes (B, R, L).

Rows do not know of each other. Each has tags of its own, the same in every call: first the sources, then the mixture.
"""
Likelihood = Literal["dirac", "gaussian"]
Given = Literal["clean", "noisy"]
GIVEN: tuple[Given, ...] = get_args(Given)
LIKELIHOODS: tuple[Likelihood, ...] = get_args(Likelihood)


@dataclass(frozen=True)
class CoupledSampling(Schedule):
    """How sources are drawn together.

    Attributes:
        coherence: weight of what the law of mixtures says against that of unrelated sums; with 0 the sources are
            drawn independently of each other and of what is given.
        given: form in which given sources take part: "noisy", as in MSDM, with fresh noise in each step; "clean", as
            they are. Clean ones are exact for Gaussians, but a network then denoises mixtures that have less noise than
            it is told, and its answers echo what is given (docs/gmsdi.md).
    """

    steps: int = 64
    sigma_max: float = 5.0
    churn: float = 4.0
    coherence: float = 1.0
    given: Given = "noisy"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.coherence < math.inf:
            raise UsageError(f"coherence must be 0 or more; got {self.coherence}")
        if self.given not in GIVEN:
            raise UsageError(f"given must be {' or '.join(GIVEN)}; got {self.given!r}")


@dataclass(frozen=True)
class SeparationSampling(Schedule):
    """How a mixture is separated.

    Attributes:
        likelihood: tie between the sources and the mixture: "dirac", their estimates sum to it; "gaussian", the mixture
            also holds noise of the level ``width``.
        width: standard deviation of what the mixture holds beside the sources, for "gaussian".
    """

    steps: int = 100
    sigma_max: float = 2.0
    churn: float = 5.0
    likelihood: Likelihood = "dirac"
    width: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.likelihood not in LIKELIHOODS:
            raise UsageError(f"likelihood must be {' or '.join(LIKELIHOODS)}; got {self.likelihood!r}")
        if not 0 < self.width < math.inf:
            raise UsageError(f"width must be above 0; got {self.width}")


def draw_sources(
    denoise: Denoiser,
    given: Tensor,
    mask: Tensor,
    sampling: CoupledSampling | None = None,
    *,
    rng: torch.Generator,
    powers: Tensor | None = None,
    guiding: Guiding | None = None,
) -> Tensor:
    """Draw the sources that are not given, all at once: an accompaniment, or all sources of a piece.

    In each step all sources are estimated together (`estimate_sources`). In the end the given ones are put back as they
    were.

    Args:
        denoise: denoiser of the K sources and of their mixture.
        given: sources; where ``mask`` is False their content is ignored.
        mask: choice of the given sources.
        sampling: schedule; None stands for the defaults.
        rng: generator of all noise, on the CPU, so that a seed gives the same noise on every device.
        powers: mean square of each source, roughly; None stands for equal ones, far above all noise.
        guiding: change of every estimate; None leaves them as they are.

    Shape:
        (B, K, L), (B, K) of booleans, (K,) or (B, K) -> (B, K, L).

    Raises:
        UsageError: the mask is not boolean, or not of the shape (B, K).
    """
    sampling = sampling or CoupledSampling()
    if mask.shape != given.shape[:2] or mask.dtype != torch.bool:
        raise UsageError(
            f"mask must hold booleans of shape {tuple(given.shape[:2])}; got {mask.dtype} of {tuple(mask.shape)}"
        )
    powers = _powers(powers, given)
    sigmas, known = sampling.sigmas(), mask[..., None].to(given.device)
    fixed = known if sampling.given == "clean" else torch.zeros_like(known)

    def expected(sigma: float, noisy: Tensor) -> Tensor:
        return estimate_sources(denoise, noisy, fixed, sigma, powers, sampling.coherence)

    x = sigmas[0] * _noise(given, rng)
    for sigma, following in pairwise(sigmas):
        heard = given if sampling.given == "clean" else given + sigma * _noise(given, rng)
        for repeat in range(sampling.resamples):
            if repeat:
                x = x + math.sqrt(sigma**2 - following**2) * _noise(x, rng)
            x = torch.where(known, heard, x)
            raised = (1 + sampling.gamma) * sigma
            x = torch.where(fixed, x, x + math.sqrt(raised**2 - sigma**2) * _noise(x, rng))
            estimate = guiding(partial(expected, raised), x, raised) if guiding else expected(raised, x)
            x = x + (following - raised) / raised * (x - estimate)
    return torch.where(known, given, x)


def estimate_sources(
    denoise: Denoiser, x: Tensor, fixed: Tensor, sigma: float, powers: Tensor, coherence: float = 1.0
) -> Tensor:
    """Estimate sources from their noisy versions, and from what the law of mixtures says of their sum.

    The law is p(x) = prod_k p_k(x_k) p(y) / q(y), where y is the sum of the sources, p(y) the law of mixtures and q(y)
    that of sums of unrelated sources. Of y, the noisy sources tell as much as one noisy mixture: by `noisy_mixture`,
    which is denoised. What the estimates of the sources miss of it is shared out among them (`shares`). With exact
    denoisers of Gaussians the result is the exact posterior mean.

    Args:
        denoise: denoiser of the K sources and of their mixture.
        x: noisy sources; fixed ones are as they are.
        fixed: choice of the sources that have no noise.
        sigma: noise level of the others.
        powers: mean square of each source.
        coherence: weight of what is shared out.

    Shape:
        (B, K, L), (B, K, 1), (B, K, 1) -> (B, K, L).
    """
    mixture, level = noisy_mixture(x, fixed, sigma, powers)
    levels = torch.full((len(x), x.shape[1] + 1), sigma, dtype=x.dtype, device=x.device)
    levels[:, -1] = level
    rows = denoise(torch.cat([x, mixture], dim=1), levels)
    own = torch.where(fixed, x, rows[:, :-1])
    return own + coherence * shares(fixed, sigma, powers) * (rows[:, -1:] - own.sum(dim=1, keepdim=True))


def noisy_mixture(x: Tensor, fixed: Tensor, sigma: float, powers: Tensor) -> tuple[Tensor, Tensor]:
    """Return a noisy mixture that tells of the sum y as much as noisy sources do, and its noise level.

    Let v_k be the power of source k, c_k = v_k sigma^2 / (v_k + sigma^2) what is unknown of it (0 if it is fixed), S
    and C the sums of v and c. Unrelated sources have the sum N(sum_k m_k, C), where m_k = (1 - c_k / v_k) x_k. Divided
    by q(y) = N(0, S), that is a noisy mixture S / (S - C) sum_k m_k of noise variance C S / (S - C). For sources of one
    power, none of them fixed, it is their sum, with noise of level sqrt(K) sigma.

    Shape:
        (B, K, L), (B, K, 1), (B, K, 1) -> (B, 1, L), (B,).
    """
    known = torch.where(fixed, 1.0, powers / (powers + sigma**2))  # 1 - c / v
    rest, total = (powers * known).sum(dim=1, keepdim=True), powers.sum(dim=1, keepdim=True)  # S - C, S: (B, 1, 1)
    unsure = (powers * (1 - known)).sum(dim=1, keepdim=True)
    return total / rest * (known * x).sum(dim=1, keepdim=True), (unsure * total / rest).sqrt()[:, 0, 0]


def shares(fixed: Tensor, sigma: float, powers: Tensor, variance: float = 0.0) -> Tensor:
    """Return each source's share of what the estimates miss: c_k / (C + variance), (B, K, 1)."""
    unsure = torch.where(fixed, 0.0, powers * sigma**2 / (powers + sigma**2))
    return unsure / (unsure.sum(dim=1, keepdim=True) + variance)


def separate_sources(
    denoise: Denoiser,
    mixture: Tensor,
    sources: int,
    sampling: SeparationSampling | None = None,
    *,
    rng: torch.Generator,
    powers: Tensor | None = None,
    guiding: Guiding | None = None,
) -> Tensor:
    """Separate a mixture into sources of known tags, which are independent but for their sum.

    In each step, what the estimates of the sources miss of the mixture is shared out among them by `shares`: the
    exact posterior mean with exact denoisers of Gaussians.

    Args:
        denoise: denoiser of the K sources.
        mixture: sum of all sources.
        sources: number of sources, K.
        sampling: schedule and likelihood; None stands for the defaults.
        rng: generator of all noise, on the CPU.
        powers: mean square of each source, roughly; None stands for equal ones, far above all noise.
        guiding: change of every estimate; None leaves them as they are.

    Shape:
        (B, L), (K,) or (B, K) -> (B, K, L).

    Raises:
        UsageError: there are fewer than two sources.
    """
    sampling = sampling or SeparationSampling()
    if sources < 2:
        raise UsageError(f"sources must be two or more; got {sources}")
    variance = sampling.width**2 if sampling.likelihood == "gaussian" else 0.0
    x = mixture[:, None].expand(-1, sources, -1)
    powers = _powers(powers, x)
    sigmas, free = sampling.sigmas(), torch.zeros_like(powers, dtype=torch.bool)

    def expected(sigma: float, noisy: Tensor) -> Tensor:
        estimate = denoise(noisy, torch.full(noisy.shape[:2], sigma, dtype=noisy.dtype, device=noisy.device))
        missed = mixture[:, None] - estimate.sum(dim=1, keepdim=True)
        return estimate + shares(free, sigma, powers, variance) * missed

    x = sigmas[0] * _noise(x, rng)
    for sigma, following in pairwise(sigmas):
        for repeat in range(sampling.resamples):
            if repeat:
                x = x + math.sqrt(sigma**2 - following**2) * _noise(x, rng)
            raised = (1 + sampling.gamma) * sigma
            x = x + math.sqrt(raised**2 - sigma**2) * _noise(x, rng)
            estimate = guiding(partial(expected, raised), x, raised) if guiding else expected(raised, x)
            x = x + (following - raised) / raised * (x - estimate)
    return x


def _powers(powers: Tensor | None, like: Tensor) -> Tensor:
    """Return powers as (B, K, 1)."""
    if powers is None:
        return torch.ones_like(like[..., :1])
    return powers.to(like).expand(like.shape[:2])[..., None]


def _noise(like: Tensor, rng: torch.Generator) -> Tensor:
    return torch.randn(like.shape, generator=rng, dtype=like.dtype).to(like.device)
