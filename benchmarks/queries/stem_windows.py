"""Windows of sums of stems, at the rate of their files or any other."""

import hashlib
import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import soundfile
import torch
import torchaudio
from numpy.typing import NDArray

from cocola_metric.errors import AudioError
from cocola_metric.training.corpora import Stem, Track, read_window

CONTEXT = 0.1
"""Seconds read to either side of a window that is resampled: a whole number of samples at all usual rates, and far more
than the resampler sees."""


def native_rate(stems: Iterable[Stem]) -> int:
    """Return the highest sample rate of the stems' files, in Hz.

    Raises:
        AudioError: a file is missing or damaged.
    """
    return max(_file_rate(file) for stem in stems for file in stem.files)


def read_mix(
    track: Track, stems: Iterable[Stem], start: float, seconds: float, sample_rate: int
) -> NDArray[np.float32]:
    """Read the sum of some stems of a track in a window, mono (channels averaged); silent past their ends.

    Args:
        track: whose stems they are.
        stems: one or more.
        start: seconds from the beginning, a multiple of 0.1 where samples have to be those of the whole file resampled.
        seconds: length of the window.
        sample_rate: of the output, in Hz; any.

    Shape:
        output: (L,), L = round(seconds * sample_rate).

    Raises:
        AudioError: a file is missing or damaged.
    """
    mix = np.zeros(round(seconds * sample_rate), np.float32)
    for stem in stems:
        mix += _read_stem(track.name, stem, start, seconds, sample_rate)
    return mix


def fingerprint(track: Track, stems: Iterable[Stem], start: float, seconds: float) -> str:
    """Return a hash of what a window of some stems sounds like, which no copying of files changes.

    The samples are hashed as they are in the files: for PCM they are the same on every machine.
    """
    digest = hashlib.sha256()
    for stem in stems:
        rate = native_rate([stem])
        digest.update(f"{stem.name}/{rate}/".encode())
        digest.update(read_mix(track, [stem], start, seconds, rate).astype("<f4").tobytes())
    return digest.hexdigest()


def resample_to(samples: NDArray[np.float32], from_rate: int, sample_rate: int) -> NDArray[np.float32]:
    """Resample to any rate by the resampler of the metric, the default of torchaudio.

    Shape:
        (L,) -> (ceil(L * sample_rate / from_rate),).
    """
    if from_rate == sample_rate:
        return samples
    divisor = math.gcd(from_rate, sample_rate)
    resampled: NDArray[np.float32] = torchaudio.functional.resample(
        torch.from_numpy(np.ascontiguousarray(samples)), from_rate // divisor, sample_rate // divisor
    ).numpy()
    return resampled


def limit_band(samples: NDArray[np.float32], sample_rate: int, band: float) -> NDArray[np.float32]:
    """Take away what lies above ``band`` Hz, as resampling to twice that rate and back does.

    CompoNet's output ends at 8 kHz, MSDM's at 11 kHz, and the music they are compared with does not: a distance between
    embeddings may hear that first. Audio whose rate is too low for the band comes back as it is.

    Shape:
        (L,) -> (L,).
    """
    narrow = round(2 * band)
    if narrow >= sample_rate:
        return samples
    back = resample_to(resample_to(samples, sample_rate, narrow), narrow, sample_rate)
    return back[: len(samples)]


def _read_stem(name: str, stem: Stem, start: float, seconds: float, sample_rate: int) -> NDArray[np.float32]:
    rate, alone = native_rate([stem]), Track(name, (stem,))
    if rate == sample_rate:
        window: NDArray[np.float32] = read_window(alone, start, seconds, rate)[0]
        return window
    ahead = min(start, CONTEXT)
    read = read_window(alone, start - ahead, ahead + seconds + CONTEXT, rate)[0]
    first = round(ahead * sample_rate)
    return resample_to(read, rate, sample_rate)[first : first + round(seconds * sample_rate)]


def _file_rate(file: Path) -> int:
    try:
        return int(soundfile.info(file).samplerate)
    except soundfile.LibsndfileError as error:
        raise AudioError(f"{file} is missing or damaged ({error.error_string}): copy it again") from error
