"""Sampling of stems, checked where the truth is known: all stems of a band are Gaussian."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from cocola_metric.benchmarks.generators.msdm_sampler import (
    GAUSSIAN_SEPARATION,
    PARTIAL,
    SEPARATION,
    UNCONDITIONAL,
    Sampling,
    generate_stems,
    separate_stems,
)
from cocola_metric.errors import UsageError

STEMS, SAMPLES = 4, 20_000
VARIANCE, CORRELATION = 0.04, 0.8
COVARIANCE = VARIANCE * ((1 - CORRELATION) * torch.eye(STEMS) + CORRELATION)
GIVEN = torch.tensor([[True, True, False, False]])


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def denoise(x: Tensor, sigma: float) -> Tensor:
    """The exact denoiser of correlated stems: C (C + sigma^2 I)^-1 x."""
    return COVARIANCE @ torch.linalg.inv(COVARIANCE + sigma**2 * torch.eye(STEMS)) @ x


def band() -> Tensor:
    return torch.linalg.cholesky(COVARIANCE) @ torch.randn(1, STEMS, SAMPLES, generator=rng(1))


def posterior_of_the_others(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and covariance of stems 2 and 3, given stems 0 and 1."""
    weights = COVARIANCE[2:, :2] @ torch.linalg.inv(COVARIANCE[:2, :2])
    return weights @ x[0, :2], COVARIANCE[2:, 2:] - weights @ COVARIANCE[:2, 2:]


def accompany(resamples: int) -> tuple[float, float]:
    """Residual variance about the posterior's mean, and correlation with a given stem, of the stems drawn."""
    x = band()
    drawn = generate_stems(denoise, x, GIVEN, Sampling(resamples=resamples), rng=rng())
    mean, _ = posterior_of_the_others(x)
    residual = (drawn[0, 2:] - mean).var().item()
    return residual, torch.corrcoef(torch.stack([drawn[0, 2], x[0, 0]]))[0, 1].item()


def test_one_resample_under_uses_what_is_given() -> None:
    exact = posterior_of_the_others(band())[1][0, 0].item()
    assert exact == pytest.approx(0.0116, abs=5e-5)
    residual, correlation = accompany(1)
    assert residual == pytest.approx(0.0195, abs=0.0005)
    assert correlation == pytest.approx(0.62, abs=0.02)


def test_four_resamples_are_near_the_exact_posterior() -> None:
    residual, correlation = accompany(4)
    assert residual == pytest.approx(0.0116, rel=0.07)
    assert correlation == pytest.approx(CORRELATION, abs=0.04)


def test_the_given_stems_come_back_as_they_were() -> None:
    x = band()
    drawn = generate_stems(denoise, x, GIVEN, Sampling(steps=4), rng=rng())
    assert torch.equal(drawn[:, :2], x[:, :2])


def test_what_is_not_given_is_not_heard() -> None:
    x = band()
    silent = torch.where(GIVEN[..., None], x, 0.0)
    one, other = (generate_stems(denoise, given, GIVEN, Sampling(steps=4), rng=rng()) for given in (x, silent))
    assert torch.equal(one, other)


def test_silence_that_is_given_is_heard() -> None:
    drawn = generate_stems(denoise, torch.zeros(1, STEMS, SAMPLES), GIVEN, Sampling(steps=64), rng=rng())
    assert drawn[0, 2:].var() < 0.6 * VARIANCE


NOTHING = torch.zeros(2, STEMS, dtype=torch.bool)


def test_without_conditioning_a_whole_band_is_drawn() -> None:
    """The covariance comes out up to 12 % too small: Euler steps, with noise added anew, shrink what they draw."""
    drawn = generate_stems(denoise, torch.zeros(1, STEMS, SAMPLES), NOTHING[:1], UNCONDITIONAL, rng=rng())
    torch.testing.assert_close(torch.cov(drawn[0]), COVARIANCE, rtol=0.15, atol=0)


def test_each_item_has_noise_of_its_own() -> None:
    bands = generate_stems(denoise, torch.zeros(2, STEMS, SAMPLES), NOTHING, Sampling(steps=32, churn=0.0), rng=rng())
    assert abs(torch.corrcoef(bands[:, 0])[0, 1]) < 0.03


def test_a_seed_decides_all() -> None:
    x = band()
    one, same, other = (generate_stems(denoise, x, GIVEN, Sampling(steps=4), rng=rng(seed)) for seed in (3, 3, 4))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


@pytest.mark.parametrize(("resamples", "calls"), [(1, 8), (3, 24)])
def test_the_network_is_called_once_a_step_and_resample(resamples: int, calls: int) -> None:
    levels = []

    def spy(x: Tensor, sigma: float) -> Tensor:
        levels.append(sigma)
        return denoise(x, sigma)

    sampling = Sampling(steps=8, resamples=resamples)
    generate_stems(spy, band(), GIVEN, sampling, rng=rng())
    assert len(levels) == calls
    assert levels[0] == pytest.approx(20 * 2**0.5)  # S_churn of 10 in 8 steps: the limit of EDM


def test_the_published_schedules() -> None:
    sigmas = PARTIAL.sigmas()
    assert len(sigmas) == 257
    assert (sigmas[0], sigmas[-2], sigmas[-1]) == (pytest.approx(20), pytest.approx(1e-4), 0)
    assert sigmas == sorted(sigmas, reverse=True)
    assert PARTIAL.gamma == 10 / 256
    assert (UNCONDITIONAL.steps, SEPARATION.sigma_max) == (150, 1)


LEVELS = torch.rand(STEMS, SAMPLES, generator=rng(5)) ** 6 * 0.09 + 1e-4
"""Variance of each sample of each stem: the stems are loud at different times."""


def denoise_levels(x: Tensor, sigma: float) -> Tensor:
    return x * LEVELS / (LEVELS + sigma**2)


@pytest.mark.parametrize("dependent", [0, 1])
def test_separated_stems_are_drawn_from_the_posterior(dependent: int) -> None:
    stems = LEVELS.sqrt() * torch.randn(1, STEMS, SAMPLES, generator=rng(6))
    mixture = stems.sum(dim=1)
    drawn = separate_stems(denoise_levels, mixture, STEMS, rng=rng(), dependent=dependent)
    torch.testing.assert_close(drawn.sum(dim=1), mixture, rtol=0, atol=1e-6)
    mean = LEVELS / LEVELS.sum(dim=0) * mixture
    spread = (LEVELS - LEVELS**2 / LEVELS.sum(dim=0)).mean()
    assert (drawn - mean).square().mean().item() == pytest.approx(spread.item(), rel=0.15)


SLOW_SEPARATION = Sampling(steps=200, sigma_max=1.0, churn=0.0, resamples=16)


@pytest.mark.parametrize(
    ("sampling", "two", "four"),
    [
        (SEPARATION, 0.83, 0.88),
        (replace(SEPARATION, resamples=1), 0.75, 0.84),
        (replace(SEPARATION, steps=1500, churn=0.0, resamples=1), 0.07, 0.64),
        (GAUSSIAN_SEPARATION, 0.87, 0.87),
        (SLOW_SEPARATION, 0.95, 0.96),
    ],
)
def test_published_separation_shrinks_the_variance_of_stems(sampling: Sampling, two: float, four: float) -> None:
    """The posterior of equal stems that sum to a mixture is known; the table of docs/msdm.md, to within 0.02."""
    for stems, expected in ((2, two), (4, four)):
        mixture = math.sqrt(stems * VARIANCE) * torch.randn(1, SAMPLES, generator=rng(2))

        def shrink(x: Tensor, sigma: float) -> Tensor:
            return x * (VARIANCE / (VARIANCE + sigma**2))

        drawn = separate_stems(shrink, mixture, stems, sampling, rng=rng())
        exact = VARIANCE * (1 - 1 / stems)
        variance = (drawn - mixture[:, None] / stems).square().mean().item()
        assert variance / exact == pytest.approx(expected, abs=0.02)


def test_a_gaussian_likelihood_lets_the_sum_deviate_by_little() -> None:
    stems = LEVELS.sqrt() * torch.randn(1, STEMS, SAMPLES, generator=rng(6))
    mixture = stems.sum(dim=1)
    drawn = separate_stems(denoise_levels, mixture, STEMS, GAUSSIAN_SEPARATION, rng=rng())
    deviation = (drawn.sum(dim=1) - mixture).std().item()
    assert 0 < deviation < 2e-3


@pytest.mark.parametrize(
    "changes",
    [
        {"steps": 1},
        {"resamples": 0},
        {"sigma_min": 0.0},
        {"sigma_max": 1e-5},
        {"rho": 0.0},
        {"churn": -1.0},
        {"likelihood": -1.0},
    ],
)
def test_schedules_that_make_no_sense_are_refused(changes: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=next(iter(changes))):
        Sampling(**changes)


@pytest.mark.parametrize("mask", [torch.ones(1, 3, dtype=torch.bool), torch.ones(1, STEMS)])
def test_masks_that_do_not_fit_are_refused(mask: Tensor) -> None:
    with pytest.raises(UsageError, match="mask must hold booleans of shape"):
        generate_stems(denoise, band(), mask, rng=rng())


@pytest.mark.parametrize(("stems", "dependent"), [(1, 0), (4, 4)])
def test_separation_needs_a_stem_that_is_the_rest(stems: int, dependent: int) -> None:
    with pytest.raises(UsageError, match="stems must be at least two, and dependent the index of one"):
        separate_stems(denoise, torch.zeros(1, 10), stems, rng=rng(), dependent=dependent)
