"""A singing voice by source and filter: harmonics under the formants of vowels, with glides, vibrato and consonants."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from cocola_metric.audio import SAMPLE_RATE

from .notation import Note

FRAME = 80  # samples: 5 ms
FRAMES_PER_SECOND = SAMPLE_RATE // FRAME
HIGHEST_HERTZ = 7400.0
# Formants of a, e, i, o, u, in Hz, of an adult (Peterson and Barney 1952, rounded).
VOWELS = ((730, 1090, 2440), (530, 1840, 2480), (300, 2290, 3010), (570, 840, 2410), (300, 870, 2240))
BANDWIDTHS = (80.0, 100.0, 140.0)
FORMANT_LEVELS = (1.0, 0.6, 0.3)
GLIDE = 0.04  # seconds in which a voice moves to the next note
RISE, FALL = 0.03, 0.06  # seconds
CONSONANT = 0.06
CONSONANT_PROBABILITY = 0.5
SHORTEST_VIBRATO_NOTE = 0.3
BREATH = 0.01


def sing(notes: Sequence[Note], duration: float, generator: np.random.Generator) -> NDArray[np.float32]:
    """Sing a melody, one vowel a note; a note ends where the next begins.

    Args:
        notes: notes of the melody, in seconds.
        duration: length of the result, in seconds.
        generator: random generator of the vowels, the vibrato, the glides and the consonants.

    Shape:
        -> (L,), L = round(duration * 16000).
    """
    length = round(duration * SAMPLE_RATE)
    melody = _one_at_a_time(notes, duration)
    frames = length // FRAME + 2
    pitches, levels, vowels = _contours(melody, frames, generator)
    size = generator.uniform(0.95, 1.2)  # of the head: formants of men, women and children
    phase = 2 * np.pi * np.cumsum(_per_sample(pitches, length)) / SAMPLE_RATE
    sung = np.zeros(length)
    for number in range(1, int(HIGHEST_HERTZ / pitches.min()) + 1):
        hertz = number * pitches
        if hertz.min() > HIGHEST_HERTZ:
            break
        harmonic = levels * _throat(hertz, size * vowels) / number * (hertz < HIGHEST_HERTZ)
        sung += _per_sample(harmonic, length) * np.sin(number * phase)
    noise = generator.standard_normal(length)
    sung += BREATH * _per_sample(levels, length) * noise
    return (sung + _consonants(melody, noise, generator)).astype(np.float32)


def _one_at_a_time(notes: Sequence[Note], duration: float) -> list[tuple[float, float, int]]:
    ordered = sorted((note for note in notes if note.start < duration), key=lambda note: (note.start, -note.pitch))
    highest = [note for number, note in enumerate(ordered) if not number or note.start > ordered[number - 1].start]
    limits = [*(note.start for note in highest[1:]), duration][: len(highest)]
    return [(note.start, min(note.end, limit), note.pitch) for note, limit in zip(highest, limits, strict=True)]


def _contours(
    melody: Sequence[tuple[float, float, int]], frames: int, generator: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return pitch in Hz (F,), level (F,) and formants in Hz (F, 3) of every frame."""
    seconds = np.arange(frames) / FRAMES_PER_SECOND
    semitones = np.full(frames, float(melody[0][2]) if melody else 60.0)
    vibrato, levels = np.zeros(frames), np.zeros(frames)
    formants = np.tile(np.asarray(VOWELS[0], np.float64), (frames, 1))
    rate, depth = generator.uniform(4.8, 6.4), generator.uniform(0.1, 0.5)
    scoop = generator.uniform(0, 1.5)
    for start, end, pitch in melody:
        later = seconds >= start
        held = later & (seconds < end)
        since = seconds[held] - start
        semitones[later] = pitch
        semitones[held] -= scoop * np.exp(-since / GLIDE)
        formants[later] = VOWELS[generator.integers(len(VOWELS))]
        levels[held] = np.minimum(since / RISE, 1) * np.clip((end - seconds[held]) / FALL, 0, 1)
        if end - start > SHORTEST_VIBRATO_NOTE:
            vibrato[held] = depth * np.clip(since - 0.2, 0, 0.4) / 0.4 * np.sin(2 * np.pi * rate * since)
    smooth = np.exp(-1 / (GLIDE * FRAMES_PER_SECOND))
    glide = [1 - smooth], [1, -smooth]
    sliding, _ = signal.lfilter(*glide, semitones, zi=[smooth * semitones[0]])
    moving, _ = signal.lfilter(*glide, formants, axis=0, zi=smooth * formants[:1])
    return 440 * 2 ** ((sliding + vibrato - 69) / 12), levels, moving


def _throat(hertz: NDArray[np.float64], formants: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the gain of the formants at one frequency a frame: (F,), (F, 3) -> (F,)."""
    gain = np.full(len(hertz), 0.02)
    for number, (width, level) in enumerate(zip(BANDWIDTHS, FORMANT_LEVELS, strict=True)):
        gain += level / (1 + ((hertz - formants[:, number]) / width) ** 2)
    return gain


def _per_sample(frames: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    """Interpolate values of frames: (F,) -> (L,)."""
    return np.interp(np.arange(length) / FRAME, np.arange(len(frames)), frames)


def _consonants(
    melody: Sequence[tuple[float, float, int]], noise: NDArray[np.float64], generator: np.random.Generator
) -> NDArray[np.float64]:
    """Return bursts of hiss before some notes: (L,) -> (L,)."""
    level = np.zeros(len(noise))
    shape = np.hanning(round(CONSONANT * SAMPLE_RATE))
    for start, _, _ in melody:
        first = int(start * SAMPLE_RATE) - len(shape) + FRAME
        if generator.random() < CONSONANT_PROBABILITY and 0 <= first <= len(level) - len(shape):
            level[first : first + len(shape)] = shape * generator.uniform(0.02, 0.1)
    sections = signal.butter(2, generator.uniform(2500, 4500), "highpass", fs=SAMPLE_RATE, output="sos")
    hissing: NDArray[np.float64] = signal.sosfilt(sections, noise) * level
    return hissing
