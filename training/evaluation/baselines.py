"""Baselines that an encoder must beat: logistic regressions on shortcuts, and on hand-made cues of coherence.

If an encoder is no better than the shortcuts, the test gives the answer away. If it is no better than the hand-made
cues, it was not worth training.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..signal import SubmixCues, coherence, loudness_differences, spectral_differences
from .classification import NO_NEGATIVE, compare

FOLDS = 5
ITERATIONS = 1000
"""Limit of iterations of a fit; a few tens are enough."""
TOLERANCE = 1e-6
"""Largest slope of the loss at which a fit ends. At scikit-learn's own 1e-4 some accuracies are off by 0.1 points."""
PENALTY = 1e-2
Measure = Callable[[SubmixCues, SubmixCues], Tensor]

BASELINES: dict[str, Measure] = {
    "loudness": loudness_differences,
    "spectral shape": spectral_differences,
    "coherence by hand": coherence,
}
"""Measurements of pairs by name; a logistic regression tests each of them."""


def baseline_wins(
    measure: Measure,
    conditioning: SubmixCues,
    accompaniment: SubmixCues,
    negatives: NDArray[np.int64],
    track: NDArray[np.int64],
    *,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Return the share of comparisons in which a regression on the measurements picks each window's own accompaniment.

    Shape:
        cues of n, cues of n, (n, 10), (n,) -> (n,), NaN where there is no negative or too few tracks.
    """
    wins = np.full(len(track), np.nan)
    tested = np.flatnonzero(negatives[:, 0] != NO_NEGATIVE)
    if len(tested):
        left = conditioning.rows(tested)
        own = measure(left, accompaniment.rows(tested))
        others = [measure(left, accompaniment.rows(column)) for column in negatives[tested].T]
        differences = torch.stack([own - other for other in others], 1).numpy()
        wins[tested] = cross_validated_wins(differences, track[tested], seed=seed)
    return wins


def cross_validated_wins(
    differences: NDArray[np.float32], track: NDArray[np.int64], *, seed: int = 0
) -> NDArray[np.float64]:
    """Return the share of comparisons in which a logistic regression prefers the right pair to the wrong one.

    The regression weighs the differences between the measurements of the two. It is fitted on four fifths of the tracks
    and tested on the last fifth, in turn.

    Args:
        differences: measurements of the right pair minus those of the wrong one, for each window's comparisons,
            (n, R, J).
        track: number of each window's track, (n,).
        seed: seed of the division of the tracks.

    Returns:
        Share of comparisons won, (n,); NaN if there are too few tracks.
    """
    wins = np.full(len(track), np.nan)
    present, number = np.unique(track, return_inverse=True)
    if len(present) < 2:
        return wins
    from sklearn.model_selection import PredefinedSplit

    # Tracks are dealt as they always were; GroupKFold deals them otherwise, which would move published numbers.
    fold = np.empty(len(present), np.int64)
    fold[np.random.default_rng(seed).permutation(len(present))] = np.arange(len(present)) % FOLDS
    for fitted, held_out in PredefinedSplit(fold[number]).split():
        weights = fit_preference(differences[fitted].reshape(-1, differences.shape[2]).astype(np.float64))
        advantage = differences[held_out] @ weights
        wins[held_out] = compare(advantage, np.zeros_like(advantage)).mean(1)
    return wins


def fit_preference(differences: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fit the weights of a logistic regression without intercept, for which every difference should be positive.

    Differences are scaled to unit mean square; weights are kept small by a quadratic penalty. scikit-learn wants two
    classes, so every row comes with its mirror image, of the other class. That doubles the loss and moves no minimum;
    scikit-learn's C weighs the loss summed over rows, so 1 / (PENALTY * rows) weighs the mean loss against PENALTY.

    Shape:
        (n, J) -> (J,).
    """
    from sklearn.linear_model import LogisticRegression

    scale = np.sqrt(np.mean(np.square(differences), axis=0))
    scale[scale < 1e-9] = np.inf  # measures nothing
    scaled = differences / scale
    mirrored = np.concatenate([scaled, -scaled])
    right = np.repeat([1, 0], len(scaled))
    model = LogisticRegression(C=1 / (PENALTY * len(mirrored)), fit_intercept=False, max_iter=ITERATIONS, tol=TOLERANCE)
    unscaled: NDArray[np.float64] = model.fit(mirrored, right).coef_[0] / scale
    return unscaled
