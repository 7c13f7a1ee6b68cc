"""The calibration of likelihoods on held-out music: how often pairs of a stated likelihood are coherent."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cocola_metric.encoder import Mode
from cocola_metric.errors import AudioError
from cocola_metric.reading import Lengths, ScoreReference

from .known_pairs import LENGTHS, PairsOfLength, ScoredWindows, pairs_of

BINS = 10
"""Number of bins of likelihood, equally wide, over which the error is a mean."""
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Calibration:
    """The calibration of one mode on one set of held-out music, for pairs of one length.

    Attributes:
        mode: mode of the encoder.
        symmetric: True for means of both directions.
        windows: number of windows of a pair.
        pairs: number of coherent pairs.
        tracks: number of tracks.
        error: expected calibration error: mean distance of likelihood and frequency over bins, weighted by their pairs.
        brier: mean squared error of the likelihood; 0.25 for one that is always one half.
        likelihoods: mean likelihood of the pairs in each bin; NaN where there is none.
        frequencies: share of coherent pairs in each bin; coherent and mismatched pairs weigh the same.
        shares: share of all pairs that each bin holds.
    """

    mode: Mode
    symmetric: bool
    windows: int
    pairs: int
    tracks: int
    error: float
    brier: float
    likelihoods: tuple[float, ...]
    frequencies: tuple[float, ...]
    shares: tuple[float, ...]


def measure_calibration(reference: ScoreReference, windows: ScoredWindows, *, seed: int = 0) -> list[Calibration]:
    """Compare the likelihoods of a reference with what pairs of other music are, in every mode and length.

    Lengths that the music is too short for are left out.
    """
    found = []
    for mode, symmetric in windows.scores:
        part = reference.of(mode, symmetric=symmetric)
        for length in LENGTHS:
            try:
                pairs = pairs_of(windows, mode, symmetric, length, seed=seed)
            except AudioError:
                continue
            if part is not None:
                found.append(_calibration(part, pairs, mode, length))
    return found


def calibration_error(likelihood: Array, coherent: NDArray[np.bool_], weight: Array) -> tuple[float, Sequence[Array]]:
    """Return the expected calibration error, with mean likelihood, frequency and share of every bin.

    Shape:
        (n,), (n,), (n,) -> a number, and three of (BINS,).
    """
    bins = np.minimum((likelihood * BINS).astype(int), BINS - 1)
    total, stated, true = (
        np.bincount(bins, weight * values, BINS) for values in (np.ones(len(bins)), likelihood, coherent)
    )
    with np.errstate(invalid="ignore"):
        means, frequencies = stated / total, true / total
    shares = total / total.sum()
    return float(np.nansum(shares * np.abs(means - frequencies))), (means, frequencies, shares)


def balanced(pairs: PairsOfLength) -> tuple[Array, NDArray[np.bool_], Array]:
    """Return all scores, whether each is of a coherent pair, and weights by which both kinds are as frequent.

    Shape:
        n coherent and m mismatched pairs -> three of (n + m,); weights have a mean of 1.
    """
    count, other = len(pairs.coherent), len(pairs.mismatched)
    weights = np.repeat([(count + other) / 2 / count, (count + other) / 2 / other], [count, other])
    return np.concatenate([pairs.coherent, pairs.mismatched]), np.arange(count + other) < count, weights


def _calibration(part: Lengths, pairs: PairsOfLength, mode: Mode, length: int) -> Calibration:
    scores, coherent, weights = balanced(pairs)
    likelihood = part.likelihood(scores, length)
    error, bins = calibration_error(likelihood, coherent, weights)
    means, frequencies, shares = (tuple(map(float, each)) for each in bins)
    brier = float(np.average((likelihood - coherent) ** 2, weights=weights))
    tracks = len(np.unique(pairs.tracks))
    return Calibration(
        mode, part.symmetric, length, len(pairs.coherent), tracks, error, brier, means, frequencies, shares
    )
