"""Noise as a wrong accompaniment: random draws, and the loss that puts it below the music of other tracks."""

import math

import torch
from torch import Tensor
from torch.nn.functional import softplus

from cocola_metric.audio import SAMPLE_RATE, WINDOW

from ..signal import equalise
from .batches import CUTOFF_RANGE_HZ, EQUALISER_BELLS, LEVEL_RANGE_DBFS, NO_CUTOFF_HZ

STEEPEST_SLOPE = -6.0  # dB an octave: brown noise
BELL_DB = 4.0
LOW_PASS = 0.3
OTHERS = 9
"""Accompaniments of other tracks that a noise is compared with."""


def draw_noises(count: int, generator: torch.Generator, *, white: bool = False) -> Tensor:
    """Return windows of noise: a third white, the others coloured by a slope, bells and low-passes; or all white.

    Shape:
        -> (count, L).
    """
    waveforms = torch.randn(count, round(WINDOW * SAMPLE_RATE), generator=generator)
    if not white:
        coloured = waveforms[count // 3 :]
        waveforms = torch.cat([waveforms[: count // 3], _colour(coloured, generator)])
    lowest, highest = LEVEL_RANGE_DBFS
    levels = lowest + (highest - lowest) * torch.rand(count, 1, generator=generator)
    return waveforms * 10 ** (levels / 20) / waveforms.square().mean(-1, keepdim=True).sqrt()


def _colour(waveforms: Tensor, generator: torch.Generator) -> Tensor:
    count, length = waveforms.shape
    octaves = torch.log2(torch.fft.rfftfreq(length, 1 / SAMPLE_RATE).clamp(min=20.0) / 1000)
    slopes = STEEPEST_SLOPE * torch.rand(count, 1, generator=generator)
    sloping = torch.fft.irfft(torch.fft.rfft(waveforms) * 10 ** (slopes * octaves / 20), n=length)
    order = torch.arange(1, EQUALISER_BELLS + 1)
    gains = BELL_DB * torch.randn(count, EQUALISER_BELLS, generator=generator) / order
    phases = 2 * math.pi * torch.rand(count, EQUALISER_BELLS, generator=generator)
    least, most = CUTOFF_RANGE_HZ
    cutoffs = least + (most - least) * torch.rand(count, generator=generator)
    cutoffs[torch.rand(count, generator=generator) >= LOW_PASS] = NO_CUTOFF_HZ
    return equalise(sloping, torch.stack([gains, phases], 1), cutoffs, SAMPLE_RATE)


def noise_loss(similarities: Tensor, noises: Tensor, tracks: Tensor, generator: torch.Generator) -> Tensor:
    """Return the loss of noise against accompaniments of other tracks: 0 if noise scores far below them.

    Args:
        similarities: similarities of each conditioning with every accompaniment.
        noises: similarities of each conditioning with windows of noise.
        tracks: number of each pair's track.
        generator: random generator of the accompaniments that each noise is compared with.

    Shape:
        (K, K), (K, n), (K,) -> ().
    """
    size = len(similarities)
    others = torch.randint(size, (size, OTHERS), generator=generator)
    compared = similarities.gather(1, others)  # minus infinity where the two are encoded in other modes
    unrelated = (tracks[:, None] != tracks[others]) & compared.isfinite()
    too_high = softplus(noises[:, None] - compared[..., None]).mean(-1)
    mean: Tensor = too_high[unrelated].mean() if unrelated.any() else too_high.sum() * 0
    return mean


def below_others(similarities: Tensor, noises: Tensor, tracks: Tensor) -> float:
    """Return the share of accompaniments of other tracks that score above noise, from (K, K), (K, n), (K,)."""
    unrelated = tracks[:, None] != tracks[None, :]
    return float((similarities[..., None] > noises[:, None]).float().mean(-1)[unrelated].mean())
