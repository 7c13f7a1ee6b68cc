"""Training examples: pair i is a pure function of (tracks, seed, i), computed once and kept as features on disk."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from cocola_metric.audio import SAMPLE_RATE
from cocola_metric.errors import AudioError
from cocola_metric.features import FRONT_ENDS

from .corpora import Stem, Track
from .sampling import audible, draw_subsets, mix_at_level, overlap_ratio

LEVEL_RANGE_DBFS = (-32.0, -12.0)
MAX_DRAWS = 50


@dataclass(frozen=True)
class Pair:
    """Two coherent sub-mixes of one window, and where they come from."""

    track: int
    start: float
    waveforms: NDArray[np.float32]  # (2, L)


def draw_pair(
    tracks: list[Track], index: int, *, seed: int, window: float, noise: float, rng: np.random.Generator | None = None
) -> Pair:
    """Draw a track, a window in which two stems sound, and two disjoint sub-mixes of it (section 3.1).

    Both sub-mixes get a level of their own between -32 and -12 dBFS and Gaussian noise of ``noise`` (section 4.3).
    """
    rng = rng or np.random.default_rng([seed, index])
    for _ in range(MAX_DRAWS):
        number = int(rng.integers(len(tracks)))
        track = tracks[number]
        start = round(float(rng.uniform(0.0, max(0.0, track.seconds - window))), 2)
        stems = read_window(track, start, window)
        sounding = np.flatnonzero(audible(stems)).tolist()
        if len(sounding) < 2:
            continue
        submixes = [
            mix_at_level(stems[subset], float(rng.uniform(*LEVEL_RANGE_DBFS))) for subset in draw_subsets(sounding, rng)
        ]
        waveforms = np.stack(submixes) + rng.normal(0.0, noise, (2, stems.shape[1]))
        return Pair(number, start, waveforms.astype(np.float32))
    raise AudioError(f"no window with two sounding stems in {MAX_DRAWS} draws: is the corpus silent?")


def read_window(track: Track, start: float, window: float) -> NDArray[np.float32]:
    """Read one window of every stem of a 16 kHz track, mono; past the end of a stem there is silence.

    Shape:
        -> (N, L).
    """
    return np.stack([_read_stem(stem, round(start * SAMPLE_RATE), round(window * SAMPLE_RATE)) for stem in track.stems])


def _read_stem(stem: Stem, first: int, length: int) -> NDArray[np.float32]:
    mixed = np.zeros(length, np.float32)
    for file in stem.files:
        with soundfile.SoundFile(file) as audio:
            if audio.samplerate != SAMPLE_RATE:
                raise AudioError(f"{file} is at {audio.samplerate} Hz: training reads audio at {SAMPLE_RATE} Hz")
            if first < audio.frames:
                audio.seek(first)
                samples = audio.read(min(length, audio.frames - first), dtype="float32", always_2d=True).mean(axis=1)
                mixed[: len(samples)] += samples
    return mixed


class PairFeatures(Dataset[tuple[Tensor, int, float]]):
    """Features of ``count`` drawn pairs, float16, (2, C, M, F) each, with the pair's track number and start."""

    def __init__(
        self, tracks: list[Track], count: int, *, front_end: str, seed: int, window: float, noise: float
    ) -> None:
        self.tracks, self.count, self.seed, self.window, self.noise = tracks, count, seed, window, noise
        self.front_end = FRONT_ENDS[front_end]()

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[Tensor, int, float]:
        pair = draw_pair(self.tracks, index, seed=self.seed, window=self.window, noise=self.noise)
        with torch.inference_mode():
            features: Tensor = self.front_end(torch.from_numpy(pair.waveforms))
        return features.half(), pair.track, pair.start


class PairStore:
    """The features of many pairs in one file, filled once and read in random order."""

    def __init__(self, folder: Path, dataset: PairFeatures, *, workers: int) -> None:
        """Open the store in ``folder``, computing whatever the last run did not get to."""
        folder.mkdir(parents=True, exist_ok=True)
        example, _, _ = dataset[0]
        shape = (len(dataset), *example.shape)
        path = folder / "features.npy"
        mode = "r+" if path.exists() else "w+"
        self.features = np.lib.format.open_memmap(path, mode=mode, dtype=np.float16, shape=shape)
        origins = folder / "origins.npy"  # track number and start of each pair; NaN: not computed yet
        if not origins.exists():
            np.save(origins, np.full((len(dataset), 2), np.nan))
        self.origins = np.load(origins, mmap_mode="r+")
        self._fill(dataset, workers)

    def _fill(self, dataset: PairFeatures, workers: int) -> None:
        missing = np.flatnonzero(np.isnan(self.origins[:, 0])).tolist()
        if not missing:
            return
        loader = DataLoader(
            torch.utils.data.Subset(dataset, missing),
            batch_size=None,
            num_workers=workers,
            prefetch_factor=8 if workers else None,
        )
        for index, (features, track, start) in zip(missing, tqdm(loader, desc="pairs", unit="pair"), strict=True):
            self.features[index] = features.numpy()
            self.origins[index] = track, start

    def batches(self, size: int, *, window: float, max_overlap: float, seed: int) -> Iterator[NDArray[np.intp]]:
        """Yield index batches for ever, every pair once a round, none with two windows that overlap too much.

        Args:
            size: K, pairs per batch.
            window: window length in seconds.
            max_overlap: r of section 3.1, the largest overlap of two windows of one track within a batch.
            seed: of the order.
        """
        rng = np.random.default_rng(seed)
        waiting: list[int] = []
        while True:
            waiting += rng.permutation(len(self.origins)).tolist()
            while len(waiting) >= 2 * size:
                batch: list[int] = []
                passed_over: list[int] = []
                while len(batch) < size and waiting:
                    index = waiting.pop()
                    clash = any(self._overlap(index, other, window) > max_overlap for other in batch)
                    (passed_over if clash else batch).append(index)
                waiting += passed_over
                yield np.asarray(batch)

    def _overlap(self, first: int, second: int, window: float) -> float:
        (first_track, first_start), (second_track, second_start) = self.origins[first], self.origins[second]
        return overlap_ratio(first_start, second_start, window) if first_track == second_track else 0.0
