"""The windows of a score: their starts, their number, their silence, and reading them in bounded memory."""

import math
import numbers
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..arrays import AnyArray, frames, namespace, pad
from ..blame import warn_caller
from ..errors import AudioError, UsageError
from .inputs import Audio
from .limits import SAMPLE_RATE, AudioWarning

WINDOW = 5.0
"""Length of a window in seconds; the encoder is trained on it."""
MAX_WINDOW = 600.0
"""Longest window in seconds; a batch of longer ones would take gigabytes."""
HOP = 2.5
"""Seconds from the start of one window to the start of the next."""
SILENCE_DBFS = -70.0
"""RMS below which a window is silent, in dBFS. It is the absolute gate of EBU R 128: well above the dither of 16-bit
audio (-93 dBFS), and below the quietest stems of real music (a hi-hat track at -67 dBFS)."""


@dataclass(frozen=True)
class WindowPlan:
    """The lengths of windows and of their steps.

    Every complete window counts. A last, incomplete window is padded with zeros if at least half of it is audio;
    otherwise it is dropped. Audio shorter than one window becomes one window, padded with zeros. Nothing is dropped if
    the hop is at most half the window, as it is by default.

    Attributes:
        window: length of a window, in seconds.
        hop: time from the start of one window to the next, in seconds. If it is longer than `window`, audio between
            windows is left out.
    """

    window: float = WINDOW
    hop: float = HOP

    def __post_init__(self) -> None:
        for name, seconds in (("window", self.window), ("hop", self.hop)):
            if not isinstance(seconds, numbers.Real) or not math.isfinite(seconds) or round(seconds * SAMPLE_RATE) < 1:
                raise UsageError(f"{name} must be {1 / SAMPLE_RATE} s or more; got {seconds!r}")
        if self.window > MAX_WINDOW:
            raise UsageError(
                f"window must be {MAX_WINDOW:g} s or less, since a batch must fit in memory; got {self.window:g}"
            )

    @property
    def size(self) -> int:
        """Number of samples in a window."""
        return round(self.window * SAMPLE_RATE)

    @property
    def step(self) -> int:
        """Number of samples from the start of one window to the start of the next."""
        return round(self.hop * SAMPLE_RATE)

    def count(self, length: int) -> int:
        """Return the number of windows of audio of `length` samples; longer audio never has fewer."""
        if length <= self.size:
            return 1
        complete = 1 + (length - self.size) // self.step
        covered = (complete - 1) * self.step + self.size
        behind = length - complete * self.step  # samples that one more window would hold
        return complete + (length > covered and 2 * behind >= self.size)

    def starts(self, count: int) -> tuple[float, ...]:
        """Return the start times of the first `count` windows, in seconds."""
        return tuple(number * self.step / SAMPLE_RATE for number in range(count))

    def cuts(self, length: int, longest: int) -> bool:
        """Tell whether the last window of `length` samples holds less audio than it would with `longest` samples."""
        end = (self.count(length) - 1) * self.step + self.size
        return length < min(end, longest)

    def silence_behind(self, length: int, window: AnyArray, number: int) -> AnyArray:
        """Copy window `number`, (L,), and set it to zero from sample `length` of the audio on."""
        heard = max(0, length - number * self.step)
        return pad(window[:heard], 0, len(window) - len(window[:heard]))


DEFAULT_PLAN = WindowPlan()


def split_windows(waveform: AnyArray, plan: WindowPlan = DEFAULT_PLAN) -> AnyArray:
    """Split a waveform at 16 kHz into the windows of a plan. Warn with `AudioWarning` if it is shorter than a window.

    Shape:
        (L,) -> (K, plan.size), a view in which overlapping windows share memory; do not change it in place.

    Raises:
        AudioError: the waveform holds no samples.
    """
    if len(waveform) == 0:
        raise AudioError("the waveform holds no samples; pass at least one")
    warn_of_short_audio(f"waveform {tuple(waveform.shape)}", len(waveform), plan)
    return _unfold(waveform, plan.count(len(waveform)), plan)


def stream_windows(
    audio: Audio, plan: WindowPlan = DEFAULT_PLAN, *, length: int | None = None, batch_size: int = 32
) -> Iterator[AnyArray]:
    """Read audio in batches of windows in bounded memory; they equal `split_windows(read_audio(...), plan)` to 1e-6.

    As measured, an hour of 44.1 kHz stereo FLAC takes 52 MB beyond the imports, one minute 32 MB, and two stems of an
    hour 62 MB.

    Args:
        audio: audio of `open_audio`.
        plan: lengths of windows and steps.
        length: number of samples at 16 kHz that are read, such as the part in common with other audio; by default all.
        batch_size: number of windows in a batch; the last batch may be smaller.

    Shape:
        -> batches (K, plan.size), as from `split_windows`.

    Raises:
        AudioError: the file turns out to be damaged during reading.
    """
    length = audio.length if length is None else min(length, audio.length)
    warn_of_short_audio(audio.name, length, plan)
    return _stream(audio.blocks(), length, plan, batch_size)


def is_silent(windows: AnyArray) -> AnyArray:
    """Tell which windows are silent: their RMS is below `SILENCE_DBFS`, where full scale is 1.

    Shape:
        (K, L) -> (K,) of booleans.
    """
    with np.errstate(over="ignore"):  # the scorer reports such samples
        return namespace(windows).sqrt((windows**2).mean(-1)) < 10 ** (SILENCE_DBFS / 20)


def _stream(blocks: Iterator[AnyArray], length: int, plan: WindowPlan, batch_size: int) -> Iterator[AnyArray]:
    count = plan.count(length)
    pending: AnyArray = None  # the audio from the start of the next window on
    unread = length
    for first in range(0, count, batch_size):
        batch = min(batch_size, count - first)
        span = max((batch - 1) * plan.step + plan.size, batch * plan.step)
        while (pending is None or len(pending) < span) and unread > 0:
            block = next(blocks)[:unread]
            unread -= len(block)
            pending = block if pending is None else namespace(block).concatenate([pending, block])
        yield _unfold(pending, batch, plan)
        pending = pending[batch * plan.step :]


def _unfold(waveform: AnyArray, count: int, plan: WindowPlan) -> AnyArray:
    """Cut the first `count` windows from a waveform, padded with zeros."""
    span = (count - 1) * plan.step + plan.size
    return frames(pad(waveform, 0, max(0, span - len(waveform)))[:span], plan.size, plan.step)  # (K, L)


def warn_of_short_audio(name: str, length: int, plan: WindowPlan) -> None:
    """Warn if audio of ``length`` samples is shorter than a window."""
    if length < plan.size:
        message = f"{name} is {length / SAMPLE_RATE:.2f} s, shorter than the window of {plan.window:g} s"
        warn_caller(f"{message}; it is padded with silence at the end", AudioWarning)
