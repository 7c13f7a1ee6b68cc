"""The front end of PHALAR: an exact constant-Q spectrogram, computed by one FFT of the clip.

A spectrogram of constant Q has one kernel for each row: a Hann window as long as a fixed number of periods of the row's
pitch. The original convolves the clip with all of them, 32,768 samples each, most of which are zero. In the frequency
domain a kernel is narrow: row k of the result is the inverse transform of X(f) K_k(f) over the few f at which K_k is
not negligible. Only every 160th sample is a frame, so the product is folded first: the spectrum of every h-th sample of
a sequence is the sum of the h equal parts of its own spectrum.

The kernels of the three highest octaves are short, and wide in frequency: the clip is convolved with them.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import AnyArray, FloatArray, frames, ifft, is_tensor, namespace, pad, product, rfft
from ..audio import SAMPLE_RATE
from ..errors import UsageError
from .mel import modulus

if TYPE_CHECKING:
    import torch

HOP_LENGTH = 160
ROWS = 96
ROWS_PER_OCTAVE = 12
LOWEST_HZ = 16.35
KERNEL_LENGTH = 32_768
MARGIN = KERNEL_LENGTH // 2  # samples mirrored on each side of a clip
LEAST_SAMPLES = MARGIN + 1
LONG_ROWS = 60  # rows of long kernels; those of the three octaves above have at most 514 samples
AMPLITUDE_FLOOR = 1e-10
DYNAMIC_RANGE_DB = 80.0
ROWS_TOGETHER = 4  # neighbouring rows that share a band, to save calls
NEGLIGIBLE = 1e-7  # relative to a spectrum's maximum, left out below; levels at the floor are right to 0.1 %
SIZES_STEP = 125 * HOP_LENGTH  # transforms are a multiple of it, so that clips of many lengths share spectra
FRAMES_AT_ONCE = 1001  # 10 s; for longer blocks, the kernels' spectra would take more memory than the clip


def constant_q_kernels() -> tuple[NDArray[np.complex64], NDArray[np.float32]]:
    """Return the kernels, centred and of unit sum, and the number of non-zero samples of each.

    They equal bit for bit those of nnAudio's ``CQT1992v2``, which the released checkpoint holds.

    Shape:
        -> (M, KERNEL_LENGTH), (M,).
    """
    quality = 1 / (2 ** (1 / ROWS_PER_OCTAVE) - 1)
    pitches = LOWEST_HZ * 2.0 ** (np.arange(ROWS) / ROWS_PER_OCTAVE)
    lengths = np.ceil(quality * SAMPLE_RATE / pitches).astype(int)
    bank = np.zeros((ROWS, KERNEL_LENGTH), np.complex64)
    for kernel, pitch, length in zip(bank, pitches, lengths.tolist(), strict=True):
        samples = np.arange(length)
        hann = 0.5 - 0.5 * np.cos(2 * np.pi * samples / length)
        wave = hann * np.exp(2j * np.pi * pitch / SAMPLE_RATE * (samples - (length + 1) // 2))
        start = MARGIN - (length + 1) // 2
        kernel[start : start + length] = wave / np.abs(wave).sum()
    return bank, lengths.astype(np.float32)


@dataclass(frozen=True)
class KernelSpectra:
    """The long kernels in the frequency domain, for transforms of one size.

    Attributes:
        size: number of samples of the transform, a multiple of the hop.
        bands: first and last index of each group's frequencies, multiples of ``size / hop``; negative indices are
            negative frequencies.
        spectra: conjugate spectra of each group of rows within its band, (ROWS_TOGETHER, N).
    """

    size: int
    bands: tuple[tuple[int, int], ...]
    spectra: tuple[Any, ...]


@functools.lru_cache(maxsize=8)
def kernel_spectra(size: int) -> KernelSpectra:
    """Return the long kernels' spectra. For clips of 5 s, this takes a tenth of a second and 10 MB."""
    bank, lengths = constant_q_kernels()
    folded = size // HOP_LENGTH
    bands, spectra = [], []
    for row in range(0, LONG_ROWS, ROWS_TOGETHER):
        rows = slice(row, row + ROWS_TOGETHER)
        centred = np.fft.fftshift(np.fft.fft(bank[rows].astype(np.complex128), size), -1).conj()
        centred *= lengths[rows, None] ** 0.5 / HOP_LENGTH
        magnitudes = np.abs(centred)
        heard = np.flatnonzero((magnitudes > NEGLIGIBLE * magnitudes.max(1, keepdims=True)).any(0))
        start, stop = int(heard[0]) // folded * folded, -(-(int(heard[-1]) + 1) // folded) * folded
        bands.append((start - size // 2, stop - size // 2))
        spectra.append(centred[:, start:stop].astype(np.complex64))
    return KernelSpectra(size, tuple(bands), tuple(spectra))


@functools.lru_cache(maxsize=1)
def short_kernels() -> FloatArray:
    """Return the short kernels as a matrix on samples around the middle of a frame, real and imaginary parts in turn.

    Shape:
        -> (N, 2 M), N samples, M = ROWS - LONG_ROWS.
    """
    bank, lengths = constant_q_kernels()
    reach = int(lengths[LONG_ROWS]) // 2 + 1
    kernels = bank[LONG_ROWS:, MARGIN - reach : MARGIN + reach] * np.sqrt(lengths[LONG_ROWS:, None])
    assert np.count_nonzero(kernels) == np.count_nonzero(bank[LONG_ROWS:])
    return np.stack([kernels.real, kernels.imag], -1).transpose(1, 0, 2).reshape(2 * reach, -1).astype(np.float32)


def constant_q_image(waveforms: AnyArray, constants: Mapping[str, Any]) -> AnyArray:
    """Return a constant-Q spectrogram in dB, 8 octaves from 16.35 Hz in semitones, each clip relative to itself.

    The level has a floor at 80 dB below the clip's maximum; -80 dB becomes 0 and 0 dB becomes 1. The original takes the
    maximum over the whole batch; here every clip has its own, so that its image does not depend on the batch.

    Shape:
        (B, L) at 16 kHz -> (B, 1, M, F), M = 96 rows, F = L // 160 + 1 frames; L at least LEAST_SAMPLES.
    """
    return unit_decibels(constant_q(waveforms))[:, None]


def constant_q(waveforms: AnyArray) -> AnyArray:
    """Return the magnitudes of a constant-Q spectrogram of centred frames.

    Shape:
        (B, L) -> (B, M, L // 160 + 1), L at least LEAST_SAMPLES.

    Raises:
        UsageError: the clips are shorter.
    """
    if waveforms.shape[-1] < LEAST_SAMPLES:
        raise UsageError(
            f"clips for the front end cqt must have at least {LEAST_SAMPLES} samples; got {waveforms.shape[-1]}; "
            "add silence"
        )
    count = waveforms.shape[-1] // HOP_LENGTH + 1
    mirrored = pad(waveforms, MARGIN, MARGIN, reflect=True)
    blocks = [
        _block(mirrored[:, first * HOP_LENGTH :], min(FRAMES_AT_ONCE, count - first))
        for first in range(0, count, FRAMES_AT_ONCE)
    ]
    return blocks[0] if len(blocks) == 1 else namespace(waveforms).concatenate(blocks, -1)


def unit_decibels(magnitudes: AnyArray) -> AnyArray:
    """Return levels over 80 dB, where 0 dB is 1, at least 1 below each clip's maximum: (B, M, F) -> the same."""
    xp = namespace(magnitudes)
    levels = 20.0 * xp.log10(xp.clip(magnitudes, AMPLITUDE_FLOOR, None))
    floors = xp.amax(levels, (1, 2), keepdims=True) - DYNAMIC_RANGE_DB
    return xp.maximum(levels, floors) / DYNAMIC_RANGE_DB + 1.0


def _block(mirrored: AnyArray, count: int) -> AnyArray:
    """Return the first frames of clips with margins: (B, L) -> (B, M, count)."""
    xp = namespace(mirrored)
    samples = (count - 1) * HOP_LENGTH + KERNEL_LENGTH
    kernels = kernel_spectra(-(-samples // SIZES_STEP) * SIZES_STEP)
    lowest, highest = min(first for first, _ in kernels.bands), max(last for _, last in kernels.bands)
    spectrum = rfft(pad(mirrored[:, :samples], 0, kernels.size - samples))
    below_zero = xp.flip(spectrum[:, 1 : 1 - lowest], (-1,)).conj()
    around_zero = xp.concatenate([below_zero, spectrum[:, :highest]], -1)[:, None]
    folded = kernels.size // HOP_LENGTH
    spectra = _on_device(kernels.size, mirrored.device) if is_tensor(mirrored) else kernels.spectra
    rows = []
    for (first, last), kernel in zip(kernels.bands, spectra, strict=True):
        bands = around_zero[..., first - lowest : last - lowest] * kernel
        rows.append(bands.reshape(*bands.shape[:2], -1, folded).sum(2))  # bands begin where a part does
    long = ifft(xp.concatenate(rows, 1))[..., :count]
    return modulus(xp.concatenate([long, _convolved(mirrored, short_kernels(), count)], 1))


def _convolved(mirrored: AnyArray, kernels: FloatArray, count: int) -> AnyArray:
    """Return what short kernels make of the first frames of a clip that has its margins: (B, L) -> (B, M, count)."""
    first, size = MARGIN - len(kernels) // 2, len(kernels)
    heard = frames(mirrored[:, first : first + (count - 1) * HOP_LENGTH + size], size, HOP_LENGTH)  # (B, count, N)
    parts = product(heard, kernels).reshape(len(mirrored), count, -1, 2)
    values = (
        parts.view(np.complex64)[..., 0] if isinstance(parts, np.ndarray) else namespace(parts).view_as_complex(parts)
    )
    return values.swapaxes(1, 2)


@functools.lru_cache(maxsize=8)
def _on_device(size: int, device: "torch.device") -> tuple[AnyArray, ...]:
    import torch

    with torch.inference_mode(False):  # the kept spectra may later be used with gradients
        return tuple(torch.from_numpy(spectrum).to(device) for spectrum in kernel_spectra(size).spectra)
