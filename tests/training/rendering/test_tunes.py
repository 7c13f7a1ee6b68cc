import pytest
from tiny_scores import write_tune

from cocola_metric.training.rendering.notation import ScoreError
from cocola_metric.training.rendering.tunes import beats_per_bar, name_chord, read_tune


@pytest.mark.parametrize(
    ("pitches", "name"),
    [
        ((48, 52, 55), "C"),
        ((45, 48, 52), "Am"),
        ((43, 47, 50, 53), "G7"),
        ((52, 55, 60), "C"),
        ((50, 53, 57, 60), "Dm7"),
    ],
)
def test_chords_are_named(pitches, name):
    assert name_chord(pitches) == name


@pytest.mark.parametrize("upbeat", [0.0, 1.0, 2.0])
def test_bar_lines_are_found_behind_the_upbeat(tmp_path, upbeat):
    tune = read_tune(write_tune(tmp_path / "tune.mid", upbeat=upbeat))
    assert tune.beats_per_bar == 4
    assert tune.bars == tuple((name,) * 4 for name in ("C", "F", "G7", "Am") * 2)
    assert tune.melody[0].start == pytest.approx(-upbeat, abs=0.01)


def test_unrolling_repeats_the_tune_from_any_bar(tmp_path):
    tune = read_tune(write_tune(tmp_path / "tune.mid", upbeat=0.0)).unrolled(12, first_bar=3)
    assert [bar[0] for bar in tune.bars] == ["Am", "C", "F", "G7"] * 3
    assert [round(note.start) for note in tune.melody] == list(range(48))
    assert [note.pitch - 72 for note in tune.melody[:20]] == [beat % 5 for beat in range(12, 32)]


def test_a_tune_without_enough_bars_is_refused(tmp_path):
    with pytest.raises(ScoreError, match="bars"):
        read_tune(write_tune(tmp_path / "short.mid", upbeat=0.0, bars=5))


def test_metre_is_read_from_the_bytes(tmp_path):
    path = write_tune(tmp_path / "tune.mid", upbeat=0.0)
    assert beats_per_bar(path) == 4
    path.write_bytes(path.read_bytes().replace(b"\xff\x58\x04\x04\x02", b"\xff\x58\x04\x06\x03"))
    assert beats_per_bar(path) is None
