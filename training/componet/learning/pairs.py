"""Pairs of sub-mixes that CompoNet is trained on (section 3.3): draw i is a function of (tracks, settings, seed, i)."""

import json
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from cocola_metric.audio import SAMPLE_RATE
from cocola_metric.errors import AudioError, OutputError, UsageError
from cocola_metric.json_files import read_json
from cocola_metric.whole_files import write_text_whole

from ...corpora import (
    NO_STEM,
    BankTrack,
    StemBank,
    cache_name,
    corpora_with,
    open_banks,
    open_corpora,
    stem_tags,
    tag_word,
)
from ...paper import Task, task_of
from ...signal import SOUNDING_POWER
from ...signal import draw_subsets as draw_disjoint_subsets
from ..prompts import prompt

Law = Literal["paper", "code"]
LAWS: tuple[Law, ...] = get_args(Law)
GRID = SAMPLE_RATE // 100
DRAWS_PER_PAIR = 50
STEMS_FILE, GENRES_FILE = "stems.json", "genres.json"


@dataclass(frozen=True)
class PairConfig:
    """The settings of drawing pairs (Y, X); the defaults are the paper's.

    Attributes:
        window: length of a window, in seconds.
        batch_size: number of pairs per batch, over all processes; the default is the paper's for MUSDB18-HQ (Slakh2100:
            5).
        law: rule of drawing: "paper", any Y and any non-empty X; "code", as released: Y is never empty, so
            unconditional generation is not trained.
        accompaniment: share of pairs that are drawn like the queries of section 5.2: Y and X disjoint, neither empty.
        most_stems: largest number of sounding stems of a window; further ones are left out.
    """

    window: float = 10.24
    batch_size: int = 2
    law: Law = "paper"
    accompaniment: float = 0.0
    most_stems: int = 10

    def __post_init__(self) -> None:
        if self.law not in LAWS:
            raise UsageError(f"law must be {' or '.join(LAWS)}; got {self.law!r}")
        if not 0 <= self.accompaniment <= 1 or self.batch_size < 1 or self.most_stems < 2 or self.window <= 0:
            raise UsageError(
                "accompaniment must be from 0 to 1, batch_size 1 or more, most_stems 2 or more, window above 0; got "
                f"{self.accompaniment:g}, {self.batch_size}, {self.most_stems} and {self.window:g}"
            )


class NamedTrack(NamedTuple):
    """A track of the bank, with the words of its prompts.

    Attributes:
        track: track of the bank.
        tags: tags of its stems ("guitar_1"), in the bank's order; stems of one tag are summed.
        genre: genre of the music; empty if the data set names none.
    """

    track: BankTrack
    tags: tuple[str, ...]
    genre: str = ""

    def rows(self) -> dict[str, list[int]]:
        """Return the numbers of the bank's stems by tag."""
        found: dict[str, list[int]] = {}
        for row, tag in enumerate(self.tags):
            found.setdefault(tag, []).append(row)
        return found


class Pairs(NamedTuple):
    """A batch of pairs.

    Attributes:
        offsets: places in the bank of the stems of Y and of X, (B, 2, S), on the host.
        prompts: prompts of Eq. 7, B of them.
        tasks: names of the tasks of Figure 3, and ID for reconstruction (X = Y).
    """

    offsets: Tensor
    prompts: list[str]
    tasks: list[str]

    def part(self, rows: slice) -> "Pairs":
        """Return some of the pairs."""
        return Pairs(self.offsets[rows], self.prompts[rows], self.tasks[rows])


class PairDraws(Dataset[Pairs]):
    """The draws of pairs of a run from a bank."""

    def __init__(self, tracks: Sequence[NamedTrack], config: PairConfig, *, steps: int, seed: int) -> None:
        """Keep the tracks that are long enough.

        Raises:
            AudioError: no track is long enough.
        """
        self.config, self.steps, self.seed = config, steps, seed
        self.length = round(config.window * SAMPLE_RATE)
        self.tracks = [one for one in tracks if one.track.length >= self.length and len(one.rows()) > 1]
        if not self.tracks:
            raise AudioError(f"no track of two stems lasts {config.window:g} s; give more music or a shorter window")
        self.width = config.most_stems + max(len(one.tags) - len(one.rows()) for one in self.tracks)

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> Pairs:
        rng = np.random.default_rng([self.seed, step])
        offsets = np.full((self.config.batch_size, 2, self.width), NO_STEM, np.int64)
        prompts, tasks = [], []
        for row in offsets:
            one, start, sounding = self._draw_window(rng)
            given, wanted = self._draw_sides(sounding, rng)
            places, tags = one.track.offsets(start), list(one.rows().items())
            for side, stems in zip(row, (given, wanted), strict=True):
                heard = [place for stem in stems for place in places[tags[stem][1]]]
                side[: len(heard)] = heard
            sides = ([tags[stem][0] for stem in side] for side in (given, wanted))
            prompts.append(prompt(*sides, genre=one.genre or None))
            tasks.append(task_of(given, wanted).name)
        return Pairs(torch.from_numpy(offsets), prompts, tasks)

    def _draw_window(self, rng: np.random.Generator) -> tuple[NamedTrack, int, list[int]]:
        """Draw a track, a window and the stems that sound in it, two or more, as numbers among the track's tags."""
        for _ in range(DRAWS_PER_PAIR):
            one = self.tracks[int(rng.integers(len(self.tracks)))]
            start = int(rng.integers((one.track.length - self.length) // GRID + 1)) * GRID
            powers = one.track.power(start, self.length)
            sounding = np.flatnonzero([powers[rows].max() > SOUNDING_POWER for rows in one.rows().values()])
            if len(sounding) >= 2:
                return one, start, rng.permutation(sounding)[: self.config.most_stems].tolist()
        raise AudioError(f"no window found in which two stems sound, in {DRAWS_PER_PAIR} draws; give more music")

    def _draw_sides(self, stems: list[int], rng: np.random.Generator) -> tuple[list[int], list[int]]:
        if rng.random() < self.config.accompaniment:
            return draw_disjoint_subsets(stems, rng)
        return draw_any_subsets(stems, rng, law=self.config.law)


def draw_any_subsets(
    stems: Sequence[int], rng: np.random.Generator, *, law: Law = "paper"
) -> tuple[list[int], list[int]]:
    """Draw Y and X independently of each other; any size of each is as likely as any other.

    X has one stem or more. Y may be empty by the paper's text, but never is in the released code.
    """
    least = 0 if law == "paper" else 1
    given = rng.permutation(np.asarray(stems))[: rng.integers(least, len(stems) + 1)]
    wanted = rng.permutation(np.asarray(stems))[: rng.integers(1, len(stems) + 1)]
    return given.tolist(), wanted.tolist()


def task_mix(draws: PairDraws, *, pairs: int = 2000) -> dict[str, float]:
    """Return the share of each task among the first pairs of a run."""
    batches = min(len(draws), -(-pairs // draws.config.batch_size))
    counts = Counter(task for step in range(batches) for task in draws[step].tasks)
    return {task: round(counts[task] / counts.total(), 4) for task in Task.__members__}


def open_named_banks(
    specs: Sequence[str], split: str, cache: Path, *, device: str | torch.device, workers: int
) -> tuple[StemBank, list[NamedTrack]]:
    """Open the bank of a split of corpora on a device, and name the stems in it.

    Args:
        specs: corpora, as for ``corpora.open_corpora``.
        split: name of the split: train, validation or test.
        cache: folder of the decoded corpora.
        device: device of the samples.
        workers: number of processes that decode.
    """
    specs = corpora_with(specs, split)
    banks = open_banks(specs, split, cache, workers=workers)
    words = [
        (_tags(names.get(track.name), track), genres.get(track.name, ""))
        for bank, (names, genres) in zip(banks, [_names(spec, split, cache) for spec in specs], strict=True)
        for track in bank.tracks
    ]
    bank = StemBank.join(banks, device)
    return bank, [NamedTrack(track, *one) for track, one in zip(bank.tracks, words, strict=True)]


def _names(spec: str, split: str, cache: Path) -> tuple[dict[str, list[str]], dict[str, str]]:
    """Return the kinds of the stems and the genre of each track, which files beside the bank keep."""
    folder = cache / cache_name(spec) / split
    files = folder / STEMS_FILE, folder / GENRES_FILE
    if all(file.is_file() for file in files):
        names, genres = (read_json(file, most_bytes=2**28, remedy="delete it") for file in files)
        return dict(names), dict(genres)
    tracks = open_corpora([spec], split)
    names = {track.name: [stem.instrument or stem.name for stem in track.stems] for track in tracks}
    genres = {track.name: track.genre for track in tracks if track.genre}
    with suppress(OutputError):  # somebody else's cache, which may be read only
        for file, words in zip(files, (names, genres), strict=True):
            write_text_whole(file, json.dumps(words))
    return names, genres


def _tags(names: list[str] | None, track: BankTrack) -> tuple[str, ...]:
    if names is None or len(names) != len(track.powers):
        raise AudioError(f"{track.name}: decoded from other files than the corpus has now; empty the cache")
    return stem_tags([tag_word(name) for name in names])
