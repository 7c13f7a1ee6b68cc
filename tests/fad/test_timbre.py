"""The embedder of sound alone."""

import numpy as np
import torch

from cocola_metric.fad.embedders import new_embedder
from cocola_metric.fad.timbre import TimbreEmbedder

RATE = 16_000


def test_a_row_a_second() -> None:
    embedder = new_embedder("timbre")
    assert embedder.embed(torch.randn(5 * RATE + 100)).shape == (5, 128)
    assert embedder.embed(torch.randn(RATE // 2)).shape == (1, 128)
    assert np.isfinite(embedder.embed(torch.zeros(2 * RATE))).all()


def test_it_hears_colour_and_neither_beat_nor_key() -> None:
    embedder = TimbreEmbedder()
    generator = torch.Generator().manual_seed(0)
    noise = 0.1 * torch.randn(4 * RATE, generator=generator)
    pulses = noise * (torch.arange(4 * RATE) % 4000 < 1000)
    late = pulses.roll(2000)
    dull = torch.fft.irfft(torch.fft.rfft(pulses) * (torch.fft.rfftfreq(4 * RATE, 1 / RATE) < 2000), 4 * RATE)
    here, shifted, coloured = (embedder.embed(clip) for clip in (pulses, late, dull))
    assert np.abs(here - shifted).mean() < 0.2 * np.abs(here - coloured).mean()
