import numpy as np
import pytest

from cocola_metric.training.rendering import channel_strip
from cocola_metric.training.rendering.channel_strip import (
    LOUDNESS_RANGE,
    PEAK_LIMIT,
    active_loudness,
    apply_channel_strip,
)

SAMPLE_RATE = 16_000
SECONDS = np.arange(3 * SAMPLE_RATE) / SAMPLE_RATE


def sine(frequency, amplitude=0.5):
    return (amplitude * np.sin(2 * np.pi * frequency * SECONDS)).astype(np.float32)


def drum_beat():
    noise = np.random.default_rng(0).standard_normal(len(SECONDS))
    return (0.3 * noise * np.exp(-30 * (SECONDS % 0.5))).astype(np.float32)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("stem", [sine(220), drum_beat()], ids=["sine", "drums"])
def test_loudness_and_peak_stay_in_range(stem, seed):
    treated = apply_channel_strip(stem, np.random.default_rng(seed))
    assert treated.dtype == np.float32 and treated.shape == stem.shape
    assert np.abs(treated).max() <= PEAK_LIMIT + 1e-6
    assert LOUDNESS_RANGE[0] - 0.01 <= active_loudness(treated) <= LOUDNESS_RANGE[1] + 0.01


def test_loudness_says_nothing_about_the_level_of_the_input():
    quiet, loud = (apply_channel_strip(sine(220, amplitude), np.random.default_rng(3)) for amplitude in (0.01, 0.9))
    np.testing.assert_allclose(quiet, loud, atol=1e-5)


def test_the_generator_decides_everything():
    first, again, other = (apply_channel_strip(drum_beat(), np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.01


def test_silence_stays_silent():
    assert not apply_channel_strip(np.zeros(SAMPLE_RATE, np.float32), np.random.default_rng(0)).any()


def test_loudness_counts_active_frames_only():
    half_silent = sine(220) * (SECONDS < 1.5)
    assert active_loudness(half_silent) == pytest.approx(active_loudness(sine(220)), abs=0.05)
    assert active_loudness(sine(220)) == pytest.approx(20 * np.log10(0.5 / np.sqrt(2)), abs=0.05)
    assert active_loudness(np.zeros(SAMPLE_RATE)) == -np.inf


def gain_at(frequency, effect):
    stem = sine(frequency).astype(np.float64)
    settled = slice(SAMPLE_RATE, None)
    return 10 * np.log10(np.square(effect(stem)[settled]).mean() / np.square(stem[settled]).mean())


@pytest.mark.parametrize("gain", [-7.0, 5.0])
def test_equaliser_gain_is_reached_at_its_frequency_only(gain):
    def effect(stem):
        return channel_strip.equalise(stem, 1000, gain, 1.0, SAMPLE_RATE)

    assert gain_at(1000, effect) == pytest.approx(gain, abs=0.01)
    assert gain_at(50, effect) == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize(("kind", "stopped"), [("lowpass", 4000), ("highpass", 1000)])
def test_band_limits_fall_by_three_decibels_at_the_corner(kind, stopped):
    def effect(stem):
        return channel_strip.limit_band(stem, 2000, kind, SAMPLE_RATE)

    assert gain_at(2000, effect) == pytest.approx(-3.01, abs=0.02)
    assert gain_at(stopped, effect) < -12


def test_saturation_keeps_full_scale():
    ends = channel_strip.saturate(np.array([-1.0, 0.0, 1.0]), 4.0)
    np.testing.assert_allclose(ends, [-1, 0, 1])


def test_compression_acts_above_its_threshold_only():
    def effect(stem):
        return channel_strip.compress(stem, 0.1, 4.0, SAMPLE_RATE)

    assert gain_at(500, lambda stem: effect(0.1 * stem) / 0.1) == pytest.approx(0, abs=0.01)
    expected = (1 / 4 - 1) * 20 * np.log10(0.5 / np.sqrt(2) / 0.1)
    assert gain_at(500, effect) == pytest.approx(expected, abs=0.1)


def test_reverb_adds_the_energy_it_is_asked_for():
    click = np.zeros(2 * SAMPLE_RATE)
    click[0] = 1.0
    wet = channel_strip.reverberate(click, 1.0, 0.2, np.random.default_rng(0), SAMPLE_RATE) - click
    assert np.square(wet).sum() == pytest.approx(0.04, rel=1e-6)
    early, late = np.square(wet[:1600]).sum(), np.square(wet[14400:16000]).sum()
    assert 10 * np.log10(late / early) == pytest.approx(-54, abs=3)


def test_an_amplifier_bends_chords_into_tones_of_their_own():
    """Two tones bent together give their difference, 110 Hz, which neither has."""
    fifth = sine(220, 0.3) + sine(330, 0.3)
    spectra = [np.abs(np.fft.rfft(stem)) / len(stem) for stem in (fifth, channel_strip.amplify(fifth, 20.0, 4000.0))]
    tone = round(110 * len(SECONDS) / SAMPLE_RATE)
    assert spectra[0][tone] < 1e-4 < 0.01 < spectra[1][tone]
    high = round(7000 * len(SECONDS) / SAMPLE_RATE)
    assert spectra[1][high:].max() < 0.02 * spectra[1].max()
    assert not channel_strip.amplify(np.zeros(SAMPLE_RATE, np.float32), 20.0, 4000.0).any()
