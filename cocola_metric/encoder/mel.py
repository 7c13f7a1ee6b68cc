"""The two front ends of the authors' encoders: from waveforms to the log-mel images of their code.

Each is written once, for NumPy arrays and torch tensors; see `front_ends`.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import AnyArray, FloatArray, filtered, namespace
from ..audio import SAMPLE_RATE
from .median import SIZE, running_median
from .spectra import of_spectra

N_FFT = 1024
WINDOW_LENGTH = 400
HOP_LENGTH = 160
N_MELS = 64
MEL_RANGE_HZ = (60.0, 7800.0)
POWER_FLOOR = 1e-10
DYNAMIC_RANGE_DB = 80.0
# Slaney's scale: 15 mels in equal steps up to 1 kHz, then 27 a factor of 6.4.
_LINEAR_BELOW_HZ, _LINEAR_MELS, _LOG_STEP = 1000.0, 15.0, math.log(6.4) / 27


def log_mel(waveforms: AnyArray, constants: Mapping[str, Any]) -> AnyArray:
    """Return log-mel images of the power in dB above 1e-10 (section 4.2): the front end of the paper's models.

    They are those of torchaudio's ``MelSpectrogram`` and ``AmplitudeToDB``, with reflected edges and HTK mels.

    Shape:
        (B, L) at 16 kHz -> (B, 1, M, F), M = 64 mels, F = L // 160 + 1 frames.
    """
    mels = of_spectra(
        lambda spectra: filtered(spectra.real**2 + spectra.imag**2, constants["filterbank"]),
        waveforms,
        constants["window"],
        N_FFT,
        HOP_LENGTH,
        reflect=True,
    )
    return _decibels(mels)[:, None].swapaxes(-1, -2)


def harmonic_percussive(waveforms: AnyArray, constants: Mapping[str, Any], *, reflect: bool = False) -> AnyArray:
    """Return log-mel images of the harmonic and of the percussive part: the front end of the released HP model.

    Median filters along time keep steady sound (harmonic), those along frequency sudden sound (percussive). Soft masks
    of power 2 share the spectrum between both. Each channel is in dB relative to its own maximum, with a floor at
    -80 dB. The numbers are those of librosa's ``stft``, ``decompose.hpss``, ``feature.melspectrogram`` and
    ``power_to_db``.

    Args:
        waveforms: mono waveforms.
        constants: result of `mel_constants`.
        reflect: True mirrors clips at both ends, as in the COCOLA of 2026; False pads them with zeros.

    Shape:
        (B, L) at 16 kHz -> (B, 2, M, F): harmonic, percussive.
    """
    spectrogram = of_spectra(modulus, waveforms, constants["window"], N_FFT, HOP_LENGTH, reflect=reflect)

    def images(magnitude: AnyArray) -> AnyArray:
        steady, sudden = separated(magnitude, SIZE)
        masks = soft_mask(steady, sudden), soft_mask(sudden, steady)
        return relative_decibels([filtered((mask * magnitude) ** 2, constants["filterbank"]) for mask in masks])

    return in_parts(images, 1, spectrogram)


def modulus(spectra: AnyArray) -> AnyArray:
    """Return |z|, with a gradient of 0 where z is subnormal; that of torch can be NaN there."""
    if namespace(spectra) is not np and spectra.requires_grad:
        torch = namespace(spectra)
        spectra = torch.where(spectra.abs() < torch.finfo(spectra.dtype).tiny, 0, spectra)
    return abs(spectra)


def separated(magnitude: AnyArray, size: int) -> tuple[AnyArray, AnyArray]:
    """Return the power of steady and of sudden sound in each cell, by running medians along time and frequency.

    Args:
        magnitude: magnitudes of a spectrogram.
        size: number of neighbours of the medians, as for `running_median`.

    Shape:
        (B, F, N) -> twice the same.
    """
    return running_median(magnitude, 1, size) ** 2, running_median(magnitude, 2, size) ** 2


def soft_mask(wanted: AnyArray, other: AnyArray) -> AnyArray:
    """Return the share of one power in both, in each cell; a half where there is none."""
    xp, total = namespace(wanted), wanted + other
    return xp.where(total > 0, wanted / xp.clip(total, xp.finfo(total.dtype).tiny, None), 0.5)


def in_parts(function: Callable[..., AnyArray], clips: int, *inputs: AnyArray) -> AnyArray:
    """Apply a function to a few clips of arrays at a time, as many as stay in a cache, or to all clips of tensors."""
    if not isinstance(inputs[0], np.ndarray):
        return function(*inputs)
    starts = range(0, len(inputs[0]), clips)
    return np.concatenate([function(*(each[start : start + clips] for each in inputs)) for start in starts])


def relative_decibels(powers: list[AnyArray]) -> AnyArray:
    """Return the level of each image below its own maximum, with a floor at -80 dB: C (B, F, M) -> (B, C, M, F)."""
    xp = namespace(powers[0])
    levels = _decibels(xp.stack(powers, 1)).swapaxes(-1, -2)
    return xp.clip(levels - xp.amax(levels, (2, 3), keepdims=True), -DYNAMIC_RANGE_DB, None)


@dataclass(frozen=True)
class Elementary:
    """Elementary functions in float32, whose last bit differs between libraries.

    Attributes:
        cos: cosine.
        exp: exponential function.
        power_of_ten: 10 to the power of the argument.
    """

    cos: Callable[[FloatArray], FloatArray]
    exp: Callable[[FloatArray], FloatArray]
    power_of_ten: Callable[[FloatArray], FloatArray]


def _rounded(function: Callable[[Any], Any]) -> Callable[[FloatArray], FloatArray]:
    return lambda values: np.asarray(function(values.astype(np.float64)), np.float32)


NEAREST = Elementary(_rounded(np.cos), _rounded(np.exp), _rounded(lambda values: 10**values))
"""Functions rounded to the nearest float32 on every machine; torch's are off by up to 0.6 units in the last place."""


def mel_constants(elementary: Elementary = NEAREST, *, slaney: bool) -> dict[str, FloatArray]:
    """Return the Hann window, and the filterbank (M, N_FFT / 2 + 1) on the HTK scale or on Slaney's."""
    return {
        "window": hann_window(WINDOW_LENGTH, elementary),
        "filterbank": mel_filterbank(N_FFT, N_MELS, MEL_RANGE_HZ, slaney=slaney, elementary=elementary),
    }


def hann_window(size: int, elementary: Elementary = NEAREST) -> FloatArray:
    """Return a periodic Hann window, computed in float32 as ``torch.hann_window`` does."""
    angles = np.arange(size, dtype=np.float32) * np.float32(2 * math.pi / size)
    return elementary.cos(angles) * np.float32(-0.5) + np.float32(0.5)


def mel_filterbank(
    n_fft: int, rows: int, range_hz: tuple[float, float], *, slaney: bool, elementary: Elementary = NEAREST
) -> FloatArray:
    """Return triangles on a mel scale, (M, n_fft / 2 + 1): HTK's, each of height 1, or Slaney's, each of area 1.

    All steps are in float32, as in torchaudio; with torch's elementary functions the result is the same bit for bit.
    """
    bins = _even_steps(0, SAMPLE_RATE / 2, n_fft // 2 + 1)
    to_mel, to_hertz = (_slaney_mel, _slaney_hertz) if slaney else (_htk_mel, _htk_hertz)
    low, high = range_hz
    corners = to_hertz(_even_steps(to_mel(low), to_mel(high), rows + 2), elementary)
    widths, distances = np.diff(corners)[:, None], corners[:, None] - bins
    triangles: FloatArray = np.maximum(0, np.minimum(-distances[:-2] / widths[:-1], distances[2:] / widths[1:]))
    heights: FloatArray = np.divide(2, corners[2:] - corners[:-2])[:, None]
    return triangles * heights if slaney else triangles


def _even_steps(first: float, last: float, count: int) -> FloatArray:
    """Return evenly spaced numbers with the rounding of ``torch.linspace``: float32 steps from either end."""
    low, high = np.float32(first), np.float32(last)
    step = np.float64((high - low) / np.float32(count - 1))
    index = np.arange(count)
    steps = np.where(index < count // 2, low + step * index, high - step * (count - 1 - index))
    return steps.astype(np.float32)


def _htk_mel(hertz: float) -> float:
    return 2595 * math.log10(1 + hertz / 700)


def _htk_hertz(mel: FloatArray, elementary: Elementary) -> FloatArray:
    return 700 * (elementary.power_of_ten(mel / np.float32(2595)) - 1)


def _slaney_mel(hertz: float) -> float:
    if hertz < _LINEAR_BELOW_HZ:
        return hertz * _LINEAR_MELS / _LINEAR_BELOW_HZ
    return _LINEAR_MELS + math.log(hertz / _LINEAR_BELOW_HZ) / _LOG_STEP


def _slaney_hertz(mel: FloatArray, elementary: Elementary) -> FloatArray:
    above = _LINEAR_BELOW_HZ * elementary.exp(_LOG_STEP * (mel - _LINEAR_MELS))
    return np.where(mel < _LINEAR_MELS, mel * (_LINEAR_BELOW_HZ / _LINEAR_MELS), above)


def _decibels(power: AnyArray) -> AnyArray:
    xp = namespace(power)
    return 10.0 * xp.log10(xp.clip(power, POWER_FLOOR, None))
