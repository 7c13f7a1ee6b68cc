"""Whether an edited mix keeps what it has to keep."""

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
FRAME_SECONDS = 0.064
BANDS_PER_OCTAVE = 4
LOWEST_HZ, HIGHEST_HZ = 60.0, 7_600.0
AUDIBLE_DB = 40.0
"""Bands of the kept part that count: those at most so far below its loudest one."""
MOST_DB = 40.0
"""A band that is quieter by more counts as if it were quieter by so much."""


def kept_error(answer: Samples, kept: Samples, sample_rate: int) -> float:
    """Return by how much an answer falls short of the part that it has to keep, in dB.

    The levels of both are compared in bands of a quarter octave and frames of 64 ms, wherever the kept part is audible.
    Only what is missing counts, since added parts may be anywhere: a mix that holds the kept part has about 0, silence
    has 40. Phases do not matter. A mix that is loud everywhere hides what is missing.

    Shape:
        (L,), (L,) -> a number.
    """
    known, found = _levels(kept, sample_rate), _levels(answer, sample_rate)
    audible = known > known.max() - AUDIBLE_DB
    return float(np.clip(known - found, 0, MOST_DB)[audible].mean())


def kept_share(answer: Samples, kept: Samples) -> float:
    """Return the share of the kept part's waveform in an answer, by least squares.

    It is 1 where every sample was kept, whatever was added that does not correlate with it, and about 0 where phases
    have changed.

    Shape:
        (L,), (L,) -> a number.
    """
    one, other = answer.astype(np.float64), kept.astype(np.float64)
    return float(one @ other / (other @ other))


def _levels(samples: Samples, sample_rate: int) -> NDArray[np.float64]:
    """Return the level of each band in each frame, in dB: (bands, frames)."""
    from scipy import signal

    frequencies, _, spectrum = signal.stft(
        samples.astype(np.float64), sample_rate, nperseg=round(FRAME_SECONDS * sample_rate)
    )
    count = int(BANDS_PER_OCTAVE * np.log2(HIGHEST_HZ / LOWEST_HZ))
    edges = LOWEST_HZ * 2 ** (np.arange(count + 1) / BANDS_PER_OCTAVE)
    band_of = np.searchsorted(edges, frequencies) - 1
    power = np.abs(spectrum) ** 2
    bands = [power[band_of == band].sum(axis=0) for band in range(count) if (band_of == band).any()]
    return 10 * np.log10(np.stack(bands) + 1e-12)
