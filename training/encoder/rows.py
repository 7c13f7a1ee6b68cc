"""The rows of a step, and the piece of their windows: what of the kept maps a head is trained on."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from cocola_metric.encoder import MODES

from .config import SamplingConfig
from .maps import MapStore

STEPS_PER_SECOND = 12.5
"""Of the map that phasors over time read."""


class RowsOfPairs(Dataset[NDArray[np.int64]]):
    """The rows of each batch in a store; pairs of one track come from one draw, which split the track's stems once."""

    def __init__(
        self, store: MapStore, size: int, *, steps: int, seed: int, mode_shares: Sequence[float] = (1.0,) * len(MODES)
    ) -> None:
        """Group the rows by track and draw; those of a mode without a share are left out."""
        self.size, self.steps, self.seed = size, steps, seed
        everyone, tracks = np.arange(store.count), store.arrays["tracks"][: store.count]
        wanted = np.asarray(mode_shares)[store.modes(everyone)] > 0
        self.groups: list[tuple[int, NDArray[np.int64]]] = []
        for rows in np.array_split(everyone, max(1, store.count // store.batch_size)):
            left = rows[wanted[rows]]
            self.groups += [(int(track), left[tracks[left] == track]) for track in np.unique(tracks[left])]

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> NDArray[np.int64]:
        rows: list[int] = []
        taken: set[int] = set()
        for number in np.random.default_rng([self.seed, step]).permutation(len(self.groups)).tolist():
            track, own = self.groups[number]
            if track not in taken:
                taken.add(track)
                rows += own.tolist()
            if len(rows) >= self.size:
                break
        return np.sort(np.asarray(rows[: self.size]))


class RowsOfStores(Dataset[tuple[int, NDArray[np.int64]]]):
    """The store and the rows of each batch; a store is drawn as often as its pairs are many."""

    def __init__(
        self, stores: Sequence[MapStore], size: int, *, steps: int, seed: int, mode_shares: Sequence[float]
    ) -> None:
        """Take the stores of one kind of maps."""
        self.rows = [RowsOfPairs(store, size, steps=steps, seed=seed, mode_shares=mode_shares) for store in stores]
        self.shares = np.asarray([store.count for store in stores]) / sum(store.count for store in stores)

    def __len__(self) -> int:
        return len(self.rows[0])

    def __getitem__(self, step: int) -> tuple[int, NDArray[np.int64]]:
        number = int(np.random.default_rng([self.rows[0].seed, step, 1]).choice(len(self.rows), p=self.shares))
        return number, self.rows[number][step]


def draw_piece(store: MapStore, sampling: SamplingConfig, seed: int) -> slice | None:
    """Draw a piece of the windows of a batch, in steps of the map, from the shortest length to all; None for all."""
    if not sampling.shortest_window:
        return None
    steps = store.arrays["quarter"].shape[-1]
    generator = np.random.default_rng(seed)
    longest = min(steps, round(sampling.window * STEPS_PER_SECOND))
    length = int(generator.integers(round(sampling.shortest_window * STEPS_PER_SECOND), longest + 1))
    first = int(generator.integers(steps - length + 1))
    return slice(first, first + length)
