"""Hand-made cues as a judge: the log-odds of a logistic regression that two sub-mixes belong together."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..corpora import Track
from ..signal import SubmixCues, coherence, join_cues, measure_cues
from .baselines import fit_preference
from .classification import draw_negatives
from .held_out import in_batches, read_submixes


def fit_cue_weights(tracks: Sequence[Track], *, most_windows: int | None = None, seed: int = 0) -> NDArray[np.float64]:
    """Fit the weights of nine cues of coherence, so that right accompaniments are preferred to those of other tracks.

    It is the baseline "coherence by hand" of Table 2, fitted on all tracks instead of four fifths.

    Args:
        tracks: tracks of two stems or more.
        most_windows: largest number of windows of a track; None for no limit.
        seed: seed of the draws.

    Shape:
        -> (9,).
    """
    owners: list[int] = []
    sides: list[list[SubmixCues]] = [[], []]
    for number, track in enumerate(tracks):
        windows = read_submixes(track, number, partitions=("track",), seed=seed, most=most_windows)
        for _, pairs in in_batches(windows):
            for side, waveforms in zip(sides, pairs.unbind(1), strict=True):
                side.append(measure_cues(waveforms))
            owners += [number] * len(pairs)
    left, right = (join_cues(side) for side in sides)
    own = coherence(left, right)
    columns = draw_negatives(np.asarray(owners), same_track=False, seed=seed).T
    others = [coherence(left, right.rows(column)) for column in columns]
    differences = torch.cat([own - other for other in others]).numpy()
    return fit_preference(differences.astype(np.float64))


def cue_scores(weights: NDArray[np.float64], given: Tensor, answer: Tensor) -> NDArray[np.float64]:
    """Return the log-odds of windows at 16 kHz, apart from a constant: (9,), (K, L), (K, L) -> (K,)."""
    cues = coherence(measure_cues(given), measure_cues(answer)).numpy().astype(np.float64)
    scores: NDArray[np.float64] = cues @ weights
    return scores
