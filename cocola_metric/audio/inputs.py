"""Answer for what the metric hears: a path, stem paths or a tensor become mono float32 audio at 16 kHz."""

import math
import os
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import soundfile
import torch
import torchaudio
from torch import Tensor
from torch.nn.functional import pad

from ..errors import AudioError

SAMPLE_RATE = 16_000
MIN_SAMPLE_RATE = 8_000
"""Hz; below it more than half of the encoder's 60-7800 Hz band would be empty."""
MAX_CHANNELS = 64
"""Above it a tensor is almost surely (time, channels), the wrong way round."""
LENGTH_TOLERANCE = 0.1
"""Seconds by which audio that belongs together may differ in length before a warning says so."""
MP3_LENGTH_SLACK = 0.01
"""Share of an MP3 file's samples that may be missing and count as silence: without a length header libsndfile can only
estimate it from the bit rate. A recorded song was seen 0.6 % off."""
BLOCK_SAMPLES = 2**18
"""Samples, all channels together, that are read and resampled at a time: 1 MiB of float32."""

# torchaudio's defaults, which are part of the metric.
_LOWPASS_WIDTH = 6
_ROLLOFF = 0.99
# Taps of the dense kernel that torchaudio may build (16 MiB); only odd rates such as 44056 or 44101 Hz need more.
_DENSE_KERNEL_TAPS = 2**22
# libsndfile silently shortens a cut WAV or AIFF file to what is there; only its log tells: "data : 640 (should be 10)".
_CUT_DATA_CHUNK = re.compile(r"(?:data|SSND) : (\d+) \(should be (\d+)\)")
# Programs that write to a pipe state a data size of about 2 or 4 GiB: unknown, not cut.
_PIPED_DATA_SIZE = 0x7FFF_0000

AudioPath: TypeAlias = str | os.PathLike[str]
AudioInput: TypeAlias = AudioPath | Sequence[AudioPath] | Tensor | np.ndarray[Any, Any]


class AudioWarning(UserWarning):
    """Audio was padded or cut before it was scored; the message says which, and by how much."""


@dataclass(frozen=True)
class Audio:
    """Audio that has passed every check that its header allows, and is not read yet.

    Attributes:
        name: What messages call it: the path, or "tensor (2, 80000)".
        length: Samples at 16 kHz.
        blocks: Start reading: an iterator over mono float32 blocks `(L,)` at 16 kHz, `length` samples in all.
    """

    name: str
    length: int
    blocks: Callable[[], Iterator[Tensor]]

    @property
    def duration(self) -> float:
        """Seconds, a whole number of samples at 16 kHz."""
        return self.length / SAMPLE_RATE


def read_audio(audio: AudioInput, *, sample_rate: float | None = None) -> Tensor:
    """Read audio as the encoder hears it: mono, float32, 16 kHz.

    Policies: `open_audio`. A floating-point tensor stays in the autograd graph and on its device.

    Args:
        audio: A path, the paths of stems to sum (Eq. 1), or a tensor or array `(channels, time)`.
        sample_rate: Of the tensor, in Hz; a file states its own, and this is ignored.

    Shape:
        output: (L,), L = ceil(time * 16000 / sample_rate).

    Raises:
        AudioError: The input cannot be scored.
    """
    return torch.cat(list(open_audio(audio, sample_rate=sample_rate).blocks()))


def open_audio(audio: AudioInput, *, sample_rate: float | None = None) -> Audio:
    """Check audio at the door and give its length, without reading it.

    One policy each:

    - Formats: what libsndfile reads (WAV, FLAC, OGG, MP3, AIFF), at any rate from 8 kHz, of 1 to 64 channels.
    - Channels are averaged (`to_mono`); a tensor or array of one dimension is mono.
    - Tensors and arrays are floating point, with full scale at -1..1; float16 and float64 become float32. Their samples
      are never changed in place.
    - Stems are resampled, then summed; shorter ones are padded with zeros at the end, with a warning above 0.1 s.
    - A file that holds fewer samples than its header announces (truncated WAV, AIFF, FLAC or MP3) is an error; if its
      header does not show it, reading raises it. OGG announces no length: what there is of it is read.
    - NaN and infinite samples are errors; silence is not, here: the scorer treats it.

    Args:
        audio: A path, the paths of stems to sum (Eq. 1), or a tensor or array `(channels, time)`.
        sample_rate: Of the tensor, in Hz; a file states its own, and this is ignored.

    Raises:
        AudioError: The input cannot be scored; the message says why, and what to do.
    """
    if isinstance(audio, (str, os.PathLike)):
        return _open_file(Path(audio))
    if isinstance(audio, (Tensor, np.ndarray)):
        return _open_tensor(audio, sample_rate)
    if not isinstance(audio, Sequence) or not all(isinstance(path, (str, os.PathLike)) for path in audio):
        kind = type(audio).__name__
        raise AudioError(f"a {kind} is not audio: pass a path, a list of stem paths, or one tensor (channels, time)")
    if not audio:
        raise AudioError("the list of stems is empty: pass at least one path")
    return _open_stems([_open_file(Path(path)) for path in audio])


def to_mono(waveform: Tensor) -> Tensor:
    """Average the channels.

    Shape:
        waveform: (C, L), or (L,) which is mono already.
        output: (L,)

    Raises:
        AudioError: Three dimensions or more, or more than 64 channels.
    """
    if waveform.ndim == 1:
        return waveform
    name = _tensor_name(waveform)
    if waveform.ndim != 2:
        raise AudioError(f"{name} has {waveform.ndim} dimensions: pass (channels, time), one piece of music at a time")
    _check_channels(waveform.shape[0], name)
    return waveform.mean(dim=0)


def resample(waveform: Tensor, from_rate: float) -> Tensor:
    """Resample to 16 kHz with the one resampler of the metric, the default of `torchaudio.functional.resample`.

    A windowed sinc: Hann, 6 zero crossings, roll-off 0.99. Long audio is resampled in blocks, with the same result.

    Args:
        waveform: Floating point.
        from_rate: Of the waveform, in Hz.

    Shape:
        waveform: (..., L)
        output: (..., ceil(L * 16000 / from_rate)). The ceiling is exact, where torchaudio rounds it to float32.

    Raises:
        AudioError: The rate is below 8 kHz, or not a whole number.
    """
    rate = _checked_rate(from_rate, _tensor_name(waveform))
    return torch.cat(list(_resample_blocks(torch.split(waveform, BLOCK_SAMPLES, dim=-1), rate)), dim=-1)


def mix_stems(stems: Sequence[Tensor]) -> Tensor:
    """Sum stems into a sub-mix (Eq. 1), after padding the shorter ones with zeros at the end.

    Shape:
        stems: N times (L,), each of its own length, at one rate.
        output: (L,), that of the longest stem.
    """
    length = max(len(stem) for stem in stems)
    return torch.stack([pad(stem, (0, length - len(stem))) for stem in stems]).sum(dim=0)


def _open_file(path: Path) -> Audio:
    """Read a file's header, and refuse what it shows to be unfit."""
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
    _check_channels(channels, str(path))
    rate = _checked_rate(rate, str(path))
    if frames == 0:
        raise AudioError(f"{path} holds no samples: write or copy it again")
    if frames > 2**62:  # libsndfile's "unknown": a FLAC file that was written to a pipe
        raise AudioError(f"{path} does not state its length: encode it again from a file, not through a pipe")
    cut = _CUT_DATA_CHUNK.search(log)
    if cut and int(cut[1]) < _PIPED_DATA_SIZE:
        raise AudioError(
            f"{path} is truncated: its header announces {cut[1]} bytes of audio, {cut[2]} are there: copy it again"
        )
    length = _resampled_length(frames, rate)
    return Audio(str(path), length, lambda: _resample_blocks(_read_blocks(path, frames), rate))


class _ForwardOnly(soundfile.SoundFile):  # type: ignore[misc]
    """A file that soundfile does not seek in after each read, which costs an MP3 decoder its bit reservoir."""

    def seekable(self) -> bool:
        return False


def _read_blocks(path: Path, frames: int) -> Iterator[Tensor]:
    """Read a file as mono blocks at its own rate, and see that `frames` of them arrive, all finite."""
    delivered = 0
    try:
        with _ForwardOnly(path) as file:
            size = BLOCK_SAMPLES // file.channels
            while len(block := file.read(size, dtype="float32", always_2d=True)):
                mono = to_mono(torch.from_numpy(block.T))
                _check_finite(mono, str(path))
                delivered += len(block)
                yield mono
    except soundfile.LibsndfileError as error:
        reason = error.error_string
        raise AudioError(
            f"{path} is damaged or truncated after sample {delivered} of {frames} ({reason}): copy or encode it again"
        ) from error
    missing = frames - delivered
    if 0 < missing <= MP3_LENGTH_SLACK * frames and path.suffix.lower() == ".mp3":
        yield torch.zeros(missing)
    elif missing:
        raise AudioError(
            f"{path} is truncated: its header announces {frames} samples, {delivered} are there: copy it again"
        )


def _open_tensor(audio: Tensor | np.ndarray[Any, Any], sample_rate: float | None) -> Audio:
    """Check a tensor or an array, and average its channels."""
    name = _tensor_name(audio)
    if sample_rate is None:
        raise AudioError(f"{name} comes without its rate: pass sample_rate=, in Hz")
    rate = _checked_rate(sample_rate, name)
    floating = audio.is_floating_point() if isinstance(audio, Tensor) else np.issubdtype(audio.dtype, np.floating)
    if not floating:
        raise AudioError(f"{name} is of {audio.dtype}: convert it to floating point in -1..1 (int16: divide by 32768)")
    if 0 in audio.shape:
        raise AudioError(f"{name} holds no samples: pass (channels, time) with at least one of each")
    if isinstance(audio, np.ndarray):  # copied, as torch takes neither read-only, reversed nor big-endian arrays
        audio = torch.from_numpy(np.array(audio, dtype=np.float32, order="C"))
    mono = to_mono(audio.to(torch.float32))  # (L,)
    _check_finite(mono, name)
    length = _resampled_length(len(mono), rate)
    return Audio(name, length, lambda: _resample_blocks(torch.split(mono, BLOCK_SAMPLES), rate))


def _open_stems(stems: Sequence[Audio]) -> Audio:
    """Join stems into one audio, their sum, and warn when their lengths differ."""
    shortest, longest = min(stems, key=lambda stem: stem.length), max(stems, key=lambda stem: stem.length)
    difference = longest.length - shortest.length
    if difference > LENGTH_TOLERANCE * SAMPLE_RATE:
        seconds = f"{difference / SAMPLE_RATE:.2f} s"
        message = f"{shortest.name} is {seconds} shorter than {longest.name}: padded with silence at the end"
        warnings.warn(message, AudioWarning, stacklevel=3)

    def mixed_blocks() -> Iterator[Tensor]:
        streams = [_equal_blocks(stem.blocks(), BLOCK_SAMPLES) for stem in stems]
        return map(mix_stems, zip_longest(*streams, fillvalue=torch.zeros(0)))

    return Audio(" + ".join(stem.name for stem in stems), longest.length, mixed_blocks)


def _equal_blocks(blocks: Iterable[Tensor], size: int) -> Iterator[Tensor]:
    """Cut blocks `(L,)` of any length into blocks of `size` samples; only the last may be shorter."""
    pending = torch.zeros(0)
    for block in blocks:
        pending = torch.cat([pending, block])
        while len(pending) >= size:
            yield pending[:size]
            pending = pending[size:]
    if len(pending):
        yield pending


def _resample_blocks(blocks: Iterable[Tensor], rate: int) -> Iterator[Tensor]:
    """Resample consecutive blocks `(..., L)` so that they join without a seam.

    With rate : 16000 = orig : new in lowest terms, `orig` samples become `new`, so audio may be cut at any multiple of
    `orig` without moving an output sample. Each output sees `width` samples to either side: `context` samples, the
    next multiple of `orig`, are kept from before and waited for behind.
    """
    if rate == SAMPLE_RATE:
        yield from blocks
        return
    orig, new, width = _ratio(rate)
    context = math.ceil(width / orig) * orig
    skip = context // orig * new
    pending: Tensor | None = None
    for block in blocks:
        pending = pad(block, (context, 0)) if pending is None else torch.cat([pending, block], dim=-1)
        ready = (pending.shape[-1] - 2 * context) // orig
        if ready > 0:
            resampled = _resample_block(pending[..., : ready * orig + 2 * context], rate)
            yield resampled[..., skip : skip + ready * new]
            pending = pending[..., ready * orig :]
    if pending is not None:
        yield _resample_block(pending, rate)[..., skip:]


def _resample_block(waveform: Tensor, rate: int) -> Tensor:
    """Resample one block `(..., L)`, with silence before and after it."""
    orig, new, width = _ratio(rate)
    length = _resampled_length(waveform.shape[-1], rate)
    if new * (orig + 2 * width) > _DENSE_KERNEL_TAPS:
        return _resample_sparsely(waveform, rate)
    # One period more than needed, because torchaudio may round its output's length down.
    waveform = pad(waveform, (0, orig))
    resampled: Tensor = torchaudio.functional.resample(
        waveform, orig, new, lowpass_filter_width=_LOWPASS_WIDTH, rolloff=_ROLLOFF
    )
    return resampled[..., :length]


def _resample_sparsely(waveform: Tensor, rate: int) -> Tensor:
    """Do as torchaudio, but evaluate the kernel only where it is not zero.

    torchaudio's kernel has `new * (orig + 2 * width)` taps, 2.8 GB at 44101 Hz; `new * (2 * width + 2)` of them are
    not zero, at the same float32 positions (the rounding of which is 1e-4 of full scale at such rates, so it matters).
    """
    orig, new, width = _ratio(rate)
    cutoff = _ROLLOFF * min(orig, new)
    phases = torch.arange(new, device=waveform.device)
    offsets = torch.arange(-width, width + 2, device=waveform.device)
    positions = (phases * orig // new)[:, None] + offsets  # (new, taps), in input samples of one period
    t = (-phases.to(waveform.dtype) / new)[:, None] + positions.to(waveform.dtype) / orig
    t = (t * cutoff).clamp(-_LOWPASS_WIDTH, _LOWPASS_WIDTH)
    kernel = torch.sinc(t) * torch.cos(t * math.pi / _LOWPASS_WIDTH / 2) ** 2 * (cutoff / orig)

    outputs = torch.arange(_resampled_length(waveform.shape[-1], rate), device=waveform.device)
    frames = pad(waveform, (width, width + 2)).unfold(-1, len(offsets), 1)  # (..., L + 1, taps)
    return (frames[..., outputs * orig // new, :] * kernel[outputs % new]).sum(dim=-1)


def _ratio(rate: int) -> tuple[int, int, int]:
    """Give rate : 16000 in lowest terms, and the half-width of the resampling kernel in input samples."""
    divisor = math.gcd(rate, SAMPLE_RATE)
    orig, new = rate // divisor, SAMPLE_RATE // divisor
    return orig, new, math.ceil(_LOWPASS_WIDTH * orig / (_ROLLOFF * min(orig, new)))


def _resampled_length(frames: int, rate: int) -> int:
    """Give the length at 16 kHz of `frames` samples at `rate`: an exact ceiling."""
    return -(-frames * SAMPLE_RATE // rate)


def _checked_rate(rate: float, name: str) -> int:
    if not float(rate).is_integer():
        raise AudioError(f"{name} is said to have {rate} samples per second: pass a whole number of Hz")
    if rate < MIN_SAMPLE_RATE:
        raise AudioError(
            f"{name} has a rate of {rate:g} Hz, below {MIN_SAMPLE_RATE} Hz: it holds too little of the band that the "
            "metric hears; pass a recording at 16000 Hz or more"
        )
    return int(rate)


def _check_channels(channels: int, name: str) -> None:
    if channels > MAX_CHANNELS:
        raise AudioError(
            f"{name} has {channels} channels, more than {MAX_CHANNELS}: pass (channels, time), not (time, channels)"
        )


def _check_finite(mono: Tensor, name: str) -> None:
    if not torch.isfinite(mono).all():
        raise AudioError(f"{name} holds NaN or infinite samples: render it again, or replace them")


def _tensor_name(audio: Tensor | np.ndarray[Any, Any]) -> str:
    return f"{'tensor' if isinstance(audio, Tensor) else 'array'} {tuple(audio.shape)}"
