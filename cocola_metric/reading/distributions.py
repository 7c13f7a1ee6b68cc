"""The distributions of scores of one mode: quantiles by length of the pairs, and the likelihoods calibrated on them."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

LEVELS: tuple[float, ...] = (0.0, 1.0, *(2.5 * step for step in range(1, 40)), 99.0, 100.0)
"""Levels of the quantiles, in per cent."""
DECIMALS = 4
READINGS = ("percentile", "likelihood", "anchored")
"""Names of what is read in a score."""


@dataclass(frozen=True)
class Reading:
    """The meaning of one score, by the reference of its encoder.

    Attributes:
        percentile: share of coherent pairs of the reference that score lower, in per cent.
        likelihood: probability that a pair with this score is coherent, if coherent and mismatched pairs are as
            frequent as each other.
        anchored: score on the scale where mismatched pairs have 0 on average, and coherent pairs 1.
        windows: number of windows of the pairs that the score was compared with.
    """

    percentile: float
    likelihood: float
    anchored: float
    windows: int


@dataclass(frozen=True)
class PairScores:
    """The scores of pairs of one length.

    Attributes:
        windows: number of windows of each pair, over which its score is a mean.
        pairs: number of coherent pairs.
        coherent: quantiles of the scores of coherent pairs, at ``LEVELS``.
        mismatched: quantiles of the scores of mismatched pairs, at ``LEVELS``.
        scores: scores at which the likelihood is known, rising.
        likelihoods: likelihood at each of these scores, rising; between them it is interpolated.
    """

    windows: int
    pairs: int
    coherent: tuple[float, ...]
    mismatched: tuple[float, ...]
    scores: tuple[float, ...]
    likelihoods: tuple[float, ...]


@dataclass(frozen=True)
class Lengths:
    """The scores of coherent and of mismatched pairs of one mode and direction, by length of the pairs.

    The mean over many windows scatters less than the score of one window. So every score is compared with pairs of its
    own number of windows, or of the largest number below it that the reference has.

    Attributes:
        mode: mode of the encoder.
        symmetric: True for means of both directions.
        coherent_mean: mean score of coherent pairs.
        mismatched_mean: mean score of mismatched pairs.
        lengths: scores of pairs of each length, shortest first; the first are single windows.
    """

    mode: str
    symmetric: bool
    coherent_mean: float
    mismatched_mean: float
    lengths: tuple[PairScores, ...]

    def of(self, windows: int = 1) -> PairScores:
        """Return the scores of pairs of that many windows, or of the largest number below it."""
        return [length for length in self.lengths if length.windows <= max(windows, 1)][-1]

    def read(self, score: float, windows: int) -> Reading:
        """Return the meaning of a score, the mean over that many windows; NaN has none, and gets NaN.

        The score is taken with four decimals, as it is printed, so that its reading can be repeated.
        """
        score, length = round(score, DECIMALS), self.of(windows)
        return Reading(
            float(self.percentile(score, windows)),
            float(self.likelihood(score, windows)),
            float(self.anchored(score)),
            length.windows,
        )

    def percentile(self, scores: ArrayLike, windows: int = 1) -> Array:
        """Return the share of coherent pairs of that length that score lower, in per cent.

        Shape:
            (...) -> (...).
        """
        return _interpolated(scores, self.of(windows).coherent, LEVELS)

    def likelihood(self, scores: ArrayLike, windows: int = 1) -> Array:
        """Return the probability that a pair of that length with such a score is coherent.

        Shape:
            (...) -> (...).
        """
        length = self.of(windows)
        return _interpolated(scores, length.scores, length.likelihoods)

    def anchored(self, scores: ArrayLike) -> Array:
        """Return scores on the scale where mismatched pairs have 0 on average, and coherent pairs 1.

        Shape:
            (...) -> (...).
        """
        values = np.asarray(scores, np.float64)
        return np.asarray((values - self.mismatched_mean) / (self.coherent_mean - self.mismatched_mean))

    def band(self, *, coherent: bool = True, levels: ArrayLike = (5.0, 50.0, 95.0), windows: int = 1) -> Array:
        """Return quantiles of the scores of coherent, or of mismatched pairs, as a picture shows them.

        Args:
            coherent: False for mismatched pairs.
            levels: levels of the quantiles, in per cent.
            windows: number of windows of the pairs.

        Shape:
            levels (n,) -> (n,).
        """
        length = self.of(windows)
        return np.interp(np.asarray(levels, np.float64), LEVELS, length.coherent if coherent else length.mismatched)


def _interpolated(scores: ArrayLike, places: tuple[float, ...], values: tuple[float, ...]) -> Array:
    given = np.asarray(scores, np.float64)
    found = np.interp(given, places, values)
    return np.where(np.isnan(given), math.nan, found)
