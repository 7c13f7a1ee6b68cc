"""Samplers where the truth is known: every sample of every source is Gaussian, and so is their mixture.

For these laws the denoisers, the joint law that GMSDI's inference stands for, and all posteriors have closed forms. A
sampler is judged by the mean of what it draws, and by its variance about that mean.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from cocola_metric.training.evaluation import markdown_table

from .gmsdi_sampler import CoupledSampling, SeparationSampling, draw_sources, separate_sources
from .msdm_sampler import GAUSSIAN_SEPARATION, SEPARATION, Sampling, separate_stems
from .schedule import Schedule

SAMPLES = 40_000
"""Independent draws of each figure; the error of a variance is then 0.7 %."""
WIDTH = 0.1


@dataclass(frozen=True)
class GaussianBand:
    """Independent Gaussian sources, and mixtures of another variance than their sum would have.

    Attributes:
        variances: variance of each source, v_k; they sum to S.
        mixture: variance of the mixtures, s: above S, the sources of a mixture are in phase more often than by chance.
    """

    variances: tuple[float, ...]
    mixture: float

    @property
    def sources(self) -> int:
        """Number of sources."""
        return len(self.variances)

    def denoise(self, x: Tensor, levels: Tensor) -> Tensor:
        """Denoise exactly: (B, R, L), (B, R) -> (B, R, L); row K, if there is one, is the mixture."""
        variances = torch.tensor([*self.variances, self.mixture])[: x.shape[1]]
        return x * (variances / (variances + levels**2))[..., None]

    def denoise_at(self, x: Tensor, sigma: float) -> Tensor:
        """Denoise the sources exactly, all from one level: (B, K, L) -> (B, K, L)."""
        return self.denoise(x, torch.full(x.shape[:2], sigma))

    def covariance(self) -> Tensor:
        """Return the covariance of p(x) = prod_k p_k(x_k) p(y) / q(y): V + V 1 1^T V (s - S) / S^2, (K, K)."""
        v = torch.tensor(self.variances)
        return torch.diag(v) + torch.outer(v, v) * (self.mixture - v.sum()) / v.sum() ** 2

    def separation(self, width: float = 0.0) -> tuple[Tensor, Tensor]:
        """Return gain (K,) and covariance (K, K) of the sources, given their sum with noise of a standard deviation."""
        v = torch.tensor(self.variances)
        gain = v / (v.sum() + width**2)
        return gain, torch.diag(v) - torch.outer(gain, v)

    def accompaniment(self) -> tuple[Tensor, Tensor]:
        """Return gain (K - 1,) and covariance (K - 1, K - 1) of the other sources, given the first."""
        whole = self.covariance()
        gain = whole[1:, 0] / whole[0, 0]
        return gain, whole[1:, 1:] - torch.outer(gain, whole[0, 1:])


@dataclass(frozen=True)
class Drawn:
    """What a sampler made of a band.

    Attributes:
        mean_error: error of the gains, root mean square, in shares of the exact gains' root mean square.
        variances: variance of each source about its drawn mean, in shares of the exact one.
    """

    mean_error: float
    variances: tuple[float, ...]


def separated(
    band: GaussianBand, sampling: SeparationSampling | Sampling, *, samples: int = SAMPLES, seed: int = 0
) -> Drawn:
    """Separate mixtures of independent sources by GMSDI's or by MSDM's sampler, and compare.

    For GMSDI's Gaussian likelihood the mixtures hold noise of its width; MSDM's is a way of sampling alone.
    """
    rng = torch.Generator().manual_seed(seed)
    v = torch.tensor(band.variances)
    width = sampling.width if isinstance(sampling, SeparationSampling) and sampling.likelihood == "gaussian" else 0.0
    stems = v.sqrt()[:, None] * torch.randn(band.sources, samples, generator=rng)
    mixture = stems.sum(dim=0) + width * torch.randn(samples, generator=rng)
    if isinstance(sampling, SeparationSampling):
        (drawn,) = separate_sources(band.denoise, mixture[None], band.sources, sampling, rng=rng, powers=v)
    else:
        (drawn,) = separate_stems(band.denoise_at, mixture[None], band.sources, sampling, rng=rng)
    return _compare(drawn, mixture, *band.separation(width))


def accompanied(band: GaussianBand, sampling: CoupledSampling, *, samples: int = SAMPLES, seed: int = 0) -> Drawn:
    """Draw all sources but the first, which is given, and compare."""
    rng = torch.Generator().manual_seed(seed)
    v = torch.tensor(band.variances)
    given = torch.zeros(1, band.sources, samples)
    given[0, 0] = band.covariance()[0, 0].sqrt() * torch.randn(samples, generator=rng)
    mask = (torch.arange(band.sources) == 0)[None]
    drawn = draw_sources(band.denoise, given, mask, sampling, rng=rng, powers=v)[0]
    return _compare(drawn[1:], given[0, 0], *band.accompaniment())


def generated(band: GaussianBand, sampling: CoupledSampling, *, samples: int = SAMPLES, seed: int = 0) -> Tensor:
    """Draw all sources; return their variances and, last, that of their sum, in shares of the exact ones: (K + 1,)."""
    rng = torch.Generator().manual_seed(seed)
    nothing = torch.zeros(1, band.sources, samples)
    mask = torch.zeros(1, band.sources, dtype=torch.bool)
    powers = torch.tensor(band.variances)
    drawn = draw_sources(band.denoise, nothing, mask, sampling, rng=rng, powers=powers)[0]
    exact = torch.cat([band.covariance().diag(), torch.tensor([band.mixture])])
    return torch.cat([drawn.square().mean(dim=1), drawn.sum(dim=0).square().mean()[None]]) / exact


def _compare(drawn: Tensor, given: Tensor, gain: Tensor, covariance: Tensor) -> Drawn:
    found = (drawn * given).mean(dim=1) / given.square().mean()
    error = (found - gain).square().mean().sqrt() / gain.square().mean().sqrt()
    rest = drawn - found[:, None] * given
    return Drawn(error.item(), tuple((rest.square().mean(dim=1) / covariance.diag()).tolist()))


EQUAL = GaussianBand((0.04, 0.04), 0.144)
UNEQUAL = GaussianBand((0.04, 0.01), 0.082)
FOUR = GaussianBand((0.04, 0.02, 0.01, 0.005), 0.15)
BANDS = {"two alike": EQUAL, "two, 6 dB apart": UNEQUAL, "four, 9 dB apart": FOUR}


def tables() -> Iterator[str]:
    """Yield the tables of docs/gmsdi.md that compare samplers with the truth."""
    yield "### Separation"
    yield markdown_table(["sampler", "schedule", "band", "error of the mean", "variances / exact"], _separations())
    yield "### Accompaniment"
    yield markdown_table(["given", "schedule", "band", "error of the mean", "variances / exact"], _accompaniments())
    yield "### Generation"
    yield markdown_table(["schedule", "band", "variances / exact", "variance of the mixture / exact"], _generations())


def _separations() -> list[list[str]]:
    mine = SeparationSampling()
    cases: dict[str, list[SeparationSampling | Sampling]] = {
        "MSDM, Dirac": [replace(SEPARATION, churn=0.0, resamples=1), replace(SEPARATION, resamples=1), SEPARATION],
        "MSDM, Gaussian": [GAUSSIAN_SEPARATION],
        "GMSDI, Dirac": [mine, replace(mine, steps=600)],
        "GMSDI, Gaussian": [replace(mine, likelihood="gaussian", width=WIDTH)],
    }
    return [
        [name, _schedule(case), title, f"{drawn.mean_error:.1%}", _shares(drawn.variances)]
        for name, rows in cases.items()
        for case in rows
        for title, band in BANDS.items()
        for drawn in [separated(band, case)]
    ]


def _accompaniments() -> list[list[str]]:
    noisy, clean = CoupledSampling(resamples=1), CoupledSampling(resamples=1, given="clean")
    cases = [replace(noisy, resamples=count) for count in (1, 2, 4)] + [clean, replace(clean, steps=256)]
    return [
        [case.given, _schedule(case), name, f"{drawn.mean_error:.1%}", _shares(drawn.variances)]
        for case in cases
        for name, band in BANDS.items()
        for drawn in [accompanied(band, case)]
    ]


def _generations() -> list[list[str]]:
    plain = CoupledSampling(resamples=1)
    cases = [plain, replace(plain, steps=256), replace(plain, coherence=0.0)]
    return [
        [_schedule(case), name, _shares(shares[:-1]), f"{shares[-1]:.2f}"]
        for case in cases
        for name, band in BANDS.items()
        for shares in [generated(band, case).tolist()]
    ]


def _schedule(sampling: Schedule) -> str:
    words = [f"{sampling.steps} steps", f"churn {sampling.churn:g}", f"resamples {sampling.resamples}"]
    if isinstance(sampling, CoupledSampling) and sampling.coherence != 1:
        words.append(f"coherence {sampling.coherence:g}")
    return ", ".join(words)


def _shares(values: tuple[float, ...] | list[float]) -> str:
    return ", ".join(f"{value:.2f}" for value in values)


def run() -> None:
    """Print the tables."""
    torch.set_num_threads(1)
    for part in tables():
        sys.stdout.write(part + "\n\n")
