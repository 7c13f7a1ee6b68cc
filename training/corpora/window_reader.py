"""Windows of a track, read from the disk without the rest of the file, and resampled like the whole file."""

import math
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cocola_metric.audio import SAMPLE_RATE, AudioFile, open_file, resample_between

from .tracks import Stem, Track

CONTEXT = 0.01
"""Seconds read to either side of a window; the resampler needs 6.1 samples of the lower rate, less than 1 ms."""


def read_window(track: Track, start: float, seconds: float, sample_rate: int = SAMPLE_RATE) -> NDArray[np.float32]:
    """Read one window of every stem: mono (channels averaged), files of a stem summed (Eq. 1).

    Args:
        track: track from an index function of the corpora.
        start: start of the window, in seconds from the beginning, 0 or more.
        seconds: length of the window, in seconds.
        sample_rate: rate of the output, in Hz.

    Shape:
        -> (N, L), one row per stem, L = round(seconds * sample_rate).

    Raises:
        AudioError: a file is missing or damaged.
    """
    first, length = round(start * sample_rate), round(seconds * sample_rate)
    return np.stack([read_stem(stem, first, length, sample_rate) for stem in track.stems])


def read_stem(stem: Stem, first: int, length: int, sample_rate: int) -> NDArray[np.float32]:
    """Read a piece of the sum of a stem's files, as `read_excerpt` does: (L,)."""
    mixed = np.zeros(length, np.float32)
    for path in stem.files:
        mixed += read_excerpt(path, first, length, sample_rate)
    return mixed


def read_excerpt(path: Path, first: int, length: int, sample_rate: int = SAMPLE_RATE) -> NDArray[np.float32]:
    """Read a piece of a file: mono (channels averaged), silent past the end of the file.

    Only the piece and a little to either side are decoded. A file at another rate is resampled by the one resampler of
    the metric; the samples are the same as those of the whole file, resampled.

    Args:
        path: file to read.
        first: first sample to read, counted at ``sample_rate``.
        length: number of samples.
        sample_rate: rate of the output, in Hz.

    Shape:
        -> (L,).

    Raises:
        AudioError: the file is missing, damaged, or below 8 kHz.
    """
    file = _opened(path)
    if file.rate == sample_rate:
        return _padded(_read_frames(file, first, first + length), length)
    # rate : sample_rate = orig : new, so that output `new * k` lies on input `orig * k`, a place to cut at.
    divisor = math.gcd(file.rate, sample_rate)
    orig, new = file.rate // divisor, sample_rate // divisor
    context = math.ceil(CONTEXT * file.rate / orig)
    begin = max(0, first // new - context)
    end = -(-(first + length) // new) + context
    frames = _read_frames(file, begin * orig, end * orig)
    if not len(frames):
        return np.zeros(length, np.float32)
    resampled = resample_between(frames, file.rate, sample_rate)
    return _padded(resampled[first - begin * new :][:length], length)


def _opened(path: Path) -> AudioFile:
    """Open a file, whose header is read again only when it has changed."""
    try:
        status = path.stat()
    except OSError:
        return open_file(path)  # says what is wrong
    return _header(path, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


@lru_cache(maxsize=4096)
def _header(path: Path, *_: int) -> AudioFile:
    return open_file(path)


def _read_frames(file: AudioFile, begin: int, end: int) -> NDArray[np.float32]:
    """Read frames ``begin`` to ``end`` in mono, fewer where the file ends; the first sample is that of ``begin``."""
    return np.concatenate([np.zeros(0, np.float32), *file.blocks(begin, end)])


def _padded(samples: NDArray[np.float32], length: int) -> NDArray[np.float32]:
    return np.pad(samples, (0, length - len(samples)))
