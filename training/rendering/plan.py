"""The plan of a rendering: the tracks to make, in an order that has all recipes in proportion from the start."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from .registry import Recipe
from .works import Work, split_of

DURATION_RANGE = (30.0, 60.0)  # seconds


@dataclass(frozen=True)
class PlannedTrack:
    """One track to be rendered; its name and the seed determine all of its content."""

    corpus: str
    recipe: str
    work: Work
    variant: int
    seed: int

    @property
    def name(self) -> str:
        """Name of its folder: recipe__work__variant."""
        return f"{self.recipe}__{self.work.name}__{self.variant:02d}"

    @property
    def split(self) -> str:
        """Split of its work."""
        return split_of(self.recipe, self.work.name)

    @cached_property
    def duration(self) -> float:
        """Length to render, in seconds; a source that ends earlier gives a shorter track."""
        return float(self._generator("duration").uniform(*DURATION_RANGE))

    @property
    def generator(self) -> np.random.Generator:
        """A new generator for everything drawn while rendering."""
        return self._generator("content")

    def folder(self, output: Path) -> Path:
        """Return the folder of the finished stems."""
        return output / self.corpus / self.split / self.name

    def _generator(self, purpose: str) -> np.random.Generator:
        digest = hashlib.sha256(f"{self.seed}/{self.name}/{purpose}".encode()).digest()
        return np.random.default_rng(int.from_bytes(digest[:16], "big"))


def plan_tracks(
    works: Mapping[str, Sequence[Work]], recipes: Mapping[str, Recipe], hours: float, seed: int
) -> list[PlannedTrack]:
    """Plan about `hours` of music from the works of each recipe, and interleave the tracks.

    Every corpus gets the same hours, divided among its recipes by their shares. Hours that one cannot supply go to the
    others. Every beginning of the plan holds the recipes in proportion, so training may start before the end. A longer
    plan begins with the variants of a shorter one.
    """
    tracks = {name: _variants(name, recipes[name], works[name], seed) for name in works}
    placed: list[tuple[float, PlannedTrack]] = []
    for name, seconds in _divide_hours(tracks, recipes, hours).items():
        elapsed = 0.0
        for track in tracks[name]:
            if elapsed >= seconds:
                break
            placed.append(((elapsed + track.duration / 2) / seconds, track))
            elapsed += track.duration
    return [track for _, track in sorted(placed, key=lambda place: (place[0], place[1].name))]


def divide(total: float, shares: Mapping[str, float], limits: Mapping[str, float]) -> dict[str, float]:
    """Divide `total` by shares and limits; the excess over a limit goes to the others by their shares.

    >>> divide(10, {"a": 1, "b": 1, "c": 2}, {"a": 1, "b": 20, "c": 20})
    {'a': 1, 'b': 3.0, 'c': 6.0}
    """
    # The first to reach its limit is the one whose limit is smallest beside its share.
    parts: dict[str, float] = {}
    waiting = sorted(shares, key=lambda name: limits[name] / shares[name])
    for number, name in enumerate(waiting):
        fair = total * shares[name] / sum(shares[other] for other in waiting[number:])
        parts[name] = min(fair, limits[name])
        total -= parts[name]
    return {name: parts[name] for name in shares}


def _divide_hours(
    tracks: Mapping[str, Sequence[PlannedTrack]], recipes: Mapping[str, Recipe], hours: float
) -> dict[str, float]:
    """Return the seconds of each recipe: equal hours to the corpora, then the shares within each."""
    supply = {name: sum(track.duration for track in tracks[name]) for name in tracks}
    members: dict[str, list[str]] = {}
    for name in tracks:
        members.setdefault(recipes[name].corpus, []).append(name)
    limits = {corpus: sum(supply[name] for name in names) for corpus, names in members.items()}
    seconds: dict[str, float] = {}
    for corpus, corpus_seconds in divide(hours * 3600, dict.fromkeys(members, 1.0), limits).items():
        shares = {name: recipes[name].share for name in members[corpus]}
        seconds |= divide(corpus_seconds, shares, supply)
    return seconds


def _variants(name: str, recipe: Recipe, works: Sequence[Work], seed: int) -> list[PlannedTrack]:
    """List the first variant of every work, then the second of every work and so on, works in random order."""

    def rank(work: Work) -> bytes:
        return hashlib.sha256(f"{seed}/order/{name}/{work.name}".encode()).digest()

    shuffled = sorted(works, key=rank)
    return [
        PlannedTrack(recipe.corpus, name, work, variant, seed)
        for variant in range(recipe.most_variants)
        for work in shuffled
    ]
