"""The resampler: audio to 16 kHz or any other rate, at once or block by block, with the same result."""

import functools
import math
from collections.abc import Iterable, Iterator

import numpy as np

from ..arrays import AnyArray, FloatArray, frames, namespace, pad, product
from .limits import BLOCK_SAMPLES, SAMPLE_RATE, checked_rate, resampled_length

# torchaudio's defaults, which are part of the metric.
_LOWPASS_WIDTH = 6
_ROLLOFF = 0.99
_GROUP = 16  # outputs of one matrix product; a larger group has more taps, most of which are zero
_KERNELS = 16  # rates whose kernels are kept


def resample(waveform: AnyArray, from_rate: float) -> AnyArray:
    """Resample to 16 kHz as `torchaudio.functional.resample` does by default.

    The kernel is a sinc with a Hann window, 6 zero crossings and roll-off 0.99. Long audio is resampled in blocks, with
    the same result.

    Args:
        waveform: floating-point samples.
        from_rate: rate of the waveform, in Hz.

    Shape:
        (..., L) -> (..., ceil(L * 16000 / from_rate)), where the ceiling is exact; torchaudio computes it in float32.

    Raises:
        AudioError: the rate is below 8 kHz, above 768 kHz, or not a whole number.
    """
    rate = checked_rate(from_rate, f"tensor {tuple(waveform.shape)}")
    return resample_between(waveform, rate, SAMPLE_RATE)


def resample_between(waveform: AnyArray, from_rate: int, to_rate: int) -> AnyArray:
    """Resample as `resample` does, between any two rates; only their ratio counts.

    Args:
        waveform: floating-point samples.
        from_rate: rate of the waveform, in Hz.
        to_rate: rate of the result, in Hz.

    Shape:
        (..., L) -> (..., ceil(L * to_rate / from_rate)).
    """
    blocks = split_blocks(waveform)
    return namespace(waveform).concatenate(list(resample_blocks(blocks, from_rate, to_rate)), -1)


def split_blocks(waveform: AnyArray) -> list[AnyArray]:
    """Cut a waveform `(..., L)` into blocks of bounded size."""
    starts = range(0, max(1, waveform.shape[-1]), BLOCK_SAMPLES)
    return [waveform[..., start : start + BLOCK_SAMPLES] for start in starts]


def resample_blocks(blocks: Iterable[AnyArray], rate: int, to_rate: int = SAMPLE_RATE) -> Iterator[AnyArray]:
    """Resample consecutive blocks `(..., L)` so that they join without a seam.

    With rate : to_rate = orig : new in lowest terms, `orig` samples become `new`. So audio may be cut at any multiple
    of `orig` without moving an output sample. Each output depends on `width` samples to either side. So `context`
    samples, the next multiple of `orig`, are kept from the block before and read ahead from the block behind.
    """
    if rate == to_rate:
        yield from blocks
        return
    orig, new, width = _ratio(rate, to_rate)
    context = math.ceil((width + 1) / orig) * orig
    pending: AnyArray = None
    for block in blocks:
        silence = context if pending is None else 0
        pending = pad(block if pending is None else namespace(block).concatenate([pending, block], -1), silence, 0)
        ready = (pending.shape[-1] - 2 * context) // orig
        if ready > 0:
            yield _resample_periods(pending, context, ready, orig, new, width)
            pending = pending[..., ready * orig :]
    if pending is not None:
        length = resampled_length(pending.shape[-1] - context, orig, new)
        periods = -(-length // new)
        padded = pad(pending, 0, max(0, 2 * context + max(1, periods) * orig - pending.shape[-1]))
        yield _resample_periods(padded, context, periods, orig, new, width)[..., :length]


def _resample_periods(waveform: AnyArray, first: int, periods: int, orig: int, new: int, width: int) -> AnyArray:
    """Resample some periods of `orig` samples, from sample ``first`` on, to `new` samples each.

    Outputs are computed in groups of neighbours, which share their taps.

    Shape:
        (..., L) -> (..., periods * new).
    """
    parts = []
    for offset, kernel in _grouped_kernels(orig, new, width):
        taps = frames(waveform[..., first - width + offset :], kernel.shape[0], orig)[..., :periods, :]
        parts.append(product(taps, kernel))  # (..., periods, outputs of the group)
    outputs = parts[0] if len(parts) == 1 else namespace(waveform).concatenate(parts, -1)
    return outputs.reshape(*waveform.shape[:-1], periods * new)


@functools.lru_cache(maxsize=_KERNELS)
def _grouped_kernels(orig: int, new: int, width: int) -> list[tuple[int, FloatArray]]:
    """Return for each group of neighbouring outputs its first input sample, after `width` of padding, and its kernel.

    The positions of the taps are rounded to float32, as in torchaudio. At rates such as 44101 Hz, whose ratio to 16000
    has no small terms, this changes samples by up to 1e-4 of full scale.

    Shape:
        -> for each group an index and a kernel (taps, outputs of the group).
    """
    cutoff = np.float32(_ROLLOFF * min(orig, new))
    groups = []
    for begin in range(0, new, _GROUP):
        phases = np.arange(begin, min(begin + _GROUP, new))
        first = int(phases[0]) * orig // new - width
        last = int(phases[-1]) * orig // new + width + 1
        positions = np.arange(first, last + 1)
        outputs = -phases.astype(np.float32) / np.float32(new)
        t = (outputs + positions[:, None].astype(np.float32) / np.float32(orig)) * cutoff
        t = np.clip(t, -_LOWPASS_WIDTH, _LOWPASS_WIDTH)
        window = np.cos(t * np.float32(math.pi / _LOWPASS_WIDTH / 2)) ** 2
        groups.append((first + width, (np.sinc(t) * window * (cutoff / np.float32(orig))).astype(np.float32)))
    return groups


def _ratio(rate: int, to_rate: int) -> tuple[int, int, int]:
    """Return rate : to_rate in lowest terms, and the half-width of the resampling kernel in input samples."""
    divisor = math.gcd(rate, to_rate)
    orig, new = rate // divisor, to_rate // divisor
    return orig, new, math.ceil(_LOWPASS_WIDTH * orig / (_ROLLOFF * min(orig, new)))
