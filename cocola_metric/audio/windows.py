"""Answer for the windows of a score: where they start, which ones count, and reading them in bounded memory."""

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
"""Seconds; what the encoder is trained on."""
MAX_WINDOW = 600.0
"""Seconds; a batch of longer windows would take gigabytes. The encoder is trained on 5."""
HOP = 2.5
"""Seconds from the start of one window to the start of the next."""
SILENCE_DBFS = -70.0
"""RMS below which a window is silent. It is the absolute gate of EBU R 128: well above the dither of 16-bit audio
(-93 dBFS), below the quietest stems that were played to be heard (a hi-hat track at -67 dBFS)."""


@dataclass(frozen=True)
class WindowPlan:
    """How audio is laid out in windows.

    Every complete window counts. If audio remains behind the last of them, one more window follows: padded with zeros
    if at least half of it is audio, else dropped. Audio shorter than one window is one window, padded with zeros.
    Where the hop is at most half the window, as by default, nothing is dropped.

    Attributes:
        window: seconds.
        hop: seconds; above `window`, the audio between windows is not heard.
    """

    window: float = WINDOW
    hop: float = HOP

    def __post_init__(self) -> None:
        for name, seconds in (("window", self.window), ("hop", self.hop)):
            if not isinstance(seconds, numbers.Real) or not math.isfinite(seconds) or round(seconds * SAMPLE_RATE) < 1:
                raise UsageError(f"{name}={seconds!r} is not a positive time: pass seconds, at least {1 / SAMPLE_RATE}")
        if self.window > MAX_WINDOW:
            raise UsageError(
                f"window={self.window:g} is longer than {MAX_WINDOW:g} s: no memory holds a batch of these"
            )

    @property
    def size(self) -> int:
        """Samples in a window."""
        return round(self.window * SAMPLE_RATE)

    @property
    def step(self) -> int:
        """Samples from the start of one window to the start of the next."""
        return round(self.hop * SAMPLE_RATE)

    def count(self, length: int) -> int:
        """Count the windows of audio of `length` samples; longer audio never has fewer."""
        if length <= self.size:
            return 1
        complete = 1 + (length - self.size) // self.step
        covered = (complete - 1) * self.step + self.size
        behind = length - complete * self.step  # what a further window would hold
        return complete + (length > covered and 2 * behind >= self.size)

    def starts(self, count: int) -> tuple[float, ...]:
        """Give the times at which the first `count` windows start, in seconds."""
        return tuple(number * self.step / SAMPLE_RATE for number in range(count))

    def cuts(self, length: int, longest: int) -> bool:
        """Tell whether the last window at `length` samples would hold more audio if there were `longest` samples."""
        end = (self.count(length) - 1) * self.step + self.size
        return length < min(end, longest)

    def silence_behind(self, length: int, window: AnyArray, number: int) -> AnyArray:
        """Copy window `number`, (L,), with zeros from sample `length` of the audio on."""
        heard = max(0, length - number * self.step)
        return pad(window[:heard], 0, len(window) - len(window[:heard]))


DEFAULT_PLAN = WindowPlan()


def split_windows(waveform: AnyArray, plan: WindowPlan = DEFAULT_PLAN) -> AnyArray:
    """Split a waveform at 16 kHz into the windows of a plan, with an `AudioWarning` if it is shorter than one.

    Shape:
        waveform: (L,)
        output: (K, plan.size), a view in which overlapping windows share memory: not to be changed in place.

    Raises:
        AudioError: the waveform is empty.
    """
    if len(waveform) == 0:
        raise AudioError("a waveform without samples has no windows: pass at least one sample")
    warn_of_short_audio(f"waveform {tuple(waveform.shape)}", len(waveform), plan)
    return _unfold(waveform, plan.count(len(waveform)), plan)


def stream_windows(
    audio: Audio, plan: WindowPlan = DEFAULT_PLAN, *, length: int | None = None, batch_size: int = 32
) -> Iterator[AnyArray]:
    """Read audio in batches of windows: those of `split_windows(read_audio(...), plan)`, to 1e-6, in bounded memory.

    Measured: an hour of 44.1 kHz stereo FLAC takes 52 MB beyond the imports (one minute: 32 MB), two such stems 62 MB.

    Args:
        audio: from `open_audio`.
        plan: how windows are laid.
        length: samples at 16 kHz after which the audio is cut, before windows are laid: its part in common with other
            audio. All of it by default.
        batch_size: windows in a batch; the last batch may be smaller.

    Shape:
        output: batches (K, plan.size), as from `split_windows`.

    Raises:
        AudioError: while reading: the file is damaged.
    """
    length = audio.length if length is None else min(length, audio.length)
    warn_of_short_audio(audio.name, length, plan)
    return _stream(audio.blocks(), length, plan, batch_size)


def is_silent(windows: AnyArray) -> AnyArray:
    """Tell which windows are silent: their RMS is below `SILENCE_DBFS`, where full scale is 1.

    Shape:
        windows: (K, L)
        output: (K,), bool.
    """
    with np.errstate(over="ignore"):  # of samples that the scorer will name
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
    """Cut the first `count` windows from a waveform, or from zeros behind it."""
    span = (count - 1) * plan.step + plan.size
    return frames(pad(waveform, 0, max(0, span - len(waveform)))[:span], plan.size, plan.step)  # (K, L)


def warn_of_short_audio(name: str, length: int, plan: WindowPlan) -> None:
    """Warn if audio of ``length`` samples is shorter than a window."""
    if length < plan.size:
        message = f"{name} is {length / SAMPLE_RATE:.2f} s, shorter than the window of {plan.window:g} s"
        warn_caller(f"{message}: padded with silence at the end", AudioWarning)
