"""Decode audio files: what a header shows is checked at the door, the samples arrive as mono blocks of NumPy."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import soundfile
from numpy.typing import NDArray

from ..errors import AudioError
from . import limits
from .limits import check_channels, checked_rate, not_finite

Samples: TypeAlias = NDArray[np.float32]

MP3_LENGTH_SLACK = 0.01
"""Share of an MP3 file's samples that may be missing and count as silence: without a length header libsndfile can only
estimate it from the bit rate. A recorded song was seen 0.6 % off."""

# libsndfile silently shortens a cut WAV or AIFF file to what is there; only its log tells: "data : 640 (should be 10)".
_CUT_DATA_CHUNK = re.compile(r"(?:data|SSND) : (\d+) \(should be (\d+)\)")
# Programs that write to a pipe state a data size of about 2 or 4 GiB: unknown, not cut.
_PIPED_DATA_SIZE = 0x7FFF_0000


@dataclass(frozen=True)
class AudioFile:
    """A file whose header has been read and found fit.

    Attributes:
        path: Where it is.
        frames: Samples per channel.
        rate: Samples per second, 8 kHz to 768 kHz.
        channels: 1 to 64.
    """

    path: Path
    frames: int
    rate: int
    channels: int

    def blocks(self) -> Iterator[Samples]:
        """Read mono blocks `(L,)` at the file's own rate, and see that all `frames` arrive, all finite.

        Raises:
            AudioError: The file is damaged or truncated.
        """
        delivered = 0
        try:
            with _ForwardOnly(self.path) as file:
                size = limits.BLOCK_SAMPLES // file.channels
                while len(block := file.read(size, dtype="float32", always_2d=True)):
                    delivered += len(block)
                    yield mono(block, str(self.path))
        except soundfile.LibsndfileError as error:
            reason = error.error_string
            raise AudioError(
                f"{self.path} is damaged or truncated after sample {delivered} of {self.frames} ({reason}): copy or "
                "encode it again"
            ) from error
        missing = self.frames - delivered
        if 0 < missing <= MP3_LENGTH_SLACK * self.frames and self.path.suffix.lower() == ".mp3":
            yield np.zeros(missing, np.float32)
        elif missing:
            raise AudioError(
                f"{self.path} is truncated: its header announces {self.frames} samples, {delivered} are there: copy it "
                "again"
            )


def open_file(path: Path) -> AudioFile:
    """Read a file's header, and refuse what it shows to be unfit.

    Raises:
        AudioError: The file is missing, no audio, truncated, or outside the limits.
    """
    if path.is_dir():
        raise AudioError(f"{path} is a directory: pass the list of the stem files in it, or one file")
    if not path.exists():
        raise AudioError(f"{path} does not exist: check the path")
    if path.stat().st_size == 0:
        raise AudioError(f"{path} is empty (0 bytes): write or copy it again")
    try:
        with soundfile.SoundFile(path) as file:
            frames, rate, channels, log = file.frames, file.samplerate, file.channels, file.extra_info
    except (soundfile.LibsndfileError, TypeError) as error:  # TypeError: a headerless format, known by its suffix
        reason = getattr(error, "error_string", str(error))
        raise AudioError(f"{path} cannot be read as audio ({reason}): pass WAV, FLAC, OGG, MP3 or AIFF") from error
    check_channels(channels, str(path))
    rate = checked_rate(rate, str(path))
    if frames == 0:
        raise AudioError(f"{path} holds no samples: write or copy it again")
    if frames > 2**62:  # libsndfile's "unknown": a FLAC file that was written to a pipe
        raise AudioError(f"{path} does not state its length: encode it again from a file, not through a pipe")
    cut = _CUT_DATA_CHUNK.search(log)
    if cut and int(cut[1]) < _PIPED_DATA_SIZE:
        raise AudioError(
            f"{path} is truncated: its header announces {cut[1]} bytes of audio, {cut[2]} are there: copy it again"
        )
    return AudioFile(path, frames, rate, channels)


def mono(block: Samples, name: str) -> Samples:
    """Average the channels of decoded samples.

    Shape:
        block: (L, C)
        output: (L,)

    Raises:
        AudioError: A sample is NaN or infinite.
    """
    total = block[:, 0].copy()
    for channel in range(1, block.shape[1]):
        total += block[:, channel]
    if block.shape[1] > 1:
        total /= block.shape[1]
    if not np.isfinite(total).all():
        raise not_finite(name)
    return total


class _ForwardOnly(soundfile.SoundFile):  # type: ignore[misc]
    """A file that soundfile does not seek in after each read, which costs an MP3 decoder its bit reservoir."""

    def seekable(self) -> bool:
        return False
