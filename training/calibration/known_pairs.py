"""Pairs of known music: coherent ones, and mismatched ones of two tracks, with the scores of an encoder."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from cocola_metric.audio import HOP
from cocola_metric.encoder import Mode
from cocola_metric.errors import AudioError

from ..corpora import Track
from ..evaluation import Encoders, in_batches, read_submixes

DRAWS = 10
"""Number of mismatched pairs for each coherent one."""
LENGTHS = (1, 2, 4, 8)
"""Numbers of windows over which a score is a mean: 5, 7.5, 12.5 and 22.5 s."""
PARTITION = "track"
ENCODER = "encoder"
Array = NDArray[np.float64]
Indices = NDArray[np.intp]


@dataclass(frozen=True)
class ScoredWindows:
    """The scores of all windows of a set of music with each other.

    Attributes:
        track: number of each window's track, (n,).
        place: number of each window in its track, (n,).
        scores: score of each window as the conditioning with each window as the accompaniment, by mode and direction,
            (n, n).
    """

    track: Indices
    place: Indices
    scores: dict[tuple[Mode, bool], Array]


@dataclass(frozen=True)
class PairsOfLength:
    """The scores of pairs of one length.

    Attributes:
        coherent: scores of coherent pairs, (n,).
        mismatched: scores of pairs of two tracks, (m,).
        tracks: number of the track of each coherent pair, (n,).
        mismatched_tracks: number of the conditioning's track of each mismatched pair, (m,).
    """

    coherent: Array
    mismatched: Array
    tracks: Indices
    mismatched_tracks: Indices


def score_windows(
    encoders: Encoders, tracks: Sequence[Track], *, seed: int = 0, most_windows: int | None = None
) -> ScoredWindows:
    """Score the two sub-mixes of every window of some tracks with those of all windows, in every mode.

    A track is split into two sub-mixes once. Windows start every 2.5 s, as those of a score do.

    Args:
        encoders: a single encoder, called ``ENCODER``.
        tracks: tracks with two stems or more.
        seed: seed of the splits.
        most_windows: largest number of windows of a track, from its start; None for no limit.

    Raises:
        AudioError: there are no two tracks with a window in which both sides sound.
    """
    modes = encoders.modes(ENCODER)
    owners: list[int] = []
    places: list[int] = []
    embedded: dict[Mode, list[torch.Tensor]] = {mode: [] for mode in modes}
    for number, track in enumerate(tqdm(tracks, desc="embedding", unit="track", disable=None)):
        windows = read_submixes(track, number, partitions=(PARTITION,), hop=HOP, seed=seed)
        heard = [(place, window) for place, window in enumerate(islice(windows, most_windows)) if PARTITION in window]
        for _, pairs in in_batches(window for _, window in heard):
            for (_, mode), found in encoders.embed(pairs.flatten(0, 1), modes).items():
                embedded[mode].append(found.view(len(pairs), 2, -1))
        owners += [number] * len(heard)
        places += [place for place, _ in heard]
    if len(set(owners)) < 2:
        raise AudioError("two tracks or more must have a window of 5 s in which two sides sound; give more music")
    scores: dict[tuple[Mode, bool], Array] = {}
    for mode in modes:
        first, second = torch.cat(embedded[mode]).unbind(1)
        scores[mode, False] = _matrix(encoders, first, second)
        scores[mode, True] = (scores[mode, False] + _matrix(encoders, second, first).T) / 2
    return ScoredWindows(np.asarray(owners), np.asarray(places), scores)


def pairs_of(windows: ScoredWindows, mode: Mode, symmetric: bool, length: int, *, seed: int = 0) -> PairsOfLength:
    """Return the scores of pairs of so many successive windows, coherent and drawn from two tracks.

    Raises:
        AudioError: there are no two tracks with so many windows.
    """
    scores = windows.scores[mode, symmetric]
    starts = _starts(windows, length)
    owners = windows.track[starts]
    if len(np.unique(owners)) < 2:
        raise AudioError(
            f"two tracks or more must have {length} successive windows in which two sides sound; give longer music"
        )
    rng = np.random.default_rng([seed, length])
    others = np.stack([rng.choice(starts[owners != owner], DRAWS) for owner in owners]).ravel()
    conditionings = np.repeat(starts, DRAWS)
    return PairsOfLength(
        _means(scores, starts, starts, length),
        _means(scores, conditionings, others, length),
        owners,
        np.repeat(owners, DRAWS),
    )


def _matrix(encoders: Encoders, conditioning: torch.Tensor, accompaniment: torch.Tensor) -> Array:
    left, right = encoders.sides(ENCODER, conditioning, accompaniment)
    return np.asarray((left @ right.T).double().numpy())


def _starts(windows: ScoredWindows, length: int) -> Indices:
    """Return the windows that begin a run of so many successive windows of one track."""
    last = len(windows.track) - length + 1
    firsts = np.arange(max(last, 0))
    ends = firsts + length - 1
    whole = (windows.track[firsts] == windows.track[ends]) & (windows.place[ends] - windows.place[firsts] == length - 1)
    return np.asarray(firsts[whole])


def _means(scores: Array, conditionings: Indices, accompaniments: Indices, length: int) -> Array:
    steps = np.arange(length)
    return np.asarray(scores[conditionings[:, None] + steps, accompaniments[:, None] + steps].mean(1))
