"""Intervals of means by the clustered bootstrap: windows of one track are alike, so whole tracks are drawn."""

from collections.abc import Hashable, Sequence

import numpy as np
import scipy.stats
from numpy.typing import ArrayLike, NDArray

LEVEL = 0.95
RESAMPLES = 2_000


def clustered_interval(
    values: ArrayLike, groups: Sequence[Hashable] | NDArray[np.int64], *, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, float]:
    """Return the 95 % interval of the mean of values; groups are drawn with replacement, each with all of its values.

    Percentiles, not BCa: its acceleration is not defined where no value differs from another, as where every
    comparison is won, and this is what the published intervals of this package are.

    Args:
        values: Finite numbers.
        groups: Group of each value, such as its track.
        resamples: Number of draws.
        seed: Seed of the draws.

    Shape:
        (n,), (n,) -> the lower and the upper limit; NaN where there is one group only.
    """
    names, owners = np.unique(np.asarray(groups), return_inverse=True)
    if len(names) < 2:
        return float("nan"), float("nan")
    sums, counts = np.bincount(owners, np.asarray(values, np.float64)), np.bincount(owners)

    def mean(drawn: NDArray[np.intp], axis: int = -1) -> NDArray[np.float64]:
        ratio: NDArray[np.float64] = sums[drawn].sum(axis=axis) / counts[drawn].sum(axis=axis)
        return ratio

    found = scipy.stats.bootstrap(
        (np.arange(len(names)),),
        mean,
        n_resamples=resamples,
        confidence_level=LEVEL,
        method="percentile",
        random_state=np.random.default_rng(seed),
    )
    low, high = found.confidence_interval
    return float(low), float(high)
