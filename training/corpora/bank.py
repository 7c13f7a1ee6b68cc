"""All stems of a training corpus as one array of 16-bit samples, from which windows are gathered in batches."""

import json
import logging
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock, Timeout
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from cocola_metric.audio import SAMPLE_RATE, mix_stems, read_audio
from cocola_metric.errors import AudioError, UsageError
from cocola_metric.json_files import read_json
from cocola_metric.whole_files import make_folder, write_text_whole, written_whole

from ..signal import beat_period
from .identity import cache_name
from .registry import Track, corpora_with, open_corpora

logger = logging.getLogger(__name__)

BLOCK = SAMPLE_RATE // 10  # loudness is known per tenth of a second; every stem fills whole blocks
FULL_SCALE = 2**15
SAMPLES, LEVELS, TRACKS, LOCK = "samples.npy", "levels.npy", "bank.json", "bank.lock"
NO_STEM = -1


@dataclass(frozen=True)
class BankTrack:
    """The place of a track's stems in the bank, one after the other, all of one length.

    Attributes:
        name: name of the track.
        first: first sample of the first stem, counted through the bank.
        length: length of every stem, in samples.
        powers: mean square of every block, full scale 1, (N, length / BLOCK).
        beat: period of the beat in seconds, from `cues.beat_period` of the full mix.
    """

    name: str
    first: int
    length: int
    powers: NDArray[np.float32]
    beat: float

    def offsets(self, start: int) -> NDArray[np.int64]:
        """Return where each stem's sample ``start`` is in the bank: (N,)."""
        return self.first + start + self.length * np.arange(len(self.powers))

    def power(self, start: int, length: int) -> NDArray[np.float32]:
        """Return the mean square of each stem over the blocks that a window touches: (N,)."""
        mean: NDArray[np.float32] = self.powers[:, start // BLOCK : -(-(start + length) // BLOCK)].mean(axis=1)
        return mean


class StemBank:
    """A corpus in a few arrays: in the memory of a GPU if there is one, else mapped from files.

    Attributes:
        arrays: samples of all stems of all tracks, int16, (n,) each; places are counted through all arrays.
        tracks: places of the tracks.
    """

    def __init__(self, arrays: Sequence[Tensor], tracks: Sequence[BankTrack]) -> None:
        self.arrays, self.tracks = list(arrays), list(tracks)
        self._firsts = np.asarray([track.first for track in self.tracks])

    @property
    def device(self) -> torch.device:
        """Device of the samples."""
        return self.arrays[0].device

    @classmethod
    def join(cls, banks: Sequence["StemBank"], device: str | torch.device) -> "StemBank":
        """Return one bank on a device that holds the tracks of several."""
        arrays = [samples.to(device) for bank in banks for samples in bank.arrays]
        before = [0, *np.cumsum([sum(map(len, bank.arrays)) for bank in banks]).tolist()]
        tracks = [
            replace(track, first=track.first + size)
            for size, bank in zip(before, banks, strict=False)
            for track in bank.tracks
        ]
        return cls(arrays, tracks)

    def track_at(self, place: int) -> NDArray[np.int64]:
        """Return where the stems of a track are in the bank at the time of one of their samples: (N,)."""
        track = self.tracks[int(np.searchsorted(self._firsts, place, side="right")) - 1]
        return track.offsets((place - track.first) % track.length)

    def gather(self, offsets: Tensor, length: int) -> Tensor:
        """Sum stems to sub-mixes (Eq. 1).

        Args:
            offsets: place in the bank of each stem's window, on the host; ``NO_STEM`` fills up rows of fewer stems.
            length: length of the windows, in samples.

        Shape:
            (..., S) -> (..., length), float32.
        """
        mixed = torch.zeros(*offsets.shape[:-1], length, device=self.device)
        rows = mixed.view(-1, length)
        first = 0
        for samples in self.arrays:
            windows = samples.as_strided((len(samples) - length + 1, length), (1, 1))
            places = offsets.reshape(-1, offsets.shape[-1]) - first
            for place in places.unbind(-1):
                present = ((place >= 0) & (place < len(samples))).nonzero()[:, 0]
                if len(present):
                    heard = windows[place[present].to(self.device)].float() / FULL_SCALE
                    rows.index_add_(0, present.to(self.device), heard)
            first += len(samples)
        return mixed


def open_banks(specs: Sequence[str], split: str, cache: Path, *, workers: int) -> list[StemBank]:
    """Map the bank of a split of each corpus, under ``cache``; the corpora are as for `open_corpora`.

    A corpus that has changed, or another one of the same name, has a bank of its own (`identity.cache_name`). Those
    without the split are left out (`corpora_with`).
    """
    banks = []
    for spec in corpora_with(specs, split):
        banks.append(open_bank(cache / cache_name(spec) / split, partial(open_corpora, [spec], split), workers=workers))
    return banks


def open_bank(folder: Path, find_tracks: Callable[[], Sequence[Track]], *, workers: int) -> StemBank:
    """Map the bank in ``folder``. If there is none, decode the tracks into it; of several runs only one does."""
    if not (folder / TRACKS).exists():
        make_folder(folder)
        with _turn(folder):
            if not (folder / TRACKS).exists():
                build_bank(folder, find_tracks(), workers=workers)
    samples = np.load(folder / SAMPLES, mmap_mode="c")  # copy on write: torch wants arrays that can be written
    levels = np.load(folder / LEVELS)
    places = []
    for name, first, length, stems, beat in _read_places(folder / TRACKS):
        powers = levels[first // BLOCK : (first + stems * length) // BLOCK].reshape(stems, -1)
        places.append(BankTrack(name, first, length, powers, beat))
    return StemBank([torch.from_numpy(samples)], places)


def build_bank(folder: Path, tracks: Sequence[Track], *, workers: int) -> None:
    """Decode every stem to 16 kHz mono and write the bank; a damaged track is named and left out.

    Raises:
        AudioError: no track could be read.
    """
    make_folder(folder)
    lengths = [max(1, math.ceil(track.seconds * SAMPLE_RATE / BLOCK)) * BLOCK for track in tracks]
    total = sum(length * len(track.stems) for length, track in zip(lengths, tracks, strict=True))
    samples = np.lib.format.open_memmap(folder / SAMPLES, mode="w+", dtype=np.int16, shape=(total,))
    levels = np.zeros(total // BLOCK, np.float32)
    decoded = DataLoader(_Decoder(tracks, lengths), batch_size=None, num_workers=workers)
    places: list[tuple[str, int, int, int, float]] = []
    first, damaged = 0, 0
    description = f"reading {folder.parent.name}/{folder.name}"
    for stems, beat, problem in tqdm(decoded, desc=description, unit="track", disable=None):
        if problem:
            logger.warning("left out: %s", problem)
            damaged += 1
            continue
        count, length = stems.shape
        end = first + count * length
        samples[first:end] = stems.numpy().ravel()
        blocks = (samples[first:end].astype(np.float32) / FULL_SCALE).reshape(-1, BLOCK)
        levels[first // BLOCK : end // BLOCK] = np.square(blocks).mean(axis=1)
        places.append((tracks[len(places) + damaged].name, first, length, count, beat))
        first = end
    if not places:
        raise AudioError(
            f"{folder}: none of {len(tracks)} tracks could be read; the messages above say why; replace the files"
        )
    if damaged:
        logger.warning("%d of %d tracks left out", damaged, len(tracks))
    samples.flush()
    with written_whole(folder / LEVELS) as unfinished, unfinished.open("wb") as file:
        np.save(file, levels)
    write_text_whole(folder / TRACKS, json.dumps(places))  # last: a folder with it is whole


def _read_places(file: Path) -> list[tuple[str, int, int, int, float]]:
    """Read the places of the tracks of a bank.

    Raises:
        UsageError: the file is damaged.
    """
    remedy = f"delete {file.parent}, and the corpus is decoded again"
    places = read_json(file, kind=list, most_bytes=2**28, remedy=remedy)
    if not all(isinstance(place, list) and len(place) == 5 for place in places):
        raise UsageError(f"{file}: damaged; {remedy}")
    return [
        (str(name), int(first), int(length), int(stems), float(beat)) for name, first, length, stems, beat in places
    ]


@contextmanager
def _turn(folder: Path) -> Iterator[None]:
    """Keep other runs from writing into a folder; wait, with a message, for a run that is writing."""
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        logger.warning("%s: waiting for another run that decodes this corpus", folder)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


class _Decoder(Dataset[tuple[Tensor, float, str]]):
    """The stems of a track as int16 samples (N, L) and its beat period in seconds, or a text that says what failed."""

    def __init__(self, tracks: Sequence[Track], lengths: Sequence[int]) -> None:
        self.tracks, self.lengths = tracks, lengths

    def __len__(self) -> int:
        return len(self.tracks)

    def __getitem__(self, index: int) -> tuple[Tensor, float, str]:
        track, length = self.tracks[index], self.lengths[index]
        stems = torch.zeros(len(track.stems), length, dtype=torch.int16)
        try:
            for row, stem in zip(stems, track.stems, strict=True):
                mixed = torch.from_numpy(mix_stems([read_audio(file) for file in stem.files])[:length])
                row[: len(mixed)] = (mixed * FULL_SCALE).round().clamp(-FULL_SCALE, FULL_SCALE - 1).to(torch.int16)
        except AudioError as error:
            return stems[:0], 0.0, f"{track.name}: {error}"
        return stems, beat_period(stems.sum(0, dtype=torch.float32) / FULL_SCALE), ""
