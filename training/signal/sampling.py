"""Drawing windows and disjoint sub-mixes as in section 3.1 of the paper."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .partitions import SubsetLaw

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


def draw_subsets(
    candidates: Sequence[int], rng: np.random.Generator, *, law: SubsetLaw = "in_turn"
) -> tuple[list[int], list[int]]:
    """Draw two disjoint, non-empty subsets X_1 and X_2 of at least two stems; stems in neither subset stay out.

    Section 3.1 of the paper gives no law of their sizes. The authors' public code draws them in turn, and so does this
    package, unless told otherwise.

    Args:
        candidates: the N stems, two or more.
        rng: generator of the draw.
        law: "in_turn", |X_1| uniform over 1 to N - 1 and then |X_2| uniform over 1 to N - |X_1|: of three stems, sizes
            (2, 1) come in half of the draws, (1, 1) and (1, 2) in a quarter each; "even", every pair of sizes as likely
            as any other, so that neither side is the larger one more often; "single", one stem on either side (the
            single stem case of Figure 2).
    """
    order = rng.permutation(np.asarray(candidates)).tolist()
    first, second = _draw_sizes(len(order), rng, law)
    return order[:first], order[first : first + second]


def _draw_sizes(count: int, rng: np.random.Generator, law: SubsetLaw) -> tuple[int, int]:
    if law == "single":
        return 1, 1
    if law == "even":
        pairs = [(first, second) for first in range(1, count) for second in range(1, count - first + 1)]
        return pairs[int(rng.integers(len(pairs)))]
    first = int(rng.integers(1, count))
    return first, int(rng.integers(1, count - first + 1))


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
