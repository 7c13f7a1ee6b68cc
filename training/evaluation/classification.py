"""Coherent sub-mix classification (section 5.1): Eq. 8 for K = 2, with its interval."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cocola_metric.intervals import clustered_interval

DRAWS_OF_NEGATIVES = 10
NO_NEGATIVE = -1


@dataclass(frozen=True)
class Accuracy:
    """An accuracy in percent, its 95 % interval over tracks, and the numbers of windows and tracks."""

    percent: float
    low: float
    high: float
    tracks: int
    windows: int

    def __str__(self) -> str:
        return f"{self.percent:.1f} [{self.low:.1f}, {self.high:.1f}]"


def draw_negatives(track: NDArray[np.int64], *, same_track: bool, seed: int = 0) -> NDArray[np.int64]:
    """Draw for each window ten others to compare it with, of another track or of the same one.

    Args:
        track: number of each window's track, (n,).
        same_track: choice of the other windows of the same track.
        seed: seed of the draw.

    Returns:
        Numbers of windows, (n, 10); ``NO_NEGATIVE`` where a window has none.
    """
    rng = np.random.default_rng([seed, int(same_track)])
    drawn = np.full((len(track), DRAWS_OF_NEGATIVES), NO_NEGATIVE, np.int64)
    everyone = np.arange(len(track))
    for row, own in enumerate(track):
        related = track == own
        candidates = everyone[related & (everyone != row)] if same_track else everyone[~related]
        if len(candidates):
            drawn[row] = rng.choice(candidates, DRAWS_OF_NEGATIVES)
    return drawn


def share_of_wins(left: Tensor, right: Tensor, negatives: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the share of negatives that each window's own accompaniment scores above; a tie is half a win.

    Shape:
        (n, D), (n, D), (n, 10) -> (n,), NaN where there is no negative.
    """
    own = (left * right).sum(1)
    wins = np.zeros(len(left))
    for column in negatives.T:
        other = (left * right[torch.from_numpy(column)]).sum(1)
        wins += compare(own.numpy(), other.numpy())
    wins /= negatives.shape[1]
    wins[negatives[:, 0] == NO_NEGATIVE] = np.nan
    return wins


def wins_of_two(
    left: Tensor, right: Tensor, track: NDArray[np.int64], *, same_track: bool = False, seed: int = 0
) -> NDArray[np.float64]:
    """Return the share of ten drawn windows, of other tracks or of the same one, that each window's own scores above.

    Shape:
        (n, D), (n, D), (n,) -> (n,), NaN where a window has none to be compared with.
    """
    return share_of_wins(left, right, draw_negatives(track, same_track=same_track, seed=seed))


def compare(right: NDArray[Any], wrong: NDArray[Any]) -> NDArray[np.float64]:
    """Return 1 where the right one scores higher, 0 where the wrong one does, 0.5 where they tie."""
    return np.where(right == wrong, 0.5, (right > wrong).astype(np.float64))


def percent_by_track(wins: NDArray[np.float64], track: NDArray[np.int64], names: Sequence[str]) -> dict[str, float]:
    """Return the accuracy of each track in percent, by its name; tracks without a tested window are left out."""
    tested = ~np.isnan(wins)
    return {
        name: round(float(100 * wins[tested & (track == number)].mean()), 2)
        for number, name in enumerate(names)
        if (tested & (track == number)).any()
    }


def accuracy_with_interval(wins: NDArray[np.float64], track: NDArray[np.int64], *, seed: int = 0) -> Accuracy | None:
    """Return the mean over windows, with an interval by resampling tracks, since windows of a track are alike.

    Args:
        wins: share of wins of each window, from 0 to 1; NaN if it was not tested.
        track: number of each window's track.
        seed: seed of the resampling.

    Returns:
        Accuracy with its interval; None if no window was tested.
    """
    tested = ~np.isnan(wins)
    if not tested.any():
        return None
    percent, tracks = float(100 * wins[tested].mean()), len(np.unique(track[tested]))
    low, high = clustered_interval(100 * wins[tested], track[tested], seed=seed) if tracks > 1 else (percent, percent)
    return Accuracy(percent, low, high, tracks, int(tested.sum()))
