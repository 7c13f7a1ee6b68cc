"""Swing, a tempo that breathes, turns: what all parts do together stays together."""

import numpy as np
import pytest

from cocola_metric.training.rendering.notation import Bend, Note, Part
from cocola_metric.training.rendering.playing import (
    breathing_clock,
    by_clock,
    play_loosely,
    swing_clock,
    take_turns,
)

QUARTER = 0.5
EIGHTHS = Part("eighths", tuple(Note(number * 0.25, number * 0.25 + 0.2, 60, 80) for number in range(32)))


def starts(part: Part) -> np.ndarray:
    return np.array([note.start for note in part.notes])


def test_swing_delays_every_second_eighth_alone() -> None:
    swung = starts(by_clock(EIGHTHS, swing_clock(QUARTER, 2 / 3)))
    np.testing.assert_allclose(swung[::2], starts(EIGHTHS)[::2])
    np.testing.assert_allclose(swung[1::2] - swung[::2], QUARTER * 2 / 3)


def test_a_band_breathes_together_and_arrives_in_time() -> None:
    clock = breathing_clock(QUARTER, 60.0, 0.03, np.random.default_rng(0))
    beats = clock(np.arange(0, 60, QUARTER))
    lengths = np.diff(beats)
    assert lengths.min() > 0 and 0.01 < lengths.std() / QUARTER < 0.06
    assert lengths.mean() == pytest.approx(QUARTER, rel=0.01)
    assert np.corrcoef(lengths[1:], lengths[:-1])[0, 1] > 0.6  # slowly
    bass = Part("bass", EIGHTHS.notes[::4], bends=(Bend(1.0, 5),))
    played, low = by_clock(EIGHTHS, clock), by_clock(bass, clock)
    np.testing.assert_allclose(starts(played)[::4], starts(low))
    assert low.bends[0].time == pytest.approx(starts(low)[1])


def test_hands_are_loose_by_hundredths() -> None:
    played = play_loosely(EIGHTHS, np.random.default_rng(0))
    differences = starts(played) - starts(EIGHTHS)
    assert 0 < differences.std() < 0.02 and np.abs(differences).max() < 0.05
    assert len({note.velocity for note in played.notes}) > 5
    assert all(note.end >= note.start for note in played.notes)


def test_call_and_answer_share_a_melody() -> None:
    call, answer = (take_turns(EIGHTHS, 2.0, turn) for turn in (0, 1))
    assert sorted([*call.notes, *answer.notes], key=lambda note: note.start) == list(EIGHTHS.notes)
    assert {int(note.start // 2.0) % 2 for note in answer.notes} == {1}
