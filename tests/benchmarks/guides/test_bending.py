"""The term of guidance: its norm, its schedule, and posteriors of Gaussian sources that are known in closed form."""

import math
from dataclasses import replace

import pytest
import torch
from diffusers import DDIMScheduler
from torch import Tensor

from cocola_metric.benchmarks.generators.componet_guided import GuidedPredictor
from cocola_metric.benchmarks.generators.gaussian import UNEQUAL
from cocola_metric.benchmarks.generators.gmsdi_sampler import (
    CoupledSampling,
    SeparationSampling,
    draw_sources,
    separate_sources,
)
from cocola_metric.benchmarks.generators.msdm_sampler import Sampling, generate_stems, guided, separate_stems
from cocola_metric.benchmarks.guides import Bending, Guidance, bend

SAMPLES = 20_000
FREE = Guidance("toy", limit=1e9)
TILT = torch.tensor([3.0, -2.0])
"""The score of a pair of sources is linear: 3 and -2 times the sum of their samples."""
NOTHING = torch.zeros(1, 2, SAMPLES)
NONE = torch.zeros(1, 2, dtype=torch.bool)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def linear(estimate: Tensor) -> Tensor:
    return TILT[:, None].expand_as(estimate)


def bending(weight: float = 1.0, **changes: object) -> Bending:
    return Bending(linear, replace(FREE, weight=weight, **changes), sigma_data=0.2)  # type: ignore[arg-type]


def test_what_is_added_has_no_more_than_its_share_of_the_norm_of_the_noise() -> None:
    noise, slope = torch.randn(2, 3, 4, 50, generator=rng())
    limited = Guidance("toy", weight=100.0, limit=0.25)
    shares = (bend(noise, slope, level=1.0, share=0.5, guidance=limited) - noise).flatten(1).norm(dim=1)
    torch.testing.assert_close(shares, 0.25 * noise.flatten(1).norm(dim=1))
    gentle = replace(limited, weight=0.01)
    added = bend(noise, slope, level=2.0, share=0.5, guidance=gentle) - noise
    torch.testing.assert_close(added, -0.02 * slope, rtol=1e-4, atol=1e-6)


def test_each_item_has_a_limit_of_its_own() -> None:
    noise = torch.ones(2, 1, 8)
    slope = torch.stack([torch.full((1, 8), 1e-3), torch.full((1, 8), 1e3)])
    bent = bend(noise, slope, level=1.0, share=0.5, guidance=Guidance("toy", limit=0.3))
    torch.testing.assert_close(bent[:, 0, 0], torch.tensor([1 - 1e-3, 0.7]))


def test_the_schedule_weighs_the_term() -> None:
    noise, slope = torch.ones(1, 1, 8), torch.ones(1, 1, 8)
    for schedule, share, kept in (
        ("constant", 0.9, 1.0),
        ("rising", 0.9, 0.1),
        ("late", 0.9, 0.0),
        ("early", 0.9, 1.0),
    ):
        guidance = Guidance("toy", weight=0.01, schedule=schedule)
        bent = bend(noise, slope, level=1.0, share=share, guidance=guidance)
        torch.testing.assert_close(bent, noise - 0.01 * kept)


def test_a_slope_that_is_not_finite_changes_nothing() -> None:
    noise = torch.ones(1, 1, 4)
    slope = torch.full((1, 1, 4), math.nan)
    assert torch.equal(bend(noise, slope, level=1.0, share=0.5, guidance=FREE), noise)


@pytest.mark.parametrize("off", [{"weight": 0.0}, {"schedule": "late"}])
def test_steps_without_weight_ask_no_guide(off: dict[str, object]) -> None:
    def never(estimate: Tensor) -> Tensor:
        raise AssertionError

    guiding = Bending(never, replace(FREE, **off), sigma_data=0.2)  # type: ignore[arg-type]
    x = torch.randn(1, 2, 9, generator=rng())
    assert torch.equal(guiding(lambda noisy: 0.5 * noisy, x, 1.0), 0.5 * x)


def test_of_one_step_the_guided_estimate_is_the_posterior_mean() -> None:
    """N(0, v) times exp(w a x), seen through noise: the mean is J x + w v (1 - J) a, where J = v / (v + sigma^2)."""
    v, sigma, x = 0.04, 0.3, torch.randn(1, 2, 5, generator=rng())
    gain = v / (v + sigma**2)
    estimate = bending(0.7)(lambda noisy: gain * noisy, x, sigma)
    torch.testing.assert_close(estimate, gain * x + 0.7 * v * (1 - gain) * TILT[:, None])


def shifted(drawn: Tensor, plain: Tensor, covariance: Tensor, weight: float) -> None:
    """Sources of N(m, C) times exp(w a x) are N(m + w C a, C); only the noise at the start knows no shift yet."""
    shift = (drawn - plain)[0].mean(dim=1)
    torch.testing.assert_close(shift, weight * covariance @ TILT, rtol=0.02, atol=2e-4)
    torch.testing.assert_close(torch.cov(drawn[0]), torch.cov(plain[0]), rtol=0.02, atol=1e-4)


def test_a_whole_band_of_msdm_is_drawn_from_the_tilted_law() -> None:
    covariance = torch.tensor([[0.04, 0.024], [0.024, 0.04]])

    def denoise(x: Tensor, sigma: float) -> Tensor:
        return covariance @ torch.linalg.inv(covariance + sigma**2 * torch.eye(2)) @ x

    sampling = Sampling(steps=400, churn=0.0, sigma_max=50.0)
    drawn, plain = (
        generate_stems(one, NOTHING, NONE, sampling, rng=rng()) for one in (guided(denoise, bending(0.8)), denoise)
    )
    shifted(drawn, plain, covariance, 0.8)


def test_a_whole_band_of_gmsdi_is_drawn_from_the_tilted_law() -> None:
    sampling, powers = CoupledSampling(steps=400, churn=0.0, sigma_max=50.0), torch.tensor(UNEQUAL.variances)
    drawn, plain = (
        draw_sources(UNEQUAL.denoise, NOTHING, NONE, sampling, rng=rng(), powers=powers, guiding=one)
        for one in (bending(0.8), None)
    )
    shifted(drawn, plain, UNEQUAL.covariance(), 0.8)


def test_guided_separation_of_gmsdi_has_the_tilted_posterior_and_sums_to_the_mixture() -> None:
    powers = torch.tensor(UNEQUAL.variances)
    mixture = (powers.sqrt()[:, None] * torch.randn(2, SAMPLES, generator=rng(1))).sum(dim=0)[None]
    sampling = SeparationSampling(steps=400, churn=0.0, sigma_max=50.0)
    drawn, plain = (
        separate_sources(UNEQUAL.denoise, mixture, 2, sampling, rng=rng(), powers=powers, guiding=one)
        for one in (bending(2.0), None)
    )
    torch.testing.assert_close(drawn.sum(dim=1), mixture, atol=2e-3, rtol=0)
    _, covariance = UNEQUAL.separation()
    shifted(drawn, plain, covariance, 2.0)


def test_guided_separation_of_msdm_sums_to_the_mixture_and_moves_towards_the_score() -> None:
    """Its Dirac sampler draws too little variance (docs/msdm.md), and so moves too little: 60 % of the exact shift."""
    mixture = torch.randn(1, SAMPLES, generator=rng(1)) * sum(UNEQUAL.variances) ** 0.5
    denoisers = (guided(UNEQUAL.denoise_at, bending(2.0)), UNEQUAL.denoise_at)
    drawn, plain = (separate_stems(one, mixture, 2, Sampling(steps=100, sigma_max=1.0), rng=rng()) for one in denoisers)
    torch.testing.assert_close(drawn.sum(dim=1), mixture, atol=1e-5, rtol=0)
    shift, exact = (drawn - plain)[0].mean(dim=1), 2.0 * UNEQUAL.separation()[1] @ TILT
    assert ((0.2 * exact).abs() < shift.abs()).all() and (shift.sign() == exact.sign()).all()
    assert (shift.abs() < 1.2 * exact.abs()).all()


class Exact(torch.nn.Module):
    """The noise in latents of variance v, predicted exactly."""

    variance = 0.25

    def __init__(self, alphas: Tensor) -> None:
        super().__init__()
        self.unet, self.alphas = torch.nn.Identity(), alphas

    def forward(self, noisy: Tensor, timestep: Tensor, text: object, condition: Tensor) -> Tensor:
        alpha = self.alphas[timestep]
        return (1 - alpha).sqrt() * noisy / (alpha * self.variance + 1 - alpha)


def test_latents_of_componet_are_drawn_from_the_tilted_law() -> None:
    """DDIM in 200 steps; waveforms are twice the latents."""
    scheduler = DDIMScheduler(1000, 0.0001, 0.02, clip_sample=False, set_alpha_to_one=True, timestep_spacing="trailing")
    scheduler.set_timesteps(200)
    exact = Exact(scheduler.alphas_cumprod)
    tilted = GuidedPredictor(
        exact, scheduler, lambda latents: 2 * latents.flatten(1), torch.ones_like, replace(FREE, weight=1.5)
    )
    noise, ends = torch.randn(1, 1, 100, 100, generator=rng()), []
    for predictor in (tilted, exact):
        latents = noise
        for timestep in scheduler.timesteps:
            latents = scheduler.step(predictor(latents, timestep, None, noise), timestep, latents).prev_sample
        ends.append(latents)
    shift = (ends[0] - ends[1]).mean().item()
    assert shift == pytest.approx(2 * 1.5 * Exact.variance, rel=0.03)
    assert ends[0].var().item() == pytest.approx(ends[1].var().item(), rel=0.01)
    assert ends[1].var().item() == pytest.approx(Exact.variance, rel=0.05)
