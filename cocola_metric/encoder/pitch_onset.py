"""The front end of our encoder: an image of pitches and an image of onsets, for arrays and tensors alike."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..arrays import AnyArray, FloatArray, filtered, namespace, pad
from ..audio import SAMPLE_RATE
from .mel import hann_window, in_parts, mel_filterbank, modulus, relative_decibels, separated, soft_mask
from .spectra import of_spectra

HOP_LENGTH = 320
LEAST_FRAMES = 31
ROWS = 128
MEDIAN = 15
PITCH_WINDOW = 4096
LOWEST_PITCH_HZ = 80.0
ROWS_PER_OCTAVE = 24
ONSET_WINDOW = 512
ONSET_N_FFT = 1024
ONSET_RANGE_HZ = (30.0, 7800.0)
_CLIPS = 2  # whose medians are computed together


def pitch_onset(waveforms: AnyArray, constants: Mapping[str, Any]) -> AnyArray:
    """Return an image of semitones and one of onsets, each with a window of the length that suits it.

    The windows of 25 ms of the paper's front ends tell onsets apart, but hardly keys: a semitone at 440 Hz is a sixth
    of what such a window resolves. Here the harmonic channel has a window of 256 ms and rows of half a semitone, 80 to
    3,130 Hz. The percussive channel has a window of 32 ms and rows in mels. Running medians over 15 rows or frames
    separate steady from sudden sound within each image. Each image is in dB relative to its own maximum, with a floor
    at -80 dB, as in `mel.harmonic_percussive`. With twice the rows and half the frames of the paper's images, an
    encoder costs the same.

    Shape:
        (B, L) at 16 kHz -> (B, 2, M, F): harmonic, percussive, M = 128 rows, F = L // 320 + 1 frames; shorter waveforms
        are padded with silence to 32 frames.
    """
    missing = max(0, LEAST_FRAMES * HOP_LENGTH - waveforms.shape[-1])
    padded = pad(waveforms, 0, missing) if missing else waveforms
    pitches = _rows(padded, PITCH_WINDOW, constants["pitch_window"], constants["pitch_filterbank"])
    onsets = _rows(padded, ONSET_N_FFT, constants["onset_window"], constants["onset_filterbank"])
    return in_parts(_images, _CLIPS, pitches, onsets)


def _images(pitches: AnyArray, onsets: AnyArray) -> AnyArray:
    count = len(pitches)
    # Both at once: the medians are many short steps, and take less time on more at a time.
    steady, sudden = separated(namespace(pitches).concatenate([pitches, onsets]), MEDIAN)
    harmonic = soft_mask(steady[:count], sudden[:count])
    percussive = soft_mask(sudden[count:], steady[count:])
    return relative_decibels([(harmonic * pitches) ** 2, (percussive * onsets) ** 2])


def pitch_onset_constants() -> dict[str, FloatArray]:
    """Return the windows and the filterbanks of both images."""
    return {
        "pitch_window": hann_window(PITCH_WINDOW),
        "onset_window": hann_window(ONSET_WINDOW),
        "pitch_filterbank": pitch_filterbank(),
        "onset_filterbank": mel_filterbank(ONSET_N_FFT, ROWS, ONSET_RANGE_HZ, slaney=True),
    }


def pitch_filterbank() -> FloatArray:
    """Return triangular filters at pitches half a semitone apart, each a bin wide or more: (M, bins up to the last)."""
    centres = LOWEST_PITCH_HZ * 2.0 ** (np.arange(ROWS) / ROWS_PER_OCTAVE)
    bins = np.fft.rfftfreq(PITCH_WINDOW, 1 / SAMPLE_RATE)
    half_widths = np.maximum(centres * math.log(2) / ROWS_PER_OCTAVE, SAMPLE_RATE / PITCH_WINDOW)
    triangles = np.maximum(0, 1 - np.abs(bins - centres[:, None]) / half_widths[:, None])
    heard = int(np.flatnonzero(triangles.any(0)).max()) + 1
    return np.ascontiguousarray((triangles / triangles.sum(1, keepdims=True))[:, :heard], dtype=np.float32)


def _rows(waveforms: AnyArray, n_fft: int, window: AnyArray, filterbank: Any) -> AnyArray:
    """Return magnitudes by frame and row."""
    heard = filterbank.shape[1]
    return of_spectra(
        lambda spectra: filtered(modulus(spectra[..., :heard]), filterbank), waveforms, window, n_fft, HOP_LENGTH
    )
