"""The mean of scores over queries, with its spread and its interval."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cocola_metric.errors import UsageError
from cocola_metric.intervals import RESAMPLES, clustered_interval


@dataclass(frozen=True)
class Summary:
    """Mean, spread and interval of the scores of queries.

    Attributes:
        mean: mean of the scores.
        deviation: standard deviation of the scores, of a sample (n - 1); NaN for one score.
        interval: 95 % BCa interval of the mean; NaN where there is one track only.
        n: number of scores.
        tracks: number of tracks that they come from.
    """

    mean: float
    deviation: float
    interval: tuple[float, float]
    n: int
    tracks: int


def summarize(scores: Sequence[float], tracks: Sequence[str], *, resamples: int = RESAMPLES, seed: int = 0) -> Summary:
    """Summarize scores of queries; the interval says where the mean would lie for other tracks like these.

    Windows of one track are alike. So whole tracks are drawn with replacement, each with all of its scores. Drawing
    queries one by one would treat 200 windows of 12 songs as 200 songs.

    Args:
        scores: scores, finite, one for each query.
        tracks: track of the conditioning of each query.
        resamples: number of draws.
        seed: seed of the draws.

    Raises:
        UsageError: there are no scores, one is not finite, or there are not as many tracks as scores.
    """
    if not len(scores) or len(scores) != len(tracks):
        raise UsageError(
            f"pass a score for each query, at least one; got {len(scores)} scores of {len(tracks)} queries"
        )
    values = np.asarray(scores, np.float64)
    if not np.isfinite(values).all():
        raise UsageError(
            "scores must be finite; got NaN or infinity; leave out answers without a score, and say how many"
        )
    interval = clustered_interval(values, tracks, resamples=resamples, seed=seed)
    deviation = float(values.std(ddof=1)) if len(values) > 1 else math.nan
    return Summary(float(values.mean()), deviation, interval, len(values), len(set(tracks)))
