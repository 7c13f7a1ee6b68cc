import ctypes
from pathlib import Path

import numpy as np
import pretty_midi
import pytest
from native_libraries import needs_fluidsynth

from cocola_metric.errors import CocolaError, MissingExtraError
from cocola_metric.training.rendering import synth
from cocola_metric.training.rendering.channel_strip import LOUDNESS_RANGE, active_loudness
from cocola_metric.training.rendering.notation import Bend, Controller, Note, Part
from cocola_metric.training.rendering.studio import Studio, mix
from cocola_metric.training.rendering.synth import SAMPLE_RATE, SoundFont, Synthesizer, find_sound_fonts, load_library

FONT = Path(pretty_midi.__file__).parent / "TimGM6mb.sf2"  # every installation of pretty_midi brings this font
FLUTE, ORGAN, PIANO = 73, 19, 0


@pytest.fixture(scope="module")
def synthesizer():
    with Synthesizer([FONT]) as opened:
        yield opened


def tone(pitch, program=FLUTE, start=0.0, **changes):
    return Part("tone", (Note(start, start + 1.0, pitch, 100),), program=program, **changes)


def fundamental(signal):
    spectrum = np.abs(np.fft.rfft(signal * np.hanning(len(signal))))
    return np.argmax(spectrum) * SAMPLE_RATE / len(signal)


@needs_fluidsynth
def test_pitch_and_time_are_right(synthesizer):
    (signal,) = synthesizer.render([tone(69, start=0.5)], 2.0)
    assert signal.shape == (32_000,)
    assert not signal[: int(0.49 * SAMPLE_RATE)].any()
    assert fundamental(signal[int(0.6 * SAMPLE_RATE) : int(1.4 * SAMPLE_RATE)]) == pytest.approx(440, abs=4)


@needs_fluidsynth
def test_bends_and_controllers_are_played(synthesizer):
    plain, bent, silent = synthesizer.render(
        [tone(69), tone(69, bends=(Bend(0.0, 4096),)), tone(69, controllers=(Controller(0.0, 7, 0),))], 1.0
    )
    assert fundamental(bent) / fundamental(plain) == pytest.approx(2 ** (1 / 12), rel=0.01)
    assert np.abs(silent).max() < 0.01 * np.abs(plain).max()


@needs_fluidsynth
def test_every_part_has_a_bus_of_its_own(synthesizer):
    parts = [tone(60 + number, program=number) for number in range(18)]  # more parts than buses
    together = synthesizer.render(parts, 1.0)
    assert together.shape == (18, SAMPLE_RATE)
    for number in (0, 7, 17):
        np.testing.assert_array_equal(together[number], synthesizer.render([parts[number]], 1.0)[0])


@needs_fluidsynth
def test_nothing_of_the_piece_before_is_heard(synthesizer):
    first = synthesizer.render([tone(60, ORGAN)], 1.0)
    synthesizer.render([tone(40, ORGAN), tone(47, PIANO, bends=(Bend(0.1, 8000),))], 0.3)
    np.testing.assert_array_equal(synthesizer.render([tone(60, ORGAN)], 1.0), first)
    assert not synthesizer.render([Part("rest", ())], 0.5).any()
    assert synthesizer.render([], 0.5).shape == (0, SAMPLE_RATE // 2)


@needs_fluidsynth
def test_a_kit_that_the_font_lacks_is_replaced_by_its_standard_kit(synthesizer):
    snare = (Note(0.0, 0.1, 38, 100),)
    standard, unknown = (Part("drums", snare, program=program, is_drum=True) for program in (0, 77))
    np.testing.assert_array_equal(synthesizer.render([unknown], 0.5), synthesizer.render([standard], 0.5))


@needs_fluidsynth
def test_a_damaged_font_is_named(tmp_path):
    (tmp_path / "broken.sf2").write_bytes(b"RIFF")
    with pytest.raises(CocolaError, match=r"broken\.sf2"):
        Synthesizer([tmp_path / "broken.sf2"])


@needs_fluidsynth
def test_a_studio_sums_parts_of_one_name():
    parts = [tone(60), Part("bass", tone(36).notes, program=33), tone(64)]
    with Studio([FONT]) as studio:
        stems = studio.record(parts, 1.5)
    assert {name: stem.shape for name, stem in stems.items()} == {"tone": (24_000,), "bass": (24_000,)}
    with Synthesizer([FONT]) as synthesizer:
        low, _, high = synthesizer.render(parts, 1.5)
    np.testing.assert_array_equal(stems["tone"], low + high)


@needs_fluidsynth
def test_a_mix_has_a_channel_strip_for_every_audible_stem():
    with Studio([FONT]) as studio:
        stems = mix(studio.record([tone(60), Part("silent", ())], 1.0), np.random.default_rng(0))
    assert list(stems) == ["tone"]
    assert LOUDNESS_RANGE[0] <= active_loudness(stems["tone"]) <= LOUDNESS_RANGE[1]


def test_a_missing_library_names_its_package(monkeypatch):
    def refuse(name):
        raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", refuse)
    load_library.cache_clear()
    with pytest.raises(MissingExtraError, match="libfluidsynth3"):
        load_library()


def test_missing_fonts_are_named(tmp_path):
    absent, present = (SoundFont(tmp_path / name, "MIT") for name in ("absent.sf2", "present.sf2"))
    present.path.touch()
    assert find_sound_fonts([absent, present]) == (present,)
    with pytest.raises(CocolaError, match=r"absent\.sf2"):
        find_sound_fonts([absent])
    assert {font.licence.split()[0] for font in synth.SOUND_FONTS} == {"MIT", "GPL-2"}
