"""Windows of separate stems for MSDM: the choice of stems from a corpus, random windows, and their resampling."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad
from torch.utils.data import Dataset

from cocola_metric.audio import SAMPLE_RATE, resample_between
from cocola_metric.errors import AudioError

from ..corpora import NO_STEM, BankTrack, StemBank, Track, corpora_with, instrument_of, open_banks, open_corpora
from ..signal import SOUNDING_POWER

FEWEST_SOUNDING = 2
DRAWS_PER_WINDOW = 50
KERNEL_WIDTH = 6 / 0.99
"""Samples of the lower rate that the resampler reads to either side."""


@dataclass(frozen=True)
class StemTrack:
    """A track of the bank, and the stem of MSDM that each of its rows belongs to; several rows of one stem are summed.

    Attributes:
        place: place of the rows in the bank.
        channels: index of each row's stem among MSDM's.
    """

    place: BankTrack
    channels: tuple[int, ...]


def channels_of(track: Track, instruments: Sequence[str]) -> dict[int, int]:
    """Return the stems of a track that MSDM has: {number of the stem: number of its instrument}."""
    named = {number: instrument_of(stem) for number, stem in enumerate(track.stems)}
    return {number: instruments.index(name) for number, name in named.items() if name in instruments}


def open_stems(
    specs: Sequence[str],
    split: str,
    cache: Path,
    instruments: Sequence[str],
    *,
    workers: int,
    device: str | torch.device,
) -> tuple[StemBank, list[StemTrack]]:
    """Load MSDM's stems onto a device, from all tracks that have at least two of its instruments.

    Args:
        specs: corpora, as for ``corpora.open_corpora``.
        split: name of the split: train, validation or test.
        cache: folder of the decoded corpora, from ``bank.open_banks``.
        instruments: instruments of MSDM's stems.
        workers: number of processes that decode.
        device: device of the bank.

    Raises:
        AudioError: no track has two of the instruments.
    """
    chosen: list[tuple[StemBank, BankTrack, dict[int, int]]] = []
    seen = 0
    for spec in corpora_with(specs, split):
        (bank,) = open_banks([spec], split, cache, workers=workers)
        indexed = {track.name: track for track in open_corpora([spec], split)}
        for place in bank.tracks:
            track = indexed.get(place.name)
            if track is None or len(track.stems) != len(place.powers):
                raise AudioError(f"{cache}: {place.name} of {spec} has changed since it was decoded; delete the cache")
            seen += 1
            channels = channels_of(track, instruments)
            if len(set(channels.values())) >= FEWEST_SOUNDING:
                chosen.append((bank, place, channels))
    if not chosen:
        raise AudioError(
            f"none of {seen} tracks in {', '.join(specs)} has two stems of {', '.join(instruments)}; give another "
            "corpus, or other stems in the configuration"
        )
    samples = torch.empty(sum(place.length * len(rows) for _, place, rows in chosen), dtype=torch.int16, device=device)
    first, tracks = 0, []
    for bank, place, rows in chosen:
        kept = replace(place, first=first, powers=place.powers[list(rows)])
        for row in rows:
            begin = place.first + row * place.length
            samples[first : first + place.length] = bank.arrays[0][begin : begin + place.length]
            first += place.length
        tracks.append(StemTrack(kept, tuple(rows.values())))
    return StemBank([samples], tracks=[track.place for track in tracks]), tracks


class WindowPlaces:
    """The windows of tracks; the probability of a track is proportional to the number of its windows.

    Attributes:
        tracks: tracks that are long enough.
        length: length of a window, in samples of the bank.
    """

    def __init__(self, tracks: Sequence[StemTrack], length: int, parts: str) -> None:
        """Keep the tracks that are long enough.

        Args:
            tracks: tracks of one bank.
            length: length of a window, in samples of the bank.
            parts: name of what the model knows of a track, for messages.

        Raises:
            AudioError: no track is long enough.
        """
        self.tracks, self.length = [track for track in tracks if track.place.length >= length], length
        if not self.tracks:
            raise AudioError(
                f"no track with two of {parts} lasts {length / SAMPLE_RATE:.1f} s; give longer tracks, or a "
                "shorter length in the configuration"
            )
        starts = np.asarray([track.place.length - length + 1 for track in self.tracks], np.float64)
        self._cumulated = np.cumsum(starts) / starts.sum()

    def draw(self, rng: np.random.Generator) -> tuple[StemTrack, int]:
        """Draw a track, and the first sample of a window of it."""
        number = min(int(np.searchsorted(self._cumulated, rng.random(), "right")), len(self.tracks) - 1)
        track = self.tracks[number]
        return track, int(rng.integers(track.place.length - self.length + 1))


class StemDraws(Dataset[Tensor]):
    """Batches of windows; batch i is a pure function of tracks, settings, seed and i.

    The probability of a track is proportional to its length. All windows in which at least two instruments sound are
    equally likely.
    """

    def __init__(
        self, tracks: Sequence[StemTrack], instruments: int, length: int, *, batch_size: int, steps: int, seed: int
    ) -> None:
        """Keep the tracks that are long enough.

        Args:
            tracks: tracks of one bank.
            instruments: number of stems of MSDM.
            length: length of a window, in samples of the bank.
            batch_size: number of windows per batch.
            steps: number of batches.
            seed: seed of the draws.

        Raises:
            AudioError: no track is long enough.
        """
        self.places, self.instruments = WindowPlaces(tracks, length, "MSDM's stems"), instruments
        self.batch_size, self.steps, self.seed = batch_size, steps, seed
        self.most = max(max(np.bincount(track.channels)) for track in self.places.tracks)

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> Tensor:
        """Return the places of the windows in the bank: (B, N, S), as for `StemBank.gather`."""
        rng = np.random.default_rng([self.seed, step])
        return torch.from_numpy(np.stack([self._draw_window(rng) for _ in range(self.batch_size)]))

    def _draw_window(self, rng: np.random.Generator) -> NDArray[np.int64]:
        for _ in range(DRAWS_PER_WINDOW):
            track, start = self.places.draw(rng)
            sounding = track.place.power(start, self.places.length) > SOUNDING_POWER
            if len(set(np.asarray(track.channels)[sounding].tolist())) >= FEWEST_SOUNDING:
                break
        offsets = np.full((self.instruments, self.most), NO_STEM, np.int64)
        used = [0] * self.instruments
        for channel, place in zip(track.channels, track.place.offsets(start), strict=True):
            offsets[channel, used[channel]] = place
            used[channel] += 1
        return offsets


class Resampler:
    """Resampler from the bank's rate to MSDM's, on any device; its kernel is that of the metric.

    Attributes:
        length: number of samples that come out.
        width: number of samples of music before the first one that comes out.
        reach: number of samples that go in: more than the window lasts, because its edges depend on the music around
            it.
    """

    def __init__(self, sample_rate: int, length: int) -> None:
        divisor = math.gcd(SAMPLE_RATE, sample_rate)
        self.orig, self.new, self.length = SAMPLE_RATE // divisor, sample_rate // divisor, length
        self.width = math.ceil(KERNEL_WIDTH * self.orig / min(self.orig, self.new))
        frames = -(-length // self.new)
        self.reach = length if self.orig == self.new else frames * self.orig + 2 * self.width

    def __call__(self, windows: Tensor) -> Tensor:
        """Resample windows, whose first ``width`` samples lie before the output: (..., reach) -> (..., L)."""
        if self.orig == self.new:
            return windows
        ahead = -self.width % self.orig  # so that a sample comes out where the window begins
        first = (ahead + self.width) // self.orig * self.new
        resampled: Tensor = resample_between(pad(windows, (ahead, 0)), self.orig, self.new)
        return resampled[..., first : first + self.length]
