"""Sub-mixes and their tags, as GMSDI is trained on them; batch i is a pure function of tracks, settings, seed and i."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from ..corpora import NO_STEM
from ..msdm import DRAWS_PER_WINDOW, StemTrack, WindowPlaces
from ..signal import SOUNDING_POWER


def measure_powers(tracks: Sequence[StemTrack], tags: int) -> tuple[float, ...]:
    """Return the mean square of each instrument over the tenths of a second in which it sounds.

    Args:
        tracks: tracks of one bank.
        tags: number of tags of the model. One that never sounds gets the mean of the others.
    """
    sums, counts = np.zeros(tags), np.zeros(tags)
    for track in tracks:
        for channel, powers in zip(track.channels, track.place.powers, strict=True):
            sounding = powers[powers > SOUNDING_POWER]
            sums[channel] += sounding.sum(dtype=np.float64)
            counts[channel] += len(sounding)
    heard = counts > 0
    means = np.full(tags, sums.sum() / max(counts.sum(), 1))
    means[heard] = sums[heard] / counts[heard]
    return tuple(float(f"{mean:.3g}") for mean in means)


class Submixes(NamedTuple):
    """A batch of sub-mixes.

    Attributes:
        offsets: places in the bank of the stems of each sub-mix, (B, S), on the host.
        words: tags of each, as 0 and 1, (B, V); zeros where they are left out.
    """

    offsets: Tensor
    words: Tensor

    def part(self, rows: slice) -> "Submixes":
        """Return some of the sub-mixes."""
        return Submixes(self.offsets[rows], self.words[rows])


class SubmixDraws(Dataset[Submixes]):
    """Batches of sub-mixes of random instruments.

    The probability of a track is proportional to the number of its windows. Of the instruments that sound in a window,
    a number is drawn, and then which: a single instrument is as likely as all of them. Only the sum and its tags leave
    the bank.
    """

    def __init__(
        self,
        tracks: Sequence[StemTrack],
        tags: int,
        length: int,
        *,
        batch_size: int,
        steps: int,
        untagged: float,
        seed: int,
    ) -> None:
        """Keep the tracks that are long enough.

        Args:
            tracks: tracks of one bank.
            tags: number of tags of the model.
            length: length of a window, in samples of the bank.
            batch_size: number of windows per batch.
            steps: number of batches.
            untagged: share of the windows whose tags are left out.
            seed: seed of the draws.

        Raises:
            AudioError: no track is long enough.
        """
        self.places, self.tags, self.untagged = WindowPlaces(tracks, length, "the model's tags"), tags, untagged
        self.batch_size, self.steps, self.seed = batch_size, steps, seed
        self.most = max(len(track.channels) for track in self.places.tracks)

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> Submixes:
        rng = np.random.default_rng([self.seed, step])
        drawn = [self._draw_window(rng) for _ in range(self.batch_size)]
        places, words = (np.stack(parts) for parts in zip(*drawn, strict=True))
        return Submixes(torch.from_numpy(places), torch.from_numpy(words))

    def _draw_window(self, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Draw the places of the stems of a sub-mix, (S,), and its tags, (V,)."""
        for _ in range(DRAWS_PER_WINDOW):
            track, start = self.places.draw(rng)
            channels = np.asarray(track.channels)
            sounding = np.unique(channels[track.place.power(start, self.places.length) > SOUNDING_POWER])
            if len(sounding):
                break
        chosen = rng.permutation(sounding)[: rng.integers(1, len(sounding) + 1)] if len(sounding) else sounding
        places, words = np.full(self.most, NO_STEM, np.int64), np.zeros(self.tags, np.float32)
        heard = track.place.offsets(start)[np.isin(channels, chosen)]
        places[: len(heard)] = heard
        if rng.random() >= self.untagged:
            words[chosen] = 1
        return places, words
