"""Noise as a wrong accompaniment."""

import pytest
import torch

from cocola_metric.training.encoder.noises import below_others, draw_noises, noise_loss

TRACKS = torch.tensor([0, 0, 1, 1])


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def slope(waveforms: torch.Tensor) -> torch.Tensor:
    """Return how much louder the lowest eighth of the spectrum is than the highest, in dB."""
    power = torch.fft.rfft(waveforms).abs().square()
    eighth = power.shape[-1] // 8
    return 10 * torch.log10(power[:, :eighth].mean(-1) / power[:, -eighth:].mean(-1))


def test_a_third_of_the_noises_is_white_and_the_others_are_coloured() -> None:
    noises = draw_noises(12, generator())
    assert noises.shape == (12, 80000)
    assert slope(noises[:4]).abs().max() < 1
    assert (slope(noises[4:]).abs() > 2).float().mean() > 0.7
    assert slope(draw_noises(3, generator(), white=True)).abs().max() < 1


def test_noise_costs_as_much_as_it_scores_above_music_of_other_tracks() -> None:
    similarities = torch.zeros(4, 4)
    quiet, loud = torch.full((4, 2), -20.0), torch.full((4, 2), 20.0)
    assert noise_loss(similarities, quiet, TRACKS, generator()) < 1e-6
    assert noise_loss(similarities, loud, TRACKS, generator()) == pytest.approx(20, abs=1e-4)
    similarities[TRACKS[:, None] == TRACKS] = -100.0  # of one track: not compared
    assert noise_loss(similarities, quiet, TRACKS, generator()) < 1e-6
    assert below_others(similarities, quiet, TRACKS) == 1
    assert below_others(similarities, loud, TRACKS) == 0


def test_without_another_track_noise_costs_nothing() -> None:
    assert noise_loss(torch.zeros(2, 2), torch.ones(2, 3), torch.zeros(2), generator()) == 0
