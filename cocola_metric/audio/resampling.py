"""The one resampler: audio to 16 kHz or any other rate, at once or block by block, with the same samples."""

import math
from collections.abc import Iterable, Iterator

import torch
import torchaudio
from torch import Tensor
from torch.nn.functional import pad

from .limits import BLOCK_SAMPLES, SAMPLE_RATE, checked_rate, resampled_length

# torchaudio's defaults, which are part of the metric.
_LOWPASS_WIDTH = 6
_ROLLOFF = 0.99
# Taps of the dense kernel that torchaudio may build (16 MiB); only odd rates such as 44056 or 44101 Hz need more.
_DENSE_KERNEL_TAPS = 2**22


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
        AudioError: The rate is below 8 kHz, above 768 kHz, or not a whole number.
    """
    rate = checked_rate(from_rate, f"tensor {tuple(waveform.shape)}")
    return resample_between(waveform, rate, SAMPLE_RATE)


def resample_between(waveform: Tensor, from_rate: int, to_rate: int) -> Tensor:
    """Resample as `resample` does, between any two rates; only their ratio counts.

    Args:
        waveform: floating-point samples.
        from_rate: rate of the waveform, in Hz.
        to_rate: rate of the result, in Hz.

    Shape:
        (..., L) -> (..., ceil(L * to_rate / from_rate)).
    """
    blocks = torch.split(waveform, BLOCK_SAMPLES, dim=-1)
    return torch.cat(list(resample_blocks(blocks, from_rate, to_rate)), dim=-1)


def resample_blocks(blocks: Iterable[Tensor], rate: int, to_rate: int = SAMPLE_RATE) -> Iterator[Tensor]:
    """Resample consecutive blocks `(..., L)` so that they join without a seam.

    With rate : to_rate = orig : new in lowest terms, `orig` samples become `new`, so audio may be cut at any multiple
    of `orig` without moving an output sample. Each output sees `width` samples to either side: `context` samples, the
    next multiple of `orig`, are kept from before and waited for behind.
    """
    if rate == to_rate:
        yield from blocks
        return
    orig, new, width = _ratio(rate, to_rate)
    context = math.ceil(width / orig) * orig
    skip = context // orig * new
    pending: Tensor | None = None
    for block in blocks:
        pending = pad(block, (context, 0)) if pending is None else torch.cat([pending, block], dim=-1)
        ready = (pending.shape[-1] - 2 * context) // orig
        if ready > 0:
            resampled = _resample_block(pending[..., : ready * orig + 2 * context], orig, new, width)
            yield resampled[..., skip : skip + ready * new]
            pending = pending[..., ready * orig :]
    if pending is not None:
        yield _resample_block(pending, orig, new, width)[..., skip:]


def _resample_block(waveform: Tensor, orig: int, new: int, width: int) -> Tensor:
    """Resample one block `(..., L)`, with silence before and after it."""
    length = resampled_length(waveform.shape[-1], orig, new)
    if new * (orig + 2 * width) > _DENSE_KERNEL_TAPS:
        return _resample_sparsely(waveform, orig, new, width)
    # One period more than needed, because torchaudio may round its output's length down.
    waveform = pad(waveform, (0, orig))
    resampled: Tensor = torchaudio.functional.resample(
        waveform, orig, new, lowpass_filter_width=_LOWPASS_WIDTH, rolloff=_ROLLOFF
    )
    return resampled[..., :length]


def _resample_sparsely(waveform: Tensor, orig: int, new: int, width: int) -> Tensor:
    """Do as torchaudio, but evaluate the kernel only where it is not zero.

    torchaudio's kernel has `new * (orig + 2 * width)` taps, 2.8 GB at 44101 Hz; `new * (2 * width + 2)` of them are
    not zero, at the same float32 positions (the rounding of which is 1e-4 of full scale at such rates, so it matters).
    """
    cutoff = _ROLLOFF * min(orig, new)
    phases = torch.arange(new, device=waveform.device)
    offsets = torch.arange(-width, width + 2, device=waveform.device)
    positions = (phases * orig // new)[:, None] + offsets  # (new, taps), in input samples of one period
    t = (-phases.to(waveform.dtype) / new)[:, None] + positions.to(waveform.dtype) / orig
    t = (t * cutoff).clamp(-_LOWPASS_WIDTH, _LOWPASS_WIDTH)
    kernel = torch.sinc(t) * torch.cos(t * math.pi / _LOWPASS_WIDTH / 2) ** 2 * (cutoff / orig)

    outputs = torch.arange(resampled_length(waveform.shape[-1], orig, new), device=waveform.device)
    frames = pad(waveform, (width, width + 2)).unfold(-1, len(offsets), 1)  # (..., L + 1, taps)
    return (frames[..., outputs * orig // new, :] * kernel[outputs % new]).sum(dim=-1)


def _ratio(rate: int, to_rate: int) -> tuple[int, int, int]:
    """Give rate : to_rate in lowest terms, and the half-width of the resampling kernel in input samples."""
    divisor = math.gcd(rate, to_rate)
    orig, new = rate // divisor, to_rate // divisor
    return orig, new, math.ceil(_LOWPASS_WIDTH * orig / (_ROLLOFF * min(orig, new)))
