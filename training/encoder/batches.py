"""Drawing training batches (section 3.1): batch i is a pure function of (tracks, settings, seed, i)."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from cocola_metric.audio import SAMPLE_RATE
from cocola_metric.encoder import MODES
from cocola_metric.errors import AudioError

from ..corpora import NO_STEM, BankTrack
from ..signal import SOUNDING_POWER, draw_subsets, overlap_ratio
from .config import ALTERATIONS, SamplingConfig

LEVEL_RANGE_DBFS = (-32.0, -12.0)
EQUALISER_BELLS = 4
CUTOFF_RANGE_HZ = (3000.0, 8000.0)
NO_CUTOFF_HZ = 1e6
TRANSPOSED_CUTOFF_RANGE_HZ = (4000.0, 6500.0)  # below what any transposition leaves empty
LARGEST_STRETCH = 0.08
MARGIN = 1 + LARGEST_STRETCH / 2  # how much longer than a window the music must go on
GRID = SAMPLE_RATE // 100
PARTS_OF_A_BEAT = (0.25, 0.5, 1.0)
DRAWS_PER_WINDOW = 50
DRAWS_FROM_TRACK = 6
KINDS = ("none", *ALTERATIONS)


class Draw(NamedTuple):
    """All random draws of a batch of K pairs.

    Attributes:
        tracks: number of each pair's track, (K,).
        starts: first sample of each window within its track, (K,).
        offsets: places in the bank of the stems of conditioning, accompaniment and wrong accompaniment, (K, 3, S).
        levels: levels of conditioning and accompaniment, in dBFS, (K, 2).
        modes: index into ``MODES`` of the part of the sound that each pair is encoded in, (K,).
        alteration: index into ``KINDS`` of the alteration that makes accompaniments wrong; 0 for none.
        versions: semitones or tempo factors of the two versions of an altered batch, (2,).
        own_version: index of each pair's version; its wrong accompaniment is in the other one, (K,).
        bells: coefficients of the equalisers, (K, 2, 2, J).
        cutoffs: cutoff frequencies of the low-passes, in Hz, (K, 2).
        noises: standard deviations of the Gaussian noise, (K, 2).
        noise_seed: seed of the Gaussian noise.
        length: length of a window, L, in samples.
    """

    tracks: Tensor
    starts: Tensor
    offsets: Tensor
    levels: Tensor
    modes: Tensor
    alteration: int
    versions: Tensor
    own_version: Tensor
    bells: Tensor
    cutoffs: Tensor
    noises: Tensor
    noise_seed: int
    length: int

    def part(self, rows: slice) -> "Draw":
        """Return some of the pairs; their noise has a seed of its own."""
        of_pairs = ("tracks", "starts", "offsets", "levels", "modes", "own_version", "bells", "cutoffs", "noises")
        rows_only = {name: getattr(self, name)[rows] for name in of_pairs}
        return self._replace(**rows_only, noise_seed=self.noise_seed + (rows.start or 0))


@dataclass(frozen=True)
class _Window:
    track: int
    start: int
    length: int
    sides: tuple[list[int], list[int]]


class Draws(Dataset[Draw]):
    """The draws of a run from a bank (section 3.1)."""

    def __init__(
        self,
        tracks: list[BankTrack],
        config: SamplingConfig,
        *,
        steps: int,
        seed: int,
        split: str = "train",
        size_setting: str = "sampling.batch_size",
    ) -> None:
        """Keep the tracks that are long enough.

        Args:
            tracks: tracks of a bank.
            config: settings of drawing batches.
            steps: number of batches.
            seed: seed of all draws.
            split: name of the tracks' split, for messages.
            size_setting: name of the setting of the batch size, for messages.

        Raises:
            AudioError: no track is long enough.
        """
        self.config, self.steps, self.seed = config, steps, seed
        self.split, self.size_setting = split, size_setting
        self.length = round(config.window * SAMPLE_RATE)
        self.reach = int(self.length * MARGIN * config.fastest) + 1
        self.tracks = [track for track in tracks if track.length >= self.reach and len(track.powers) > 1]
        if not self.tracks:
            raise AudioError(
                f"{split}: none of {len(tracks)} tracks has two stems and lasts {self.reach / SAMPLE_RATE:.1f} s; give "
                "longer tracks, or a shorter sampling.window"
            )

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> Draw:
        config, size = self.config, self.config.batch_size
        rng = np.random.default_rng([self.seed, step])
        length = self._draw_length(rng)
        windows = self._draw_windows(length, rng)
        alteration = int(rng.choice(len(KINDS), p=_alteration_shares(config)))
        versions = self._draw_versions(KINDS[alteration], rng)
        cutoffs = np.where(
            rng.random((size, 2)) < config.low_pass, rng.uniform(*CUTOFF_RANGE_HZ, (size, 2)), NO_CUTOFF_HZ
        )
        if KINDS[alteration] == "transpose":
            cutoffs[:] = rng.uniform(*TRANSPOSED_CUTOFF_RANGE_HZ, (size, 1))
        bells = np.stack(
            [
                rng.normal(0, config.equaliser_db, (size, 2, EQUALISER_BELLS)) / np.arange(1, EQUALISER_BELLS + 1),
                rng.uniform(0, 2 * np.pi, (size, 2, EQUALISER_BELLS)),
            ],
            axis=2,
        )
        return Draw(
            tracks=torch.tensor([window.track for window in windows]),
            starts=torch.tensor([window.start for window in windows]),
            offsets=self._place(windows, KINDS[alteration], rng),
            levels=torch.from_numpy(rng.uniform(*LEVEL_RANGE_DBFS, (size, 2))).float(),
            modes=torch.from_numpy(
                rng.choice(len(MODES), size, p=np.divide(config.mode_shares, sum(config.mode_shares)))
            ),
            alteration=alteration,
            versions=versions,
            own_version=torch.from_numpy(rng.integers(2, size=size)),
            bells=torch.from_numpy(bells).float(),
            cutoffs=torch.from_numpy(cutoffs).float(),
            noise_seed=int(rng.integers(2**62)),
            noises=torch.from_numpy(self._draw_noises(rng)).float(),
            length=length,
        )

    def _draw_length(self, rng: np.random.Generator) -> int:
        """Draw the length of the windows of a batch, in samples."""
        shortest = self.config.shortest_window
        return round(rng.uniform(shortest, self.config.window) * SAMPLE_RATE) if shortest else self.length

    def _draw_windows(self, length: int, rng: np.random.Generator) -> list[_Window]:
        windows: list[_Window] = []
        partitions: dict[int, tuple[list[int], list[int]]] = {}
        for _ in range(DRAWS_PER_WINDOW * self.config.batch_size):
            number, before = int(rng.integers(len(self.tracks))), len(windows)
            for _ in range(DRAWS_FROM_TRACK * self.config.windows_per_track):
                if len(windows) == self.config.batch_size:
                    return windows
                if len(windows) - before == self.config.windows_per_track:
                    break
                if window := self._draw_window(number, length, windows, partitions, rng):
                    windows.append(window)
        raise self._too_few(len(windows))

    def _too_few(self, found: int) -> AudioError:
        config = self.config
        sound = "" if config.silent_stems else ", in which two stems sound"
        return AudioError(
            f"{self.split}: {found} of the {config.batch_size} windows of a batch were found in {len(self.tracks)} "
            f"tracks: windows of {config.window:g} s{sound} and of which no two of one track overlap by more than "
            f"{config.max_overlap:.0%}. Give more or longer tracks to {self.split}, or set {self.size_setting} to "
            f"{max(2, found)} or less"
        )

    def _draw_window(
        self,
        number: int,
        length: int,
        taken: list[_Window],
        partitions: dict[int, tuple[list[int], list[int]]],
        rng: np.random.Generator,
    ) -> _Window | None:
        track, config = self.tracks[number], self.config
        start = int(rng.integers((track.length - self.reach) // GRID + 1)) * GRID
        if any(
            other.track == number
            and overlap_ratio(start / SAMPLE_RATE, other.start / SAMPLE_RATE, config.window) > config.max_overlap
            for other in taken
        ):
            return None
        sounding = track.power(start, length) > (-1.0 if config.silent_stems else SOUNDING_POWER)
        if config.partition == "track":
            if number not in partitions:
                partitions[number] = draw_subsets(range(len(track.powers)), rng, law=config.subset_law)
            first, second = partitions[number]
            sides = [stem for stem in first if sounding[stem]], [stem for stem in second if sounding[stem]]
            return _Window(number, start, length, sides) if all(sides) else None
        if sounding.sum() < 2:
            return None
        sides = draw_subsets(np.flatnonzero(sounding).tolist(), rng, law=config.subset_law)
        return _Window(number, start, length, sides)

    def _draw_versions(self, alteration: str, rng: np.random.Generator) -> Tensor:
        """Draw two versions whose difference the settings allow, both equally far from the music as it is."""
        if alteration == "transpose":
            semitones = int(rng.integers(1, self.config.largest_transposition + 1))
            return torch.tensor([semitones / 2, -semitones / 2])
        if alteration == "stretch":
            difference = rng.uniform(self.config.smallest_stretch, LARGEST_STRETCH)
            return torch.tensor([1 + difference / 2, 1 - difference / 2])
        return torch.zeros(2)

    def _draw_noises(self, rng: np.random.Generator) -> NDArray[np.float64]:
        config, shape = self.config, (self.config.batch_size, 2)
        noises = np.full(shape, config.noise)
        if config.loudest_noise > config.noise:
            noises = np.exp(rng.uniform(np.log(config.noise), np.log(config.loudest_noise), shape))
        if config.noisy_sides == "accompaniment":
            noises[:, 0] = 0.0
        return noises

    def _place(self, windows: list[_Window], alteration: str, rng: np.random.Generator) -> Tensor:
        most = max(len(side) for window in windows for side in window.sides)
        offsets = np.full((len(windows), 3, most), NO_STEM, np.int64)
        for row, window in zip(offsets, windows, strict=True):
            stems = self.tracks[window.track].offsets(window.start)
            for side, heard in enumerate(window.sides):
                row[side, : len(heard)] = stems[heard]
            heard = window.sides[1]
            if alteration == "shift":
                shift = self._draw_shift(window, rng)
                if shift:
                    row[2, : len(heard)] = stems[heard] + shift
            elif alteration != "none":
                row[2] = row[1]
        return torch.from_numpy(offsets)

    def _draw_shift(self, window: _Window, rng: np.random.Generator) -> int:
        """Draw the delay of the wrong accompaniment in samples, negative if early; 0 if neither place has sound."""
        track, stems = self.tracks[window.track], window.sides[1]
        if rng.random() < self.config.shifts_on_beat:
            seconds = track.beat * rng.choice(PARTS_OF_A_BEAT)
        else:
            seconds = rng.uniform(self.config.smallest_shift, self.config.largest_shift)
        shift = round(seconds * SAMPLE_RATE)
        for candidate in rng.permutation([shift, -shift]).tolist():
            start = window.start + candidate
            inside = 0 <= start <= track.length - self.reach
            if inside and track.power(start, window.length)[stems].max() > SOUNDING_POWER:
                return int(candidate)
        return 0


def _alteration_shares(config: SamplingConfig) -> NDArray[np.float64]:
    wrong = np.asarray([config.alterations.get(kind, 0.0) for kind in ALTERATIONS])
    return np.concatenate([[1 - wrong.sum()], wrong])
