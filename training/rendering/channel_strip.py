"""A random channel strip: the effects of a mixing desk on one stem, drawn for each stem independently.

Stems of one track must not be recognisable by a common room, font or level: only the music may show that they fit.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import signal

Signal = NDArray[np.float64]  # (L,)

LOUDNESS_RANGE = (-30.0, -14.0)  # dB RMS over active frames
ACTIVITY_THRESHOLD = -40.0  # dB below the loudest frame
FRAME_SECONDS = 0.1
PEAK_LIMIT = 0.98
SILENCE = 1e-5
SIXTY_DECIBELS = np.log(1000.0)
OVERSAMPLING = 4
LOWEST_OF_SPEAKER = 80.0  # Hz


def apply_channel_strip(
    stem: NDArray[np.float32], generator: np.random.Generator, sample_rate: int = 16_000
) -> NDArray[np.float32]:
    """Apply a strip drawn at random: equaliser, saturation, compression, reverb, band limits, loudness.

    The loudness over active frames is uniform in `LOUDNESS_RANGE`, and lower only if the peak would clip.
    A silent stem is returned as it is.

    Shape:
        (L,) -> (L,).
    """
    peak = np.abs(stem).max(initial=0.0)
    if peak < SILENCE:
        return stem
    treated: Signal = stem.astype(np.float64) / peak
    for _ in range(generator.integers(1, 4)):
        frequency = np.exp(generator.uniform(np.log(120), np.log(6500)))
        treated = equalise(treated, frequency, generator.uniform(-7, 7), generator.uniform(0.5, 2), sample_rate)
    if generator.random() < 0.4:
        treated = saturate(treated, generator.uniform(1, 6))
    if generator.random() < 0.5:
        treated = compress(treated, generator.uniform(0.02, 0.15), generator.uniform(1.5, 5), sample_rate)
    if generator.random() < 0.7:
        wetness = 10 ** (generator.uniform(-26, -8) / 20)
        treated = reverberate(treated, generator.uniform(0.15, 1.6), wetness, generator, sample_rate)
    if generator.random() < 0.3:
        treated = limit_band(treated, generator.uniform(3500, 7500), "lowpass", sample_rate)
    if generator.random() < 0.3:
        treated = limit_band(treated, generator.uniform(40, 180), "highpass", sample_rate)
    treated *= 10 ** ((generator.uniform(*LOUDNESS_RANGE) - active_loudness(treated, sample_rate)) / 20)
    treated *= min(1.0, PEAK_LIMIT / np.abs(treated).max())
    return treated.astype(np.float32)


def active_loudness(stem: NDArray[np.floating], sample_rate: int = 16_000) -> float:
    """Return the RMS level over the frames in which a stem plays, in dBFS; -inf for digital silence."""
    frame = min(len(stem), round(FRAME_SECONDS * sample_rate))
    if frame == 0:
        return -np.inf
    frames = stem[: len(stem) // frame * frame].reshape(-1, frame).astype(np.float64)
    power = np.square(frames).mean(axis=1)
    active = power[power > power.max() * 10 ** (ACTIVITY_THRESHOLD / 10)]
    return float(10 * np.log10(active.mean())) if active.size else -np.inf


def equalise(stem: Signal, frequency: float, gain: float, quality: float, sample_rate: int) -> Signal:
    """Raise or lower a bell around `frequency` by `gain` dB (Bristow-Johnson, Audio EQ Cookbook, peaking EQ)."""
    amplitude = 10 ** (gain / 40)
    angle = 2 * np.pi * frequency / sample_rate
    width = np.sin(angle) / (2 * quality)
    numerator = np.array([1 + width * amplitude, -2 * np.cos(angle), 1 - width * amplitude])
    denominator = np.array([1 + width / amplitude, -2 * np.cos(angle), 1 - width / amplitude])
    equalised: Signal = signal.lfilter(numerator / denominator[0], denominator / denominator[0], stem)
    return equalised


def saturate(stem: Signal, drive: float) -> Signal:
    """Bend the waveform with a hyperbolic tangent that leaves full scale at full scale."""
    saturated: Signal = np.tanh(drive * stem) / np.tanh(drive)
    return saturated


def amplify(stem: NDArray[np.float32], drive: float, cutoff: float, sample_rate: int = 16_000) -> NDArray[np.float32]:
    """Play a stem through a distorting guitar amplifier: all is bent together, so that chords growl.

    Args:
        stem: stem as the guitar gives it.
        drive: gain before the bend, for full scale; 60 leaves little but the signs.
        cutoff: frequency in Hz above which the loudspeaker is deaf.
        sample_rate: sample rate, in Hz.

    Shape:
        (L,) -> (L,).
    """
    peak = np.abs(stem).max(initial=0.0)
    if peak < SILENCE:
        return stem
    finer = signal.resample_poly(stem.astype(np.float64) / peak, OVERSAMPLING, 1)  # harmonics must not fold back
    bent = signal.resample_poly(saturate(finer, drive), 1, OVERSAMPLING)[: len(stem)]
    speaker = limit_band(limit_band(bent, LOWEST_OF_SPEAKER, "highpass", sample_rate), cutoff, "lowpass", sample_rate)
    return limit_band(speaker, cutoff, "lowpass", sample_rate).astype(np.float32)


def compress(stem: Signal, threshold: float, ratio: float, sample_rate: int) -> Signal:
    """Reduce levels above `threshold` (linear RMS) by `ratio`; a 30 ms one-pole filter follows the level."""
    forgetting = np.exp(-1 / (0.03 * sample_rate))
    level = np.sqrt(signal.lfilter([1 - forgetting], [1, -forgetting], np.square(stem)) + 1e-12)
    compressed: Signal = stem * np.minimum(1, (level / threshold) ** (1 / ratio - 1))
    return compressed


def reverberate(
    stem: Signal, seconds: float, wetness: float, generator: np.random.Generator, sample_rate: int
) -> Signal:
    """Add a room: decaying, slightly dulled noise that falls by 60 dB in `seconds`, of energy `wetness` squared."""
    length = int(seconds * sample_rate)
    decay = np.exp(-SIXTY_DECIBELS * np.arange(length) / length)
    response = signal.lfilter([0.6], [1, -0.4], generator.standard_normal(length) * decay)
    response *= wetness / np.sqrt(np.square(response).sum())
    reverberated: Signal = stem + signal.oaconvolve(stem, response)[: len(stem)]
    return reverberated


def limit_band(stem: Signal, frequency: float, kind: str, sample_rate: int) -> Signal:
    """Filter with a second-order Butterworth; `kind` is "lowpass" or "highpass"."""
    sections = signal.butter(2, frequency, kind, fs=sample_rate, output="sos")
    limited: Signal = signal.sosfilt(sections, stem)
    return limited
