"""A singing voice: it has the pitch of its notes, moves between them, and is silent in rests."""

import numpy as np

from cocola_metric.training.rendering.notation import Note
from cocola_metric.training.rendering.voice import SAMPLE_RATE, sing

MELODY = (Note(0.2, 1.2, 57, 90), Note(1.2, 2.2, 64, 90), Note(3.0, 3.9, 60, 90))


def pitch_of(sound: np.ndarray) -> float:
    """Return the lag at which a sound is most like itself, as a MIDI pitch."""
    spectrum = np.abs(np.fft.rfft(sound, 2 * len(sound))) ** 2
    likeness = np.fft.irfft(spectrum)[: len(sound)]
    lags = slice(SAMPLE_RATE // 600, SAMPLE_RATE // 80)
    lag = lags.start + int(np.argmax(likeness[lags]))
    return 69 + 12 * np.log2(SAMPLE_RATE / lag / 440)


def test_notes_are_sung_at_their_pitch_and_rests_are_silent() -> None:
    sung = sing(MELODY, 4.0, np.random.default_rng(1))
    assert sung.shape == (4 * SAMPLE_RATE,) and sung.dtype == np.float32
    for note in MELODY:
        middle = sung[int((note.start + 0.35) * SAMPLE_RATE) : int((note.end - 0.15) * SAMPLE_RATE)]
        assert abs(pitch_of(middle) - note.pitch) < 0.7
    rest = sung[int(2.4 * SAMPLE_RATE) : int(2.85 * SAMPLE_RATE)]
    assert np.abs(rest).max() < 0.01 * np.abs(sung).max()


def test_the_generator_decides_everything() -> None:
    first, again, other = (sing(MELODY, 4.0, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.01


def test_without_notes_nothing_is_sung() -> None:
    assert np.abs(sing((), 1.0, np.random.default_rng(0))).max() == 0
