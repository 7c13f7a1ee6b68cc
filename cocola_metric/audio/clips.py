"""Whole clips at any rate, for embedders that hear more than 16 kHz: reading, identity by content, and mixing."""

import hashlib
import os
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
import torch
import torchaudio
from torch import Tensor

from ..errors import AudioError
from ..identity import file_sha256
from .inputs import (
    LENGTH_TOLERANCE,
    MP3_LENGTH_SLACK,
    SAMPLE_RATE,
    AudioInput,
    AudioWarning,
    mix_stems,
    open_audio,
    read_audio,
    to_mono,
)


def read_clip(audio: AudioInput, rate: int, *, sample_rate: float | None = None) -> Tensor:
    """Read a whole clip, mono float32, at any rate; the policies and, at 16 kHz, the samples are `read_audio`'s.

    Resampled once, from the file's own rate, by the default of `torchaudio.functional.resample`.

    Args:
        audio: a path, the paths of stems to sum (Eq. 1), or a tensor or array `(channels, time)`.
        rate: to resample to, Hz.
        sample_rate: of the tensor, Hz; ignored for files.

    Shape:
        output: (L,)

    Raises:
        AudioError: the input cannot be read, or is damaged.
    """
    if rate == SAMPLE_RATE:
        return read_audio(audio, sample_rate=sample_rate)
    opened = open_audio(audio, sample_rate=sample_rate)  # every check that needs no samples
    if isinstance(audio, (Tensor, np.ndarray)):
        values = audio if isinstance(audio, Tensor) else torch.from_numpy(np.array(audio, dtype=np.float32, order="C"))
        return _resampled(to_mono(values.to(torch.float32)), int(sample_rate or rate), rate)
    if isinstance(audio, (str, os.PathLike)):
        return _read_file(Path(audio), opened.length, rate)
    return mix_stems([read_clip(path, rate) for path in audio])


def mix_clips(audios: Sequence[AudioInput], rate: int, *, sample_rate: float | None = None) -> Tensor:
    """Read clips that play together and sum their common part, with a warning when lengths differ by more than 0.1 s.

    Shape:
        output: (L,), L that of the shortest.

    Raises:
        AudioError: one cannot be read.
    """
    clips = [read_clip(audio, rate, sample_rate=sample_rate) for audio in audios]
    length, longest = min(map(len, clips)), max(map(len, clips))
    if longest - length > LENGTH_TOLERANCE * rate:
        message = f"clips that play together differ in length by {(longest - length) / rate:.2f} s"
        warnings.warn(f"{message}: only the common part is mixed", AudioWarning, stacklevel=3)
    return torch.stack([clip[:length] for clip in clips]).sum(dim=0)


def content_sha256(audio: AudioInput, *, sample_rate: float | None = None) -> str:
    """Return the identity of a clip's content, in hexadecimal; renaming or moving a file does not change it.

    Raises:
        OSError: a file cannot be read.
    """
    if isinstance(audio, (str, os.PathLike)):
        return file_sha256(Path(audio))
    if isinstance(audio, (Tensor, np.ndarray)):
        array = audio.detach().cpu().numpy() if isinstance(audio, Tensor) else audio
        header = f"{array.shape} {array.dtype} {sample_rate} ".encode()
        return hashlib.sha256(header + np.ascontiguousarray(array).tobytes()).hexdigest()
    return hashlib.sha256(" ".join(file_sha256(Path(path)) for path in audio).encode()).hexdigest()


def _read_file(path: Path, length: int, rate: int) -> Tensor:
    """Read a file of `length` samples at 16 kHz, by its header, and see that all of them arrive, all finite."""
    try:
        values, own_rate = soundfile.read(path, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise AudioError(f"{path} is damaged ({error.error_string}): copy or encode it again") from error
    delivered = -(-len(values) * SAMPLE_RATE // own_rate)
    if length - delivered > (MP3_LENGTH_SLACK * length if path.suffix.lower() == ".mp3" else 0):
        raise AudioError(f"{path} is truncated: {length / SAMPLE_RATE:.2f} s announced, fewer are there: copy it again")
    mono = to_mono(torch.from_numpy(values.T))
    if not torch.isfinite(mono).all():
        raise AudioError(f"{path} holds NaN or infinite samples: render it again, or replace them")
    return _resampled(mono, own_rate, rate)


def _resampled(mono: Tensor, from_rate: int, rate: int) -> Tensor:
    if from_rate == rate:
        return mono
    resampled: Tensor = torchaudio.functional.resample(mono, from_rate, rate)
    return resampled
