"""The mean of scores over queries, with its spread and how sure it is."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cocola_metric.errors import UsageError
from cocola_metric.intervals import RESAMPLES, clustered_interval


@dataclass(frozen=True)
class Summary:
    """What scores of queries come down to.

    Attributes:
        mean: of the scores.
        deviation: standard deviation of the scores, of a sample (n - 1); NaN for one score.
        interval: 95 % BCa interval of the mean; NaN where there is one track only.
        n: scores.
        tracks: that they come from.
    """

    mean: float
    deviation: float
    interval: tuple[float, float]
    n: int
    tracks: int


def summarize(scores: Sequence[float], tracks: Sequence[str], *, resamples: int = RESAMPLES, seed: int = 0) -> Summary:
    """Summarize scores of queries; the interval says where the mean would lie for other tracks like these.

    Windows of one track are alike, so whole tracks are drawn with replacement, each with all of its scores: drawing
    queries one by one would make 200 windows of 12 songs look like 200 songs.

    Args:
        scores: finite, one for each query.
        tracks: of the conditioning of each query.
        resamples: draws.
        seed: of the draws.

    Raises:
        UsageError: no scores, one that is not finite, or not as many tracks as scores.
    """
    if not len(scores) or len(scores) != len(tracks):
        raise UsageError(f"{len(scores)} scores of {len(tracks)} queries: pass one for each, and at least one")
    values = np.asarray(scores, np.float64)
    if not np.isfinite(values).all():
        raise UsageError("a score is not finite: leave out answers that have none, and say how many")
    interval = clustered_interval(values, tracks, resamples=resamples, seed=seed)
    deviation = float(values.std(ddof=1)) if len(values) > 1 else math.nan
    return Summary(float(values.mean()), deviation, interval, len(values), len(set(tracks)))
