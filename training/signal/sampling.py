"""Drawing windows and disjoint sub-mixes as in section 3.1 of the paper."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

SOUNDING_DBFS = -45.0
"""Level above which a stem sounds in its window, in dBFS; the metric calls a window silent below -70 dBFS."""
SOUNDING_POWER = 10 ** (SOUNDING_DBFS / 10)


def audible(stems: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return whether each stem of a window sounds.

    Shape:
        (N, L) -> (N,).
    """
    return level_db(stems) > SOUNDING_DBFS


def level_db(waveforms: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the RMS level in dB relative to full scale: (..., L) -> (...)."""
    level: NDArray[np.float32] = 10 * np.log10(np.mean(np.square(waveforms), axis=-1) + 1e-12)
    return level


def draw_subsets(candidates: Sequence[int], rng: np.random.Generator) -> tuple[list[int], list[int]]:
    """Draw two disjoint, non-empty subsets X_1 and X_2 of at least two stems, any size of each as likely as any other.

    The sizes are uniform over 1 <= |X_1| <= N - 1, 1 <= |X_2| <= N - |X_1|; stems in neither subset stay out.
    """
    order = rng.permutation(np.asarray(candidates)).tolist()
    first = int(rng.integers(1, len(order)))
    second = int(rng.integers(1, len(order) - first + 1))
    return order[:first], order[first : first + second]


def mix_at_level(stems: NDArray[np.float32], level: float) -> NDArray[np.float32]:
    """Sum stems to a sub-mix (Eq. 1) and bring it to an RMS level in dBFS, so that loudness gives nothing away.

    Shape:
        (N, L) -> (L,).
    """
    mix: NDArray[np.float32] = stems.sum(axis=0)
    mix *= np.float32(10 ** ((level - level_db(mix)) / 20))
    return mix


def overlap_ratio(first_start: float, second_start: float, window: float) -> float:
    """Return the share of a window that two windows of one track have in common."""
    return max(0.0, 1.0 - abs(first_start - second_start) / window)
