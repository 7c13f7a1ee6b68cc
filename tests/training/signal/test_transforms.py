"""Transposition moves pitch alone, stretching moves time alone, the equaliser does what its coefficients say."""

import math

import pytest
import torch

from cocola_metric.training.signal.transforms import equalise, noise_like, stretch, transpose

RATE = 16_000


def tone(frequency: float, seconds: float = 3.0) -> torch.Tensor:
    return torch.sin(2 * math.pi * frequency * torch.arange(round(seconds * RATE)) / RATE)[None]


def pitch(waveform: torch.Tensor) -> float:
    middle = waveform[0, RATE // 2 : -RATE // 2]
    return torch.fft.rfft(middle * torch.hann_window(len(middle))).abs().argmax().item() * RATE / len(middle)


@pytest.mark.parametrize("semitones", [-6, -1, -0.5, 0.5, 1, 3])
def test_transposing_moves_the_pitch_and_not_the_length(semitones: float) -> None:
    raised = transpose(tone(440.0), semitones)
    assert raised.shape == (1, 3 * RATE)
    assert pitch(raised) == pytest.approx(440 * 2 ** (semitones / 12), rel=0.003)


@pytest.mark.parametrize("rate", [0.96, 1.04])
def test_stretching_moves_the_clicks_and_not_the_pitch(rate: float) -> None:
    clicks = torch.zeros(1, 4 * RATE)
    clicks[0, RATE // 2 :: RATE // 2] = 1.0
    played = stretch(clicks, rate, 3 * RATE)[0].abs()
    assert len(played) == 3 * RATE
    second_click = played[round(0.8 * RATE) : round(1.2 * RATE)].argmax().item() / RATE + 0.8
    assert second_click == pytest.approx(1.0 / rate, abs=0.016)
    assert pitch(stretch(tone(440.0, 4.0), rate, 3 * RATE)) == pytest.approx(440, rel=0.003)


@pytest.mark.parametrize("change", [lambda x: transpose(x, 0.5), lambda x: transpose(x, -0.5)], ids=["up", "down"])
def test_onsets_stay_sharp_and_in_their_places(change) -> None:
    """What moves or smears them does so in all stems alike, and tells which two were transposed by the same amount."""
    onsets = [3_100, 12_345, 20_011, 31_777, 47_000, 58_500, 70_200]
    generator = torch.Generator().manual_seed(0)
    bursts = torch.zeros(16, 5 * RATE)
    for onset in onsets:
        fading = torch.exp(-torch.arange(800) / 120)
        bursts[:, onset : onset + 800] = torch.randn(16, 800, generator=generator) * fading
    heard, original = (x.square().mean(0) for x in (change(bursts), bursts))

    def near(power: torch.Tensor, onset: int) -> torch.Tensor:
        return power[onset - 800 : onset + 1600]

    def centre(power: torch.Tensor) -> float:
        return ((power * torch.arange(len(power))).sum() / power.sum()).item()

    for onset in onsets:
        moved = centre(near(heard, onset)) - centre(near(original, onset))
        early = near(heard, onset)[:720].sum() / near(heard, onset).sum()  # more than 5 ms early
        assert abs(moved) < 0.004 * RATE and early < 0.25, (onset, moved, early)


def test_music_that_ends_too_early_is_followed_by_silence() -> None:
    assert stretch(tone(440.0, 1.0), 1.04, 2 * RATE)[0, -RATE // 2 :].abs().max() < 1e-3


def test_the_equaliser() -> None:
    noise = torch.randn(2, RATE, generator=torch.Generator().manual_seed(0))
    flat = torch.zeros(2, 2, 4)
    no_cutoff = torch.full((2,), 1e6)
    assert torch.allclose(equalise(noise, flat, no_cutoff, RATE), noise, atol=1e-5)
    flat[0, 0, 0] = 6.0  # +6 dB at the lowest octave, -6 dB at the highest
    tilted = torch.fft.rfft(equalise(noise, flat, no_cutoff, RATE)).abs() / torch.fft.rfft(noise).abs()
    assert tilted[0, 40] == pytest.approx(10 ** (6 / 20), rel=0.01)
    assert tilted[0, 7990] == pytest.approx(10 ** (-6 / 20), rel=0.01)
    assert torch.allclose(tilted[1], torch.ones_like(tilted[1]), atol=1e-3)
    low = torch.fft.rfft(equalise(noise, torch.zeros(2, 2, 4), torch.tensor([2000.0, 1e6]), RATE)).abs()
    ratio = low / torch.fft.rfft(noise).abs()
    assert ratio[0, 2000] == pytest.approx(0.5**0.5, rel=0.01) and ratio[0, 4000] < 0.01 and ratio[0, 1000] > 0.99


def test_noise_like_music_has_its_spectrum_and_nothing_else() -> None:
    time = torch.arange(5 * RATE) / RATE
    music = (torch.sin(2 * torch.pi * 440 * time) * (time % 0.5 < 0.1))[None]
    noise = noise_like(music, torch.Generator().manual_seed(0))
    assert noise.square().mean() == pytest.approx(music.square().mean().item(), rel=0.1)
    power = torch.fft.rfft(noise).abs().square()[0]
    assert power[5 * 300 : 5 * 600].sum() > 0.9 * power.sum()
    loudness = noise.unfold(1, RATE // 10, RATE // 10).square().mean(-1)
    assert loudness.min() > 0.4 * loudness.mean()  # no pulse is left
    assert torch.equal(noise, noise_like(music, torch.Generator().manual_seed(0)))
    assert not noise_like(torch.zeros(1, RATE), torch.Generator().manual_seed(0)).any()
