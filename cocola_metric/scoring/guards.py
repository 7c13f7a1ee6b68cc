"""Signs that an answer games the score: it contains its conditioning, or it is noise.

Both are found in the sound itself, so they hold for every encoder. How often real music shows them: docs/guards.md.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray
from ..audio import SAMPLE_RATE
from ..fourier import rfft

ECHO_THRESHOLD = 0.3
"""Mean echo of a pair from which its answer is suspect."""
NOISE_THRESHOLD = 0.9
"""Mean noise of an answer from which it is suspect."""
MAX_LAG = 0.3
"""Longest delay between a sound and its echo, in seconds, either way."""
BAND = (60.0, 1000.0)
"""Frequencies in which echo is looked for, in Hz."""
_STRIDE = 4  # samples that are averaged before the spectrum of an echo: 4 kHz hold the band
_EVEN = 1600  # divides the size of that spectrum, which makes it fast
_FRAME = 1024  # samples of a spectrum that is compared with noise
_FRAMES = 13  # spectra in a patch: 0.83 s
_OCTAVES = tuple((2**power, min(2 ** (power + 1), 500)) for power in range(2, 9))  # bins: 62 Hz to 7.8 kHz
_FLATNESS = float(np.exp(-np.euler_gamma))  # geometric over arithmetic mean of the power of Gaussian noise


class Traces(NamedTuple):
    """Traces of windows, from which echo and noise are told.

    Attributes:
        phases: signs of the real and imaginary parts of each spectrum within `BAND`, eight a byte, (K, N) uint8.
        noise: likeness of each window to noise, (K,).
    """

    phases: NDArray[np.uint8]
    noise: FloatArray


def traces(windows: FloatArray) -> Traces:
    """Return the traces of windows at 16 kHz: 1.3 kB for 5 s.

    Shape:
        (K, L) -> (K, N) and (K,).
    """
    return Traces(_phases(windows), noise(windows))


def echo(conditioning: NDArray[np.uint8], accompaniment: NDArray[np.uint8]) -> FloatArray:
    """Return how much of one side is in the other: the largest normalised cross-correlation within `MAX_LAG`.

    Only the quadrant of each phase is compared, so that a loud bass note that both sides play does not count as echo.
    The sine undoes what this does to a correlation (the arcsine law of one-bit correlators, Van Vleck 1966). A copy has
    1, whatever its level or filter.

    Args:
        conditioning: phases of one side.
        accompaniment: phases of the other.

    Shape:
        (K, N), (K, N) -> (K,), from 0 to 1.
    """
    crossed = _unpacked(conditioning).conj() * _unpacked(accompaniment)
    count = crossed.shape[-1]
    envelope = np.abs(np.fft.ifft(crossed, 2 * count, axis=-1))  # over lags, in steps of half a period of the band
    reach = round(MAX_LAG * 2 * (BAND[1] - BAND[0]))
    largest = np.maximum(envelope[:, : reach + 1].max(-1), envelope[:, -reach:].max(-1))
    correlation: FloatArray = np.sin(np.pi / 2 * np.minimum(largest, 1)).astype(np.float32)
    return correlation


def noise(windows: FloatArray) -> FloatArray:
    """Return how like Gaussian noise each window is, whatever the colour of the noise.

    It is the spectral flatness within patches of an octave and 0.83 s, weighted by their power.

    Gaussian noise has about 1. Windows shorter than a patch have 0.

    Shape:
        (K, L) -> (K,).
    """
    count = windows.shape[-1] // (_FRAME * _FRAMES)
    if not count or not len(windows):
        return np.zeros(len(windows), np.float32)
    framed = windows[:, : count * _FRAME * _FRAMES].reshape(len(windows), count, _FRAMES, _FRAME)
    with np.errstate(over="ignore", invalid="ignore"):  # of samples so large that the scorer refuses them
        spectra = rfft(framed * np.hanning(_FRAME).astype(np.float32))
        each = [_flatness(spectra[number : number + 1]) for number in range(len(spectra))]  # sums in one order
        likeness = np.concatenate(each) / np.float32(_FLATNESS)
    return np.where(np.isfinite(likeness), likeness, np.float32(0))


def _flatness(spectra: NDArray[np.complex64]) -> FloatArray:
    """Return the spectral flatness in patches, weighted by their power: (K, patches, frames, bins) -> (K,)."""
    power = spectra.real**2 + spectra.imag**2 + np.float32(1e-12)
    logarithm = np.log(power)
    flatness, weight = [], []
    for low, high in _OCTAVES:
        mean = power[..., low:high].mean((2, 3))
        flatness.append(np.exp(logarithm[..., low:high].mean((2, 3))) / mean)
        weight.append(mean * (high - low))
    shares = np.stack(weight)
    return np.asarray((np.stack(flatness) * shares).sum((0, 2)) / shares.sum((0, 2)), np.float32)


def _phases(windows: FloatArray) -> NDArray[np.uint8]:
    rate = SAMPLE_RATE // _STRIDE
    length = windows.shape[-1] // _STRIDE * _STRIDE
    coarse = sum(windows[:, first:length:_STRIDE] for first in range(_STRIDE))
    size = -(-(length // _STRIDE + 2 * round(MAX_LAG * rate)) // _EVEN) * _EVEN
    padded = np.zeros((len(windows), size), np.float32)
    padded[:, : length // _STRIDE] = coarse
    low, high = (round(hertz * size / rate) for hertz in BAND)
    spectra = rfft(padded)[:, low : low + (high - low) // 4 * 4]  # whole bytes
    return np.packbits(np.concatenate([spectra.real > 0, spectra.imag > 0], -1), axis=-1)


def _unpacked(phases: NDArray[np.uint8]) -> NDArray[np.complex64]:
    signs = np.unpackbits(phases, axis=-1).astype(np.float32) * 2 - 1
    half = signs.shape[-1] // 2
    return signs[:, :half] + 1j * signs[:, half:]
