"""Decoding of audio files: the header is checked first, then samples are read as mono blocks of NumPy."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeAlias

import numpy as np
import soundfile
from numpy.typing import NDArray

from ..addresses import Address, Place
from ..errors import AudioError
from ..remote import RemoteError, open_remote
from . import limits
from .containers import mp3, ogg
from .containers.byte_view import ByteView, Part
from .containers.chunks import CONTAINERS, sample_parts
from .containers.flac import refuse_what_follows
from .containers.mp3_frames import parse_header
from .containers.tags import skip_leading_tags
from .limits import check_channels, checked_rate, not_finite, resampled_length

Samples: TypeAlias = NDArray[np.float32]

FORMATS = "pass WAV, FLAC, OGG, MP3 or AIFF"
MP3_SUFFIXES = frozenset({".mp3", ".mp2", ".mpga"})
MP3_WARM_UP = 0.2
"""Seconds decoded and dropped after a seek in an MP3 file, whose frames depend on those before them."""
_UNKNOWN_FRAMES = 2**62
_OTHERS = {b"ftyp": "MPEG-4, as .m4a", b"\x30\x26\xb2\x75": "Windows Media", b"\x1a\x45\xdf\xa3": "Matroska or WebM"}


@dataclass(frozen=True)
class AudioFile:
    """An audio file whose header has passed all checks.

    Attributes:
        path: path or address of the file.
        rate: sample rate, 8000 to 768000 Hz.
        channels: number of channels, 1 to 64.
        streams: parts of the file that a decoder reads, for each stream, in order.
        stream_frames: number of samples per channel in each stream.
        doubt: text of the warning about a file that may be incomplete or late; empty if there is none.
    """

    path: Place
    rate: int
    channels: int
    streams: tuple[tuple[Part, ...], ...]
    stream_frames: tuple[int, ...]
    doubt: str = ""

    @property
    def frames(self) -> int:
        """Number of samples per channel in all streams."""
        return sum(self.stream_frames)

    @property
    def duration(self) -> float:
        """Duration in seconds, a whole number of samples at 16 kHz."""
        return resampled_length(self.frames, self.rate) / limits.SAMPLE_RATE

    def blocks(self, begin: int = 0, end: int | None = None) -> Iterator[Samples]:
        """Read mono blocks `(L,)` at the file's own rate, and check that no sample is missing, NaN or infinite.

        Args:
            begin: index of the first sample.
            end: index behind the last sample; by default the end of the file.

        Raises:
            AudioError: the file is damaged or truncated, or has been changed since it was opened.
        """
        end = self.frames if end is None else min(end, self.frames)
        start = 0
        with opened(self.path) as file:
            for parts, frames in zip(self.streams, self.stream_frames, strict=True):
                first, last = max(begin - start, 0), min(end - start, frames)
                if first < last:
                    yield from self._stream_blocks(ByteView(file, parts), first, last, frames)
                start += frames

    def _stream_blocks(self, view: ByteView, first: int, last: int, frames: int) -> Iterator[Samples]:
        position = first
        size = max(1, limits.BLOCK_SAMPLES // self.channels)
        try:
            with _ForwardOnly(view) as decoder:
                if first:
                    ahead = min(first, round(MP3_WARM_UP * self.rate)) if decoder.format == "MP3" else 0
                    decoder.seek(first - ahead)
                    decoder.read(ahead)
                while position < last:
                    block = decoder.read(min(size, last - position), dtype=_stored_type(decoder), always_2d=True)
                    if not len(block):
                        break
                    position += len(block)
                    if position == frames and decoder.format == "FLAC":  # now: a caller that has all samples stops here
                        refuse_what_follows(view, str(self.path))
                    yield mono(_as_float(block), str(self.path))
        except soundfile.LibsndfileError as error:
            if isinstance(view.failure, RemoteError):
                raise cannot_be_read(self.path, view.failure) from error
            reason = view.failure or error.error_string
            raise AudioError(
                f"{self.path} is damaged or truncated after sample {position} of {frames} ({reason}); copy or encode "
                "it again"
            ) from error
        if view.failure is not None:
            raise cannot_be_read(self.path, view.failure)
        if position < last:
            raise AudioError(
                f"{self.path} is truncated: its header announces {frames} samples, {position} are there; copy it again"
            )


def open_file(path: Place) -> AudioFile:
    """Read a file's header, and refuse a file that cannot be scored.

    Raises:
        AudioError: the file is missing, is not audio, is truncated, or is outside the limits.
    """
    try:
        with opened(path) as file:
            return _open(path, file, file.seek(0, os.SEEK_END))
    except OSError as error:
        raise cannot_be_read(path, error) from error


def opened(path: Place) -> BinaryIO:
    """Open a regular file that is not empty.

    Raises:
        AudioError: the path is missing, a directory, a pipe or a device, the file is empty, or may not be read.
    """
    if isinstance(path, Address):
        file = open_remote(path)
        if file.seek(0, os.SEEK_END) == 0:
            raise AudioError(f"{path} is empty (0 bytes); write or copy it again")
        file.seek(0)
        return file
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise AudioError(f"{path} is a directory; pass the list of the stem files in it, or one file")
        if not stat.S_ISREG(status.st_mode):
            raise AudioError(f"{path} is a pipe or a device, which can be read only once; write it to a file first")
        if status.st_size == 0:
            raise AudioError(f"{path} is empty (0 bytes); write or copy it again")
        return path.open("rb")
    except AudioError:
        raise
    except FileNotFoundError as error:
        raise AudioError(f"{path} does not exist; check the path") from error
    except (OSError, ValueError) as error:  # ValueError: a character that no file name may have
        raise cannot_be_read(path, error) from error


def cannot_be_read(path: Place, error: Exception) -> AudioError:
    """Return the error for a file that the operating system, or the store of an address, cannot read."""
    if isinstance(error, RemoteError):
        return AudioError(str(error))
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return AudioError(f"{path} cannot be read ({reason}); check the path, the permission and the disk")


def mono(block: Samples, name: str) -> Samples:
    """Average the channels of decoded samples.

    Shape:
        (L, C) -> (L,).

    Raises:
        AudioError: a sample is NaN or infinite.
    """
    total = block[:, 0].copy()
    for channel in range(1, block.shape[1]):
        total += block[:, channel]
    if block.shape[1] > 1:
        total /= block.shape[1]
    if not np.isfinite(total).all():
        raise not_finite(name)
    return total


def _open(path: Place, file: BinaryIO, size: int) -> AudioFile:
    streams, doubt = _streams(path, file, size)
    headers = [_read_header(path, ByteView(file, parts)) for parts in streams]
    rates, channels = {rate for _, rate, _ in headers}, {count for _, _, count in headers}
    if len(rates) > 1 or len(channels) > 1:
        raise AudioError(f"{path} holds {len(headers)} streams of different rates or channels; split it")
    frames = tuple(count for count, _, _ in headers)
    if sum(frames) == 0:
        raise AudioError(f"{path} holds no samples; write or copy it again")
    return AudioFile(path, rates.pop(), channels.pop(), tuple(streams), frames, doubt)


def _streams(path: Place, file: BinaryIO, size: int) -> tuple[list[tuple[Part, ...]], str]:
    """Find the parts that a decoder reads, by the content of the file, not by its name; and the doubt about it."""
    name = str(path)
    start = skip_leading_tags(file)
    file.seek(start)
    head = file.read(12)
    if head[:4] in CONTAINERS:
        return [sample_parts(head[:4], file, start, size, name)], ""
    if head[:4] == b"fLaC":
        return [((start, size),)], ""
    if head[:4] == b"OggS":
        links = ogg.find_links(file, size, name, start)
        doubt = "" if links[-1].ended else f"{path} does not end as an OGG file does: its end may be missing"
        return [((link.start, link.end),) for link in links], doubt
    if parse_header(head) or start or path.suffix.lower() in MP3_SUFFIXES:
        streams = mp3.find_streams(file, size, name, start)
        return [stream.parts for stream in streams], _mp3_doubt(path, streams)
    other = _OTHERS.get(head[4:8]) or _OTHERS.get(head[:4]) or "unknown format"
    raise AudioError(f"{path} cannot be read as audio ({other}); {FORMATS}")


def _mp3_doubt(path: Place, streams: list[mp3.Stream]) -> str:
    if all(stream.states_delay for stream in streams):
        return ""
    milliseconds = round(1000 * mp3.USUAL_DELAY / streams[0].header.rate)
    return (
        f"{path} does not state its encoder's delay: its sound is usually {milliseconds} ms late against other files; "
        "pass WAV or FLAC, or an MP3 that was encoded with a LAME tag"
    )


def _read_header(path: Place, view: ByteView) -> tuple[int, int, int]:
    """Return samples per channel, rate and channels of a stream."""
    try:
        with soundfile.SoundFile(view) as decoder:
            frames, rate, channels = decoder.frames, decoder.samplerate, decoder.channels
    except (soundfile.LibsndfileError, TypeError) as error:
        if isinstance(view.failure, RemoteError):
            raise cannot_be_read(path, view.failure) from error
        reason: object = view.failure or getattr(error, "error_string", str(error))
        raise AudioError(f"{path} cannot be read as audio ({reason}); {FORMATS}") from error
    check_channels(channels, str(path))
    if frames > _UNKNOWN_FRAMES:  # the header of a FLAC file that was written to a pipe
        raise AudioError(f"{path} does not state its length; encode it again from a file, not through a pipe")
    return frames, checked_rate(rate, str(path)), channels


def _stored_type(decoder: soundfile.SoundFile) -> str:
    """Return the type in which samples are taken from a decoder: that of the file, where NumPy converts faster."""
    return "int16" if decoder.subtype == "PCM_16" else "float32"


def _as_float(block: NDArray[Any]) -> Samples:
    """Return samples of 16 bits as the decoder itself would convert them, in the same float32 numbers."""
    return block if block.dtype == np.float32 else np.multiply(block, np.float32(2**-15), dtype=np.float32)


class _ForwardOnly(soundfile.SoundFile):  # type: ignore[misc]
    """A sound file without the seek after each read, which would make an MP3 decoder lose its bit reservoir."""

    def seekable(self) -> bool:
        return False
