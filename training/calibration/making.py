"""Making a reference: quantiles of scores of known music, and likelihoods calibrated on them by logistic regression."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from cocola_metric.audio import HOP, WINDOW
from cocola_metric.encoder import Mode
from cocola_metric.errors import UsageError
from cocola_metric.reading import LEVELS, Lengths, PairScores, ScoreReference

from .known_pairs import LENGTHS, PairsOfLength, ScoredWindows, pairs_of
from .measuring import balanced

PROTOCOL = (
    "Each track is split once into two disjoint sub-mixes, each at -20 dBFS in every window of 5 s. A coherent pair is "
    "both at one time; a mismatched pair has its accompaniment of another track of the same set. Windows start every "
    "2.5 s."
)
KNOTS = 33
"""Number of scores at which the likelihood is written."""
SURE = 0.005
"""Least distance of a likelihood from 0 and 1: a reference of some thousand pairs knows no more."""
DECIMALS = 4
Array = NDArray[np.float64]


def make_reference(weights_sha256: str, music: Mapping[str, ScoredWindows], *, seed: int = 0) -> ScoreReference:
    """Return the reference of an encoder from its scores of some sets of music.

    Args:
        weights_sha256: SHA-256 of the encoder's weights.
        music: name of each set -> scores of its windows.
        seed: seed of the mismatched pairs.

    Raises:
        AudioError: the music is too short, or of one track.
        UsageError: coherent pairs score no higher than mismatched ones.
    """
    kinds = next(iter(music.values())).scores
    return ScoreReference(
        weights_sha256=weights_sha256,
        window=WINDOW,
        hop=HOP,
        protocol=PROTOCOL,
        music={name: len(np.unique(windows.track)) for name, windows in music.items()},
        parts=tuple(_part(list(music.values()), mode, symmetric, seed) for mode, symmetric in kinds),
    )


def fitted_likelihood(scores: Array, coherent: NDArray[np.bool_], weights: Array) -> tuple[Array, Array]:
    """Return knots of the likelihood that logistic regression finds: rising scores, and a likelihood for each.

    Shape:
        (n,), (n,), (n,) -> (KNOTS,), (KNOTS,).
    """
    from sklearn.linear_model import LogisticRegression

    centre, scale = float(scores.mean()), float(scores.std())
    model = LogisticRegression(C=1e6, max_iter=1000)
    model.fit(((scores - centre) / scale)[:, None], coherent, sample_weight=weights)
    slope, intercept = float(model.coef_[0, 0]), float(model.intercept_[0])
    if slope <= 0:
        raise UsageError("coherent pairs score no higher than mismatched ones, so no score means anything; train first")
    limit = np.log((1 - SURE) / SURE)
    logits = np.linspace(-limit, limit, KNOTS)
    return centre + scale * (logits - intercept) / slope, 1 / (1 + np.exp(-logits))


def _part(music: Sequence[ScoredWindows], mode: Mode, symmetric: bool, seed: int) -> Lengths:
    lengths = []
    means = (0.0, 0.0)
    for length in LENGTHS:
        pairs = _together([pairs_of(windows, mode, symmetric, length, seed=seed) for windows in music])
        knots = fitted_likelihood(*balanced(pairs))
        quantiles = (np.percentile(side, LEVELS) for side in (pairs.coherent, pairs.mismatched))
        lengths.append(PairScores(length, len(pairs.coherent), *map(_rounded, (*quantiles, *knots))))
        if length == 1:
            means = float(pairs.coherent.mean()), float(pairs.mismatched.mean())
    return Lengths(mode, symmetric, round(means[0], DECIMALS), round(means[1], DECIMALS), tuple(lengths))


def _together(sets: Sequence[PairsOfLength]) -> PairsOfLength:
    """Return the pairs of all sets; tracks are numbered anew."""
    firsts = np.cumsum([0, *(int(pairs.tracks.max()) + 1 for pairs in sets)])[: len(sets)]
    shifted = list(zip(firsts, sets, strict=True))
    return PairsOfLength(
        np.concatenate([pairs.coherent for pairs in sets]),
        np.concatenate([pairs.mismatched for pairs in sets]),
        np.concatenate([pairs.tracks + first for first, pairs in shifted]),
        np.concatenate([pairs.mismatched_tracks + first for first, pairs in shifted]),
    )


def _rounded(values: Array) -> tuple[float, ...]:
    return tuple(np.asarray(values, np.float64).round(DECIMALS).tolist())
