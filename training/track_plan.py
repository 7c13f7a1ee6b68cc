"""The plan of a rendering: which tracks to make, in an order that has every corpus in proportion from the start."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from .recipes import Recipe
from .works import Work, split_of

DURATION_RANGE = (30.0, 60.0)  # seconds


@dataclass(frozen=True)
class PlannedTrack:
    """One track to be rendered; its name and the seed decide all of its content."""

    corpus: str
    work: Work
    variant: int
    seed: int

    @property
    def name(self) -> str:
        """Name of its folder: corpus__work__variant."""
        return f"{self.corpus}__{self.work.name}__{self.variant:02d}"

    @cached_property
    def duration(self) -> float:
        """Seconds to render; a source that ends earlier gives a shorter track."""
        return float(self._generator("duration").uniform(*DURATION_RANGE))

    @property
    def generator(self) -> np.random.Generator:
        """A new generator for everything drawn while rendering."""
        return self._generator("content")

    def folder(self, output: Path) -> Path:
        """Return where the finished stems lie."""
        return output / split_of(self.corpus, self.work.name) / self.name

    def _generator(self, purpose: str) -> np.random.Generator:
        digest = hashlib.sha256(f"{self.seed}/{self.name}/{purpose}".encode()).digest()
        return np.random.default_rng(int.from_bytes(digest[:16], "big"))


def plan_tracks(
    works: Mapping[str, Sequence[Work]], recipes: Mapping[str, Recipe], hours: float, seed: int
) -> list[PlannedTrack]:
    """Plan about `hours` of music, shared among the corpora that have works, and interleave their tracks.

    Every prefix of the plan holds the corpora in proportion, so training may start before the end. A longer plan
    begins with the variants of a shorter one.
    """
    total_share = sum(recipes[corpus].share for corpus in works)
    placed: list[tuple[float, PlannedTrack]] = []
    for corpus, corpus_works in works.items():
        seconds = hours * 3600 * recipes[corpus].share / total_share
        elapsed = 0.0
        for track in _variants(corpus, corpus_works, recipes[corpus].most_variants, seed):
            if elapsed >= seconds:
                break
            placed.append(((elapsed + track.duration / 2) / seconds, track))
            elapsed += track.duration
    return [track for _, track in sorted(placed, key=lambda place: (place[0], place[1].name))]


def _variants(corpus: str, works: Sequence[Work], most_variants: int, seed: int) -> list[PlannedTrack]:
    """List the first variant of every work, then the second of every work and so on, works in random order."""

    def rank(work: Work) -> bytes:
        return hashlib.sha256(f"{seed}/order/{corpus}/{work.name}".encode()).digest()

    shuffled = sorted(works, key=rank)
    return [PlannedTrack(corpus, work, variant, seed) for variant in range(most_variants) for work in shuffled]
