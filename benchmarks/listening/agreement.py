"""Agreement of the order of systems by score with their order by mean rating, with intervals over items."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from cocola_metric.intervals import MANY_RESAMPLES, NO_INTERVAL, Interval, ratio_bootstrap

from .tables import Item, Rating, mean_ratings

SPLITS = 300  # of the raters into halves
LEAST_ITEMS = 3  # fewer have no interval


@dataclass(frozen=True)
class Share:
    """A share of pairs that scores order as people do.

    Attributes:
        value: share of pairs; a pair of equal scores counts half; NaN without a pair.
        pairs: number of pairs whose mean ratings differ.
        interval: 95 % interval, items redrawn; NaN if they are too few.
    """

    value: float
    pairs: int
    interval: Interval


@dataclass(frozen=True)
class Agreement:
    """The agreement of one metric with people.

    Attributes:
        every: share of all pairs of systems within an item.
        against_real: share of the pairs in which one is the real stem.
        generated: share of the pairs of two generators.
        correlation: mean over items of Spearman's rank correlation, without items that either side gives one value.
        correlation_interval: 95 % interval, items redrawn.
        items: number of items with ratings and scores.
        equal: number of all pairs whose scores are equal, which count half in the shares.
        equal_by_name: share of all pairs if, of two equal scores, the system with the later name has the higher one.
    """

    every: Share
    against_real: Share
    generated: Share
    correlation: float
    correlation_interval: Interval
    items: int
    equal: int
    equal_by_name: float


def agreement(
    ratings: Mapping[Item, Mapping[str, float]],
    scores: Mapping[Item, Mapping[str, float]],
    *,
    real: str,
    seed: int = 0,
) -> Agreement:
    """Compare scores with mean ratings.

    Args:
        ratings: mean rating of each system, by item.
        scores: score of each system, by item; systems without a rating are left out.
        real: name of the system that is the real stem.
        seed: seed of the intervals.
    """
    items = sorted(item for item in ratings if len(ratings[item].keys() & scores.get(item, {}).keys()) > 1)
    counts = np.array([_wins(ratings[item], scores[item], real) for item in items]).reshape(len(items), 2, 4)
    correlations = np.array([_correlation(ratings[item], scores[item]) for item in items])
    correlations = correlations[np.isfinite(correlations)]
    every = _share(counts.sum(1), seed)
    _, _, equal, by_name = counts.sum((0, 1)).tolist()
    return Agreement(
        every=every,
        against_real=_share(counts[:, 0], seed),
        generated=_share(counts[:, 1], seed),
        correlation=float(correlations.mean()) if len(correlations) else float("nan"),
        correlation_interval=_interval(correlations, np.ones(len(correlations)), seed),
        items=len(items),
        equal=int(equal),
        equal_by_name=every.value + (by_name - equal / 2) / max(every.pairs, 1),
    )


def reliability(ratings: Sequence[Rating], *, seed: int = 0) -> float:
    """Return the correlation of the raters' random halves, stepped up to all of them (Spearman-Brown)."""
    raters = sorted({rating.rater for rating in ratings})
    rng = np.random.default_rng(seed)
    correlations = []
    for _ in range(SPLITS):
        half = set(rng.permutation(raters)[: len(raters) // 2].tolist())
        sides = [
            mean_ratings([rating for rating in ratings if (rating.rater in half) is side]) for side in (True, False)
        ]
        both = [(item, system) for item in sides[0] for system in sides[0][item] if system in sides[1].get(item, {})]
        values = [[side[item][system] for item, system in both] for side in sides]
        if len(both) > 1 and all(len(set(side)) > 1 for side in values):
            correlations.append(np.corrcoef(values[0], values[1])[0, 1])
    mean = float(np.mean(correlations)) if correlations else float("nan")
    return 2 * mean / (1 + mean)


def _wins(ratings: Mapping[str, float], scores: Mapping[str, float], real: str) -> NDArray[np.float64]:
    """Count the pairs of an item, against the real stem and between generators, (2, 4).

    The columns of each kind: pairs ordered right, all pairs, pairs of equal scores, and those among them that names
    order right.
    """
    counts = np.zeros((2, 4))
    for first, second in itertools.combinations(sorted(ratings.keys() & scores.keys()), 2):
        if ratings[first] != ratings[second]:
            kind = 0 if real in (first, second) else 1
            later_is_better, equal = ratings[first] < ratings[second], scores[first] == scores[second]
            right = 0.5 if equal else float(later_is_better == (scores[first] < scores[second]))
            counts[kind] += right, 1, equal, equal and later_is_better
    return counts


def _correlation(ratings: Mapping[str, float], scores: Mapping[str, float]) -> float:
    systems = sorted(ratings.keys() & scores.keys())
    sides = [[side[system] for system in systems] for side in (ratings, scores)]
    if any(len(set(side)) == 1 for side in sides):
        return float("nan")
    return float(stats.spearmanr(*sides).statistic)


def _share(counts: NDArray[np.float64], seed: int) -> Share:
    """Return the share of right pairs from the right ones and all pairs of each item, the first two of (n, 4)."""
    wins, pairs = counts[:, :2].sum(0)
    value = float(wins / pairs) if pairs else float("nan")
    return Share(value, int(pairs), _interval(counts[:, 0], counts[:, 1], seed))


def _interval(values: NDArray[np.float64], weights: NDArray[np.float64], seed: int) -> Interval:
    """Return the 95 % interval of sum(values) / sum(weights), rows redrawn."""
    values, weights = values[weights > 0], weights[weights > 0]
    if len(values) < LEAST_ITEMS:
        return NO_INTERVAL
    return ratio_bootstrap(values, weights, resamples=MANY_RESAMPLES, seed=seed)[0]
