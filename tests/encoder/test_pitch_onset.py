"""What the images of our own front end show."""

import numpy as np
import pytest
import torch

from cocola_metric.encoder import spectra
from cocola_metric.encoder.front_end_modules import FrontEndModule
from cocola_metric.encoder.front_ends import ArrayFrontEnd
from cocola_metric.encoder.pitch_onset import (
    LEAST_FRAMES,
    LOWEST_PITCH_HZ,
    ROWS,
    ROWS_PER_OCTAVE,
    pitch_filterbank,
)

SECOND = 16_000
ROUNDING = 1e-4  # dB


def tone(hertz: float, seconds: float = 2.0) -> torch.Tensor:
    time = torch.arange(round(seconds * SECOND), dtype=torch.float64) / SECOND
    return (0.1 * torch.sin(2 * torch.pi * hertz * time)).float()[None]


def loudest_row(waveform: torch.Tensor) -> int:
    return int(FrontEndModule("pitch_onset")(waveform)[0, 0].mean(-1).argmax())


def test_shape_and_frames() -> None:
    front_end = FrontEndModule("pitch_onset")
    assert front_end(torch.randn(2, 5 * SECOND)).shape == (2, 2, ROWS, 251)
    assert front_end(torch.randn(1, 400)).shape == (1, 2, ROWS, LEAST_FRAMES + 1)


def test_a_semitone_is_two_rows_over_four_octaves() -> None:
    """Also where the paper's 64 mels have one band for several notes."""
    for semitones in range(14, 58):
        hertz = LOWEST_PITCH_HZ * 2 ** (semitones / 12)
        assert loudest_row(tone(hertz)) == 2 * semitones


def test_a_click_is_seen_when_it_sounds() -> None:
    waveform = 1e-4 * torch.randn(1, 2 * SECOND)
    waveform[0, SECOND : SECOND + 16] += 0.5
    frame = int(FrontEndModule("pitch_onset")(waveform)[0, 1].mean(0).argmax())
    assert abs(frame - 50) <= 1


def test_what_is_steady_and_what_is_sudden_go_apart() -> None:
    front_end = FrontEndModule("pitch_onset")
    clicks = torch.zeros(1, 2 * SECOND)
    clicks[0, ::8000] = 1.0
    both = front_end(tone(440.0) + clicks)[0]
    row = round(ROWS_PER_OCTAVE * np.log2(440.0 / LOWEST_PITCH_HZ))
    assert both[0, row].median() > -6.0  # the tone goes on
    onsets = both[1].mean(0)
    assert onsets[[25, 50, 75]].min() > onsets[[12, 37, 62]].max() + 20.0  # between the clicks there is nothing


def test_filters_cover_every_row() -> None:
    filterbank = pitch_filterbank()
    assert np.allclose(filterbank.sum(1), 1.0, atol=1e-5)
    assert (filterbank > 0).sum(1).min() >= 1


def test_what_windows_have_in_common_is_taken_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows of one audio every 2.5 s, every 5 s, every second, in another order, and of another audio in between."""
    audio = 0.1 * np.random.default_rng(0).standard_normal((2, 20 * SECOND)).astype(np.float32)
    starts = [(0, 0.0), (0, 2.5), (0, 5.0), (0, 10.0), (1, 12.5), (0, 12.5), (0, 8.5), (0, 9.5)]
    windows = np.stack([audio[row, round(start * SECOND) :][: 5 * SECOND] for row, start in starts])
    front_end = ArrayFrontEnd("pitch_onset")
    alone = np.concatenate([front_end(window[None]) for window in windows])
    taken_over = []

    def counted(before: np.ndarray, now: np.ndarray, hop: int) -> int:
        taken_over.append(found := shift(before, now, hop))
        return found

    shift = spectra._shift
    monkeypatch.setattr(spectra, "_shift", counted)
    assert np.abs(front_end(windows) - alone).max() < ROUNDING  # sums of products, by their place in a matrix
    assert taken_over == 2 * [125, 125, 0, 0, 0, 0, 50]
