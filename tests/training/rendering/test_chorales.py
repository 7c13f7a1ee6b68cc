import sys
from pathlib import Path

import numpy as np
import pretty_midi
import pytest
from native_libraries import needs_fluidsynth

from cocola_metric.training.rendering.notation import Note, Part, ScoreError
from cocola_metric.training.rendering.recipes import chorales
from cocola_metric.training.rendering.studio import Studio
from cocola_metric.training.rendering.synth import SAMPLE_RATE
from cocola_metric.training.rendering.works import SourceAbsent, Work

FONT = Path(pretty_midi.__file__).parent / "TimGM6mb.sf2"
VOICES = [[(float(beat), beat + 1.0, pitch + beat % 5) for beat in range(24)] for pitch in (70, 64, 58, 48)]


@pytest.fixture
def cached(tmp_path, monkeypatch):
    """Where the user's cache would be; nothing is there yet, and music21 is hidden."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setitem(sys.modules, "music21", None)
    return tmp_path / "cache" / "cocola-metric" / chorales.FILE_NAME


def test_chorales_are_taken_from_the_sources_then_from_the_cache(tmp_path, cached):
    with pytest.raises(SourceAbsent, match="pip install music21"):
        chorales.find_works(tmp_path)
    chorales.write_chorales({"bwv1-6": VOICES}, cached)
    assert chorales.find_works(tmp_path) == [Work("bwv1-6", (cached,))]
    given = tmp_path / "scores" / "chorales" / chorales.FILE_NAME
    chorales.write_chorales({"bwv3-6": VOICES, "bwv2-6": VOICES}, given)
    assert chorales.find_works(tmp_path) == [Work("bwv2-6", (given,)), Work("bwv3-6", (given,))]


def test_the_file_keeps_every_note_and_has_the_same_bytes_each_time(tmp_path):
    paths = tmp_path / "one" / "a.gz", tmp_path / "two" / "b.gz"
    for path in paths:
        chorales.write_chorales({"bwv1-6": VOICES}, path)
        assert [path] == list(path.parent.iterdir())
    assert paths[0].read_bytes() == paths[1].read_bytes()
    stored = chorales.read_chorales(paths[0])["bwv1-6"]
    assert [[tuple(note) for note in voice] for voice in stored] == VOICES


@pytest.mark.parametrize("content", [b"", b"not compressed", b"\x1f\x8b\x08\x00 truncated"])
def test_a_damaged_file_is_named(cached, tmp_path, content):
    cached.parent.mkdir(parents=True)
    cached.write_bytes(content)
    with pytest.raises(ScoreError, match=r"chorales\.json\.gz.*delete it"):
        chorales.find_works(tmp_path)


def test_a_short_score_is_repeated_and_a_long_one_is_not():
    score = [Part("1", (Note(0, 1.5, 60, 80),)), Part("2", (Note(1, 4, 50, 80),))]
    assert chorales.repeat_score(score, 4) == score
    repeated = chorales.repeat_score(score, 9)
    assert [[(note.start, note.end) for note in part.notes] for part in repeated] == [
        [(0, 1.5), (4, 5.5), (8, 9.5)],
        [(1, 4), (5, 8), (9, 12)],
    ]


@needs_fluidsynth
def test_a_short_chorale_sounds_to_the_end(cached):
    chorales.write_chorales({"bwv1-6": VOICES}, cached)
    work = Work("bwv1-6", (cached,))
    with Studio([FONT]) as studio:
        stems, again = (chorales.render(work, 30.0, studio, np.random.default_rng(3)) for _ in range(2))
    assert len(stems) == 4
    for name, stem in stems.items():
        assert stem.shape == (30 * SAMPLE_RATE,)
        assert np.abs(stem[-3 * SAMPLE_RATE :]).max() > 0.01 * np.abs(stem).max()
        np.testing.assert_array_equal(stem, again[name])


# --- music21 ------------------------------------------------------------------------------------------------------


def write_score(path, parts):
    """Write parts, each a list of (pitch, quarters) or (pitch, quarters, tie), as MusicXML."""
    music21 = pytest.importorskip("music21", reason="music21 is not installed (pip install music21)")
    score = music21.stream.Score()
    for notes in parts:
        part = music21.stream.Part()
        for pitch, quarters, *tie in notes:
            note = music21.note.Note(pitch, quarterLength=quarters)
            note.tie = music21.tie.Tie(*tie) if tie else None
            part.append(note)
        score.append(part)
    score.write("musicxml", path)
    return path


def test_scores_of_four_full_voices_are_kept_once(tmp_path):
    voices = [[(pitch + beat % 3, 1.0) for beat in range(20)] for pitch in (72, 67, 60, 48)]
    higher = [[(pitch + 2, quarters) for pitch, quarters in voice] for voice in voices]
    paths = [
        write_score(tmp_path / "bwv1.6.xml", voices),
        write_score(tmp_path / "in_another_key.xml", higher),
        write_score(tmp_path / "trio.xml", voices[:3]),
        write_score(tmp_path / "short.xml", [voice[:8] for voice in voices]),
    ]
    found = chorales.parse_chorales(paths)
    assert list(found) == ["bwv1-6"]
    assert found["bwv1-6"][3][:2] == [(0.0, 1.0, 48), (1.0, 2.0, 49)]


def test_tied_notes_are_joined(tmp_path):
    tied = [(60, 3.0, "start"), (60, 2.0, "stop"), *[(62, 0.5)] * 20]
    voices = [tied, *[[(pitch, 1.0)] * 20 for pitch in (55, 52, 48)]]
    (voice, *_), *others = chorales.parse_chorales([write_score(tmp_path / "tied.xml", voices)]).values()
    assert voice[:2] == [(0.0, 5.0, 60), (5.0, 5.5, 62)]
    assert not others
