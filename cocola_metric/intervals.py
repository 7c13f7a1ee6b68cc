"""Intervals by the clustered bootstrap, which draws whole tracks, since windows of one track are alike."""

import warnings
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np
import scipy.stats
from numpy.typing import ArrayLike, NDArray

LEVEL = 0.95
RESAMPLES = 2_000
MANY_RESAMPLES = 10_000
"""Number of draws where a p-value is taken from them, or where there are few clusters."""
MOST_JACKKNIFED = 10_000
"""Largest number of clusters that are left out one by one. With more, BCa and percentiles hardly differ."""
BATCH = 2**22
"""Largest number of indices that are drawn at once."""
Interval = tuple[float, float]
NO_INTERVAL: Interval = (float("nan"), float("nan"))
Array = NDArray[np.float64]


def clustered_interval(
    values: ArrayLike,
    groups: Sequence[Hashable] | NDArray[np.int64],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Return the 95 % BCa interval of the mean of values; groups are drawn, each with all of its values.

    Args:
        values: finite numbers.
        groups: group of each value, such as its track.
        resamples: number of draws.
        seed: seed of the draws.

    Shape:
        (n,), (n,) -> lower and upper limit; NaN if there is only one group.
    """
    sums, counts = by_cluster(np.asarray(values, np.float64), groups)
    return ratio_bootstrap(sums, counts, resamples=resamples, seed=seed)[0]


def by_cluster(values: Array, groups: Sequence[Hashable] | NDArray[np.int64] | None) -> tuple[Array, Array]:
    """Return the sum of the values in each group and its size; without groups, every value is a group.

    Groups are in the order of their names, so that the order of the values does not matter.

    Shape:
        (n,), (n,) -> (G,), (G,).
    """
    if groups is None:
        return values, np.ones(len(values))
    numbers = {group: number for number, group in enumerate(sorted(set(groups), key=repr))}
    owners = np.array([numbers[group] for group in groups], np.intp)
    return np.bincount(owners, values).astype(np.float64), np.bincount(owners).astype(np.float64)


def ratio_bootstrap(
    numerators: Array, denominators: Array, *, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[Interval, Array]:
    """Return the 95 % interval of the ratio of two sums over clusters, and the ratios of the drawn clusters.

    The interval is BCa (Efron 1987: bias-corrected and accelerated), which follows the skewness of small sets of
    clusters. If BCa is not defined, percentiles take its place: when the ratio is the same without any one cluster, as
    when every comparison is won, or when SciPy finds no limit for another reason. The same holds beyond
    ``MOST_JACKKNIFED`` clusters.

    Args:
        numerators: sum of the values of each cluster.
        denominators: number of its values, or their weight; positive.
        resamples: number of draws.
        seed: seed of the draws.

    Shape:
        (G,), (G,) -> lower and upper limit, NaN for fewer than two clusters; (resamples,).
    """
    clusters = len(numerators)
    if clusters < 2:
        return NO_INTERVAL, np.full(resamples, np.nan if not clusters else numerators[0] / denominators[0])

    def ratio(drawn: NDArray[np.intp], axis: int = -1) -> Array:
        found: Array = numerators[drawn].sum(axis=axis) / denominators[drawn].sum(axis=axis)
        return found

    accelerated = clusters <= MOST_JACKKNIFED
    found = _bootstrap(ratio, (clusters,), "BCa" if accelerated else "percentile", True, resamples, seed)
    low, high = map(float, found.confidence_interval)
    redrawn: Array = found.bootstrap_distribution
    return (low, high) if low <= high else percentiles(redrawn), redrawn  # false for NaN


def redraw(statistic: Callable[..., float], *clusters: int, resamples: int, seed: int) -> Array:
    """Return a statistic of sets of clusters that are drawn with replacement, for statistics that need percentiles.

    Args:
        statistic: function of the indices of the drawn clusters of each set.
        clusters: number of clusters in each set, at least two; sets are drawn independently.
        resamples: number of draws.
        seed: seed of the draws.

    Shape:
        -> (resamples,).
    """
    redrawn: Array = _bootstrap(statistic, clusters, "percentile", False, resamples, seed).bootstrap_distribution
    return redrawn


def percentiles(redrawn: Array) -> Interval:
    """Return the 95 % interval from percentiles of redrawn statistics; draws that are NaN are left out."""
    low, high = np.nanquantile(redrawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _bootstrap(
    statistic: Callable[..., Any], clusters: Sequence[int], method: str, vectorized: bool, resamples: int, seed: int
) -> Any:
    """Run SciPy's bootstrap on the indices of clusters, so that all values of a cluster are drawn together."""
    with np.errstate(divide="ignore", invalid="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", scipy.stats.DegenerateDataWarning)  # the caller handles its NaN
        return scipy.stats.bootstrap(
            tuple(np.arange(count) for count in clusters),
            statistic,
            n_resamples=resamples,
            batch=max(1, BATCH // max(clusters)),
            vectorized=vectorized,
            confidence_level=LEVEL,
            method=method,
            random_state=np.random.default_rng(seed),
        )
