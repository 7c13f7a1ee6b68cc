"""Windows of sums of stems, at the rate of their files or any other."""

import hashlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from cocola_metric.audio import open_file, resample_between
from cocola_metric.training.corpora import Stem, read_stem


def native_rate(stems: Iterable[Stem]) -> int:
    """Return the highest sample rate of the stems' files, in Hz.

    Raises:
        AudioError: a file is missing or damaged.
    """
    return max(open_file(file).rate for stem in stems for file in stem.files)


def read_mix(stems: Iterable[Stem], start: float, seconds: float, sample_rate: int) -> NDArray[np.float32]:
    """Read the sum of some stems of a track in a window, mono (channels averaged); silent past their ends.

    Args:
        stems: one or more stems of a track.
        start: start of the window, in seconds from the beginning of the track.
        seconds: length of the window, in seconds.
        sample_rate: rate of the output, in Hz; any.

    Shape:
        -> (L,), L = round(seconds * sample_rate).

    Raises:
        AudioError: a file is missing or damaged.
    """
    mix = np.zeros(round(seconds * sample_rate), np.float32)
    for stem in stems:
        mix += read_stem(stem, round(start * sample_rate), len(mix), sample_rate)
    return mix


def fingerprint(stems: Iterable[Stem], start: float, seconds: float) -> str:
    """Return a hash of the samples of some stems in a window; copies of the files have the same.

    The samples are hashed as they are in the files: for PCM they are the same on every machine.
    """
    digest = hashlib.sha256()
    for stem in stems:
        rate = native_rate([stem])
        digest.update(f"{stem.name}/{rate}/".encode())
        digest.update(read_mix([stem], start, seconds, rate).astype("<f4").tobytes())
    return digest.hexdigest()


def resample_to(samples: NDArray[np.float32], from_rate: int, sample_rate: int) -> NDArray[np.float32]:
    """Resample to any rate with the resampler of the metric.

    Shape:
        (L,) -> (ceil(L * sample_rate / from_rate),).
    """
    resampled: NDArray[np.float32] = resample_between(np.ascontiguousarray(samples), from_rate, sample_rate)
    return resampled


def limit_band(samples: NDArray[np.float32], sample_rate: int, band: float) -> NDArray[np.float32]:
    """Remove what lies above ``band`` Hz by resampling to twice that rate and back.

    CompoNet's output ends at 8 kHz and MSDM's at 11 kHz, but the music they are compared with goes on above. Without a
    limit, a distance between embeddings can be mostly that difference. Audio whose rate is too low comes back as it is.

    Shape:
        (L,) -> (L,).
    """
    narrow = round(2 * band)
    if narrow >= sample_rate:
        return samples
    back = resample_to(resample_to(samples, sample_rate, narrow), narrow, sample_rate)
    return back[: len(samples)]
