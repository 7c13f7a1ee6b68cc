"""Controls: simple answers that a system must beat before its score shows that it uses the conditioning."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cocola_metric.errors import UsageError
from cocola_metric.identity import file_sha256

from ..queries import ConditioningAudio, Query, QueryAudio
from .content import Content
from .folder import Generated, GeneratedFolder, open_generated


@dataclass(frozen=True)
class Noise:
    """White noise as loud as the real accompaniment; it neither fits nor clashes.

    Any system that plays no music can reach its score.
    """

    audio: QueryAudio
    name: str = "Noise"
    content: Content = "accompaniment"

    def unsupported(self, query: Query) -> None:
        """Every query has an answer."""

    def recipe(self, query: Query, audio: ConditioningAudio) -> Mapping[str, Any]:
        """Return the hash of the target, whose loudness the noise has."""
        return {"target": self.audio.target_fingerprint(query)}

    def generate(self, queries: Sequence[Query], audio: ConditioningAudio, rng: np.random.Generator) -> list[Generated]:
        """Return noise at the rate of the target's files."""
        answers = []
        for query in queries:
            rate = self.audio.target_rate(query)
            target = self.audio.target(query, rate)
            level = np.sqrt(np.mean(np.square(target, dtype=np.float64)))
            noise: NDArray[np.float32] = rng.standard_normal(len(target), dtype=np.float32) * np.float32(level)
            answers.append(Generated(noise, rate))
        return answers


@dataclass(frozen=True)
class Echo:
    """The conditioning itself, played back: it fits in time and key, but is not the accompaniment asked for.

    A system that copies its conditioning reaches the same score; check how similar its answers are to the conditioning.
    """

    name: str = "Echo"
    content: Content = "accompaniment"

    def unsupported(self, query: Query) -> str | None:
        """Return a reason if there is no conditioning to play."""
        return None if query.conditioning.parts else "there is no conditioning to play back"

    def recipe(self, query: Query, audio: ConditioningAudio) -> Mapping[str, Any]:
        """Return the hash of the conditioning."""
        return {"conditioning": audio.fingerprint(query)}

    def generate(self, queries: Sequence[Query], audio: ConditioningAudio, rng: np.random.Generator) -> list[Generated]:
        """Return m_Y at the rate of its files."""
        rates = [audio.native_rate(query) for query in queries]
        return [Generated(audio.conditioning(query, rate), rate) for query, rate in zip(queries, rates, strict=True)]


class Swapped:
    """A system's answers, each given to a query of another track with tags as similar as possible.

    Sound and music are the system's own; only the song it accompanies is another one. A system that does not score
    above this makes no use of its conditioning.
    """

    content: Content

    def __init__(self, root: Path, queries: Sequence[Query], queries_sha256: str) -> None:
        """Open a folder of answers to the queries of a manifest.

        Raises:
            UsageError: the folder does not belong to the manifest, or all its answers are of one track.
        """
        self.folder: GeneratedFolder = open_generated(root, queries_sha256)
        self.name = f"{self.folder.about.get('generator') or root.name}, swapped"
        self.content = self.folder.content
        if self.content != "accompaniment":
            raise UsageError(
                f"{root}: full mixes hold their conditioning and cannot be swapped; pass accompaniments alone"
            )
        answered = [query for query in queries if self.folder.path(query)]
        if len({query.accompaniment.track for query in answered}) < 2:
            raise UsageError(f"{root}: answers to queries of two tracks are needed; got fewer; generate them first")
        self._others = {query.id: _most_alike(query, number, answered) for number, query in enumerate(answered)}

    def unsupported(self, query: Query) -> str | None:
        """Return a reason if the system has not answered the query itself, so that both rows have the same queries."""
        return None if query.id in self._others else "not answered by the system whose answers are swapped"

    def recipe(self, query: Query, audio: ConditioningAudio) -> Mapping[str, Any]:
        """Return the hash of the answer to the other query."""
        path = self.folder.path(self._others[query.id])
        return {"file": file_sha256(path) if path else None}

    def generate(self, queries: Sequence[Query], audio: ConditioningAudio, rng: np.random.Generator) -> list[Generated]:
        """Read the answers to the other queries."""
        return [self.folder.read(self._others[query.id]) for query in queries]


def _most_alike(query: Query, number: int, answered: Sequence[Query]) -> Query:
    """Return the next query of another track, in order and from the start again, whose tags have most in common."""
    wanted = set(query.accompaniment.tags)
    others = [
        other
        for other in (*answered[number + 1 :], *answered[:number])
        if other.accompaniment.track != query.accompaniment.track
    ]
    others = [other for other in others if other.seconds >= query.seconds] or others

    def likeness(other: Query) -> float:
        theirs = set(other.accompaniment.tags)
        return len(wanted & theirs) / len(wanted | theirs)

    return max(others, key=likeness)
