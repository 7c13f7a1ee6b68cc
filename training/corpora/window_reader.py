"""Windows of a track, read where they lie on the disk and resampled as the whole file would be."""

import math
from pathlib import Path

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray

from cocola_metric.audio import SAMPLE_RATE, resample
from cocola_metric.errors import AudioError

from .tracks import Stem, Track

CONTEXT = 0.01
"""Seconds read to either side of a window: the resampler sees 6.1 samples of the lower rate, below 1 ms."""
MP3_CONTEXT = 0.2
"""Seconds read before a window of an MP3 file, whose decoder needs some frames to find its way after a seek."""


def read_window(track: Track, start: float, seconds: float, sample_rate: int = SAMPLE_RATE) -> NDArray[np.float32]:
    """Read one window of every stem: mono (channels averaged), files of a stem summed (Eq. 1).

    Only the window and a little to either side are decoded. Files at another rate are resampled by the one resampler of
    the metric; the samples are those of the whole file, resampled. Past its end a stem is silent.

    Args:
        track: from an index function of `corpora`.
        start: seconds from the beginning, 0 or more.
        seconds: length of the window.
        sample_rate: of the output, Hz.

    Shape:
        output: (N, L), one row per stem, L = round(seconds * sample_rate).

    Raises:
        AudioError: a file is missing or damaged, or its rate cannot be brought to ``sample_rate``.
    """
    first, length = round(start * sample_rate), round(seconds * sample_rate)
    return np.stack([_read_stem(stem, first, length, sample_rate) for stem in track.stems])


def _read_stem(stem: Stem, first: int, length: int, sample_rate: int) -> NDArray[np.float32]:
    mixed = np.zeros(length, np.float32)
    for path in stem.files:
        samples = _read_file(path, first, length, sample_rate)
        mixed[: len(samples)] += samples
    return mixed


def _read_file(path: Path, first: int, length: int, sample_rate: int) -> NDArray[np.float32]:
    """Read samples ``first`` to ``first + length`` of a file at ``sample_rate``; fewer where it ends."""
    try:
        with soundfile.SoundFile(path) as file:
            if file.samplerate == sample_rate:
                return _read_frames(file, path, first, first + length)
            # rate : sample_rate = orig : new, so that output `new * k` lies on input `orig * k`, a place to cut at.
            divisor = math.gcd(file.samplerate, sample_rate)
            orig, new = file.samplerate // divisor, sample_rate // divisor
            context = math.ceil(CONTEXT * file.samplerate / orig)
            begin = max(0, first // new - context)
            end = -(-(first + length) // new) + context
            frames = _read_frames(file, path, begin * orig, end * orig)
            resampled = _resample(frames, file.samplerate, sample_rate, path)
    except soundfile.LibsndfileError as error:
        raise AudioError(f"{path} is missing or damaged ({error.error_string}): copy it again") from error
    return resampled[first - begin * new :][:length]


def _read_frames(file: soundfile.SoundFile, path: Path, begin: int, end: int) -> NDArray[np.float32]:
    """Read frames ``begin`` to ``end`` in mono, fewer where the file ends; the first sample is that of ``begin``."""
    end = min(end, file.frames)
    if begin >= end:
        return np.zeros(0, np.float32)
    is_mp3 = path.suffix.lower() == ".mp3"
    ahead = min(begin, round(MP3_CONTEXT * file.samplerate)) if is_mp3 else 0
    file.seek(begin - ahead)
    frames: NDArray[np.float32] = file.read(end - begin + ahead, dtype="float32", always_2d=True)[ahead:]
    if len(frames) < end - begin and not is_mp3:  # the length of an MP3 file may be an estimate
        raise AudioError(f"{path} is truncated after sample {begin + len(frames)} of {file.frames}: copy it again")
    mono: NDArray[np.float32] = frames.mean(axis=1)
    if not np.isfinite(mono).all():
        raise AudioError(f"{path} holds NaN or infinite samples: render it again, or replace them")
    return mono


def _resample(frames: NDArray[np.float32], rate: int, sample_rate: int, path: Path) -> NDArray[np.float32]:
    """Resample through `audio.resample`, whose target is 16 kHz: the ratio of the rates is all that counts."""
    if rate * SAMPLE_RATE % sample_rate or rate * SAMPLE_RATE < sample_rate * SAMPLE_RATE // 2:
        raise AudioError(f"{path} is at {rate} Hz and cannot be brought to {sample_rate} Hz: resample the file")
    if len(frames) == 0:
        return frames
    resampled: NDArray[np.float32] = resample(torch.from_numpy(frames), rate * SAMPLE_RATE // sample_rate).numpy()
    return resampled
