"""Answer for the windows of a score: where they start, which ones count, and reading them in bounded memory."""

import math
import warnings
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from .audio import SAMPLE_RATE, Audio, AudioWarning
from .errors import AudioError

WINDOW = 5.0
"""Seconds; what the encoder is trained on."""
HOP = 2.5
"""Seconds from the start of one window to the start of the next."""
BATCH_SIZE = 32
"""Windows that `stream_windows` holds at a time: 4 MB of float32 beyond their overlap."""
SILENCE_DBFS = -70.0
"""RMS below which a window is silent. It is the absolute gate of EBU R 128: well above the dither of 16-bit audio
(-93 dBFS), below the quietest stems that were played to be heard (a hi-hat track at -67 dBFS)."""


class Windows(NamedTuple):
    """Consecutive windows of one piece of audio.

    Attributes:
        starts: (K,), seconds from the beginning of the audio, float64.
        waveforms: (K, L), a view in which overlapping windows share memory: not to be changed in place.
    """

    starts: Tensor
    waveforms: Tensor


def split_windows(waveform: Tensor, *, window: float = WINDOW, hop: float = HOP) -> Windows:
    """Split a waveform at 16 kHz into windows.

    Every complete window counts. If audio remains behind the last of them, one more window follows: padded with zeros
    if at least half of it is audio, else dropped. Audio shorter than one window is one window, padded with zeros, with
    an `AudioWarning`. Where the hop is at most half the window, as by default, nothing is dropped.

    Args:
        waveform: Mono, 16 kHz.
        window: Seconds.
        hop: Seconds; above `window`, the audio between windows is not seen.

    Shape:
        waveform: (L,)
        output: starts (K,), waveforms (K, round(16000 * window)).

    Raises:
        AudioError: The waveform is empty, or `window` or `hop` is not a positive time.
    """
    if len(waveform) == 0:
        raise AudioError("a waveform without samples has no windows: pass at least one sample")
    size, step = _samples(window, "window"), _samples(hop, "hop")
    _warn_of_short_audio(f"waveform {tuple(waveform.shape)}", len(waveform), size)
    return _unfold(waveform, 0, _count_windows(len(waveform), size, step), size, step)


def stream_windows(
    audio: Audio, *, window: float = WINDOW, hop: float = HOP, limit: float | None = None, batch_size: int = BATCH_SIZE
) -> Iterator[Windows]:
    """Read audio in batches of windows: those of `split_windows(read_audio(...))`, to 1e-6, in bounded memory.

    An hour of 44.1 kHz stereo takes MEASURED MB beyond what importing torch takes, one minute takes MEASURED MB.

    Args:
        audio: From `open_audio`.
        window: Seconds.
        hop: Seconds.
        limit: Seconds after which the audio is cut, before windows are counted: the length of the common part, when
            another audio is shorter.
        batch_size: Windows in a batch; the last batch may be smaller.

    Shape:
        output: batches of starts (K,), waveforms (K, round(16000 * window)).

    Raises:
        AudioError: `window`, `hop` or `limit` is not a positive time; while reading: the file is damaged.
    """
    size, step = _samples(window, "window"), _samples(hop, "hop")
    length = audio.length if limit is None else min(audio.length, _samples(limit, "limit"))
    _warn_of_short_audio(audio.name, length, size)
    return _stream_windows(audio.blocks(), length, size, step, batch_size)


def is_silent(windows: Tensor) -> Tensor:
    """Tell which windows are silent: their RMS is below `SILENCE_DBFS`, where full scale is 1.

    Shape:
        windows: (K, L)
        output: (K,), bool.
    """
    return windows.square().mean(dim=-1).sqrt() < 10 ** (SILENCE_DBFS / 20)


def _stream_windows(blocks: Iterator[Tensor], length: int, size: int, step: int, batch_size: int) -> Iterator[Windows]:
    count = _count_windows(length, size, step)
    pending = torch.zeros(0)  # the audio from the start of the next window on
    unread = length
    for first in range(0, count, batch_size):
        batch = min(batch_size, count - first)
        span = max((batch - 1) * step + size, batch * step)
        while len(pending) < span and unread > 0:
            block = next(blocks)[:unread]
            unread -= len(block)
            pending = torch.cat([pending, block.to(pending.device)])
        yield _unfold(pending, first, batch, size, step)
        pending = pending[batch * step :]


def _unfold(waveform: Tensor, first: int, count: int, size: int, step: int) -> Windows:
    """Cut windows number `first` to `first + count` from a waveform that begins with the first of them."""
    span = (count - 1) * step + size
    waveforms = pad(waveform, (0, max(0, span - len(waveform))))[:span].unfold(0, size, step)  # (K, L)
    return Windows(torch.arange(first, first + count, dtype=torch.float64) * step / SAMPLE_RATE, waveforms)


def _count_windows(length: int, size: int, step: int) -> int:
    """Count the windows that `length` samples have; the rule is in `split_windows`."""
    if length <= size:
        return 1
    complete = 1 + (length - size) // step
    covered = (complete - 1) * step + size
    partial = length - complete * step  # what a further window would hold
    return complete + (length > covered and 2 * partial >= size)


def _samples(seconds: float, name: str) -> int:
    """Convert a time to samples at 16 kHz."""
    samples = round(seconds * SAMPLE_RATE) if math.isfinite(seconds) else 0
    if samples < 1:
        raise AudioError(f"{name}={seconds} s is not a positive time: pass at least one sample, {1 / SAMPLE_RATE} s")
    return samples


def _warn_of_short_audio(name: str, length: int, size: int) -> None:
    if length < size:
        message = (
            f"{name} is {length / SAMPLE_RATE:.2f} s, shorter than the window of {size / SAMPLE_RATE:g} s: "
            "padded with silence at the end"
        )
        warnings.warn(message, AudioWarning, stacklevel=3)
