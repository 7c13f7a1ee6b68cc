import pretty_midi
import pytest
from tiny_scores import musicxml_note, write_mxl, write_quartet

from cocola_metric.training.rendering.notation import Bend, Controller, Note, Part, ScoreError, read_midi, read_musicxml

TIE_START, TIE_STOP = '<tie type="start"/>', '<tie type="stop"/>'


def test_musicxml_notes_are_in_quarters(tmp_path):
    measure = musicxml_note("A", 4, 2) + musicxml_note("C", 5, 1) + musicxml_note("E", 5, 1, "<chord/>")
    (part,) = read_musicxml(write_mxl(tmp_path / "score.mxl", [[measure]]))
    assert part.name == "Part 0"
    assert [(note.start, note.end, note.pitch) for note in part.notes] == [(0, 1, 69), (1, 1.5, 72), (1, 1.5, 76)]


def test_musicxml_ties_join_notes_across_bars(tmp_path):
    bars = [
        musicxml_note("G", 3, 8, TIE_START),
        musicxml_note("G", 3, 8, TIE_STOP + TIE_START),
        musicxml_note("G", 3, 2, TIE_STOP) + musicxml_note("G", 3, 2),
    ]
    (part,) = read_musicxml(write_mxl(tmp_path / "score.mxl", [bars]))
    assert [(note.start, note.end) for note in part.notes] == [(0, 9), (9, 10)]


def test_musicxml_second_voice_starts_after_backup_and_grace_notes_take_no_time(tmp_path):
    measure = (
        musicxml_note("B", 4, 0, "<grace/>")
        + musicxml_note("C", 5, 4)
        + "<backup><duration>4</duration></backup><forward><duration>1</duration></forward>"
        + musicxml_note("E", 4, 3)
    )
    (part,) = read_musicxml(write_mxl(tmp_path / "score.mxl", [[measure, musicxml_note("D", 5, 2)]]))
    assert [(note.start, note.pitch) for note in part.notes] == [(0, 72), (0.5, 64), (2, 74)]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 truncated", b"no archive"])
def test_damaged_scores_are_named(tmp_path, content):
    for name, reader in (("damaged.mxl", read_musicxml), ("damaged.mid", read_midi)):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(ScoreError, match=name):
            reader(path)


def test_truncated_archive_is_a_damaged_score(tmp_path):
    path = write_quartet(tmp_path / "quartet.mxl")
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ScoreError, match="quartet"):
        read_musicxml(path)


@pytest.fixture
def midi_path(tmp_path):
    midi = pretty_midi.PrettyMIDI(initial_tempo=60)
    bass, drums = pretty_midi.Instrument(33, name="bass"), pretty_midi.Instrument(0, is_drum=True, name="kit")
    bass.notes = [pretty_midi.Note(100, 40, 1.0, 2.0)]
    bass.control_changes = [pretty_midi.ControlChange(7, 90, 0.5), pretty_midi.ControlChange(10, 20, 0.5)]
    bass.pitch_bends = [pretty_midi.PitchBend(-4096, 1.5)]
    drums.notes = [pretty_midi.Note(80, 38, 0.0, 0.1)]
    midi.instruments = [bass, drums]
    midi.write(str(tmp_path / "song.mid"))
    return tmp_path / "song.mid"


def test_midi_parts_are_in_seconds(midi_path):
    bass, drums = read_midi(midi_path)
    assert (bass.name, bass.program, bass.is_drum) == ("bass", 33, False)
    assert bass.notes == (Note(1.0, 2.0, 40, 100),)
    assert bass.controllers == (Controller(0.5, 7, 90),)  # panning is left out: stems are mono
    assert bass.bends == (Bend(1.5, -4096),)
    assert drums.is_drum and drums.notes[0].pitch == 38


def test_midi_in_quarters_is_independent_of_tempo(tmp_path):
    for tempo in (60, 137):
        midi = pretty_midi.PrettyMIDI(initial_tempo=tempo)
        piano = pretty_midi.Instrument(0)
        piano.notes = [pretty_midi.Note(100, 60, 120 / tempo, 180 / tempo)]
        midi.instruments = [piano]
        midi.write(str(tmp_path / "song.mid"))
        (part,) = read_midi(tmp_path / "song.mid", in_quarters=True)
        assert (part.notes[0].start, part.notes[0].end) == (pytest.approx(2, abs=0.01), pytest.approx(3, abs=0.01))


def test_excerpt_strikes_held_notes_again_and_keeps_earlier_controllers():
    part = Part("pad", (Note(0, 4, 60, 80), Note(5, 9, 62, 80)), controllers=(Controller(0.5, 7, 90),))
    excerpt = part.excerpt(2, 6)
    assert excerpt.notes == (Note(0, 2, 60, 80), Note(3, 4, 62, 80))
    assert excerpt.controllers == (Controller(0, 7, 90),)


def test_excerpt_of_drums_does_not_strike_again():
    drums = Part("drums", (Note(0, 4, 49, 80), Note(3, 3.1, 38, 80)), is_drum=True)
    assert [note.pitch for note in drums.excerpt(2, 6).notes] == [38]


def test_transposition_leaves_drum_keys_alone():
    notes = (Note(0, 1, 60, 80), Note(1, 2, 126, 80))
    assert [note.pitch for note in Part("piano", notes).transposed(4).notes] == [64, 127]
    assert Part("drums", notes, is_drum=True).transposed(4).notes == notes


def test_stretching_multiplies_every_time():
    part = Part("lead", (Note(1, 2, 60, 80),), controllers=(Controller(1, 1, 5),), bends=(Bend(2, 10),)).stretched(0.5)
    assert (part.notes[0].start, part.end, part.controllers[0].time, part.bends[0].time) == (0.5, 1.0, 0.5, 1.0)


def test_a_real_quartet_has_four_full_parts(shared):
    (path,) = shared("scores/string_quartets").glob("Wolf,_Hugo__Italian_Serenade*.mxl")
    parts = read_musicxml(path)
    assert len(parts) == 4
    assert min(len(part.notes) for part in parts) > 500
    assert max(part.end for part in parts) - min(part.end for part in parts) < 8
