"""Whole clips at any rate, for embedders of more than 16 kHz: reading, identity by content, and mixing."""

import hashlib
import os
import stat
from collections.abc import Sequence

import numpy as np

from ..addresses import Address, located
from ..arrays import AnyArray, is_tensor, namespace
from ..blame import warn_caller
from ..identity import file_sha256
from ..remote import remote_identity
from .arrays import checked_mono, is_array, mix_stems
from .decoding import open_file
from .inputs import AudioInput, open_audio, read_audio
from .limits import LENGTH_TOLERANCE, SAMPLE_RATE, AudioWarning
from .resampling import resample_between


def read_clip(audio: AudioInput, rate: int, *, sample_rate: float | None = None) -> AnyArray:
    """Read a whole clip at any rate, as mono float32. Policies are those of `read_audio`; so are the samples at 16 kHz.

    The clip is resampled once, from the file's own rate, by the default of `torchaudio.functional.resample`.

    Args:
        audio: a path, the paths of stems to sum (Eq. 1), or a tensor or array `(channels, time)`.
        rate: rate of the result, in Hz.
        sample_rate: rate of the tensor or array, in Hz; ignored for files.

    Shape:
        -> (L,).

    Raises:
        AudioError: the input cannot be read, or is damaged.
    """
    if rate == SAMPLE_RATE:
        return read_audio(audio, sample_rate=sample_rate)
    open_audio(audio, sample_rate=sample_rate)  # every check that needs no samples
    if is_array(audio):
        mono, own_rate = checked_mono(audio, sample_rate)
        return resample_between(mono, own_rate, rate)
    if isinstance(audio, (str, os.PathLike)):
        file = open_file(located(audio))
        return resample_between(np.concatenate(list(file.blocks())), file.rate, rate)
    return mix_stems([read_clip(path, rate) for path in audio])


def mix_clips(audios: Sequence[AudioInput], rate: int, *, sample_rate: float | None = None) -> AnyArray:
    """Read clips that play together and sum their common part. Warn if lengths differ by more than 0.1 s.

    Shape:
        -> (L,), L the length of the shortest clip.

    Raises:
        AudioError: a clip cannot be read.
    """
    clips = [read_clip(audio, rate, sample_rate=sample_rate) for audio in audios]
    length, longest = min(map(len, clips)), max(map(len, clips))
    if longest - length > LENGTH_TOLERANCE * rate:
        message = f"clips that play together differ in length by {(longest - length) / rate:.2f} s"
        warn_caller(f"{message}, more than {LENGTH_TOLERANCE:g} s; only the common part is mixed", AudioWarning)
    return namespace(clips[0]).stack([clip[:length] for clip in clips]).sum(0)


def content_sha256(audio: AudioInput, *, sample_rate: float | None = None) -> str:
    """Return the identity of a clip's content, in hexadecimal; renaming or moving a file does not change it.

    An object at an address is told by its size and the check sum of its store.

    Raises:
        OSError: a file cannot be read, or the path is a pipe or a folder.
        ValueError: the path holds a character that no file name may have.
    """
    if isinstance(audio, (str, os.PathLike)):
        return _file_identity(audio)
    if is_array(audio):
        array = audio.detach().cpu().numpy() if is_tensor(audio) else audio
        header = f"{array.shape} {array.dtype} {sample_rate} ".encode()
        return hashlib.sha256(header + np.ascontiguousarray(array).tobytes()).hexdigest()
    return hashlib.sha256(" ".join(_file_identity(path) for path in audio).encode()).hexdigest()


def _file_identity(place: str | os.PathLike[str]) -> str:
    path = located(place)
    if isinstance(path, Address):
        return remote_identity(path)
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(f"{path} is not a regular file; write it to a file first")
    return file_sha256(path)
