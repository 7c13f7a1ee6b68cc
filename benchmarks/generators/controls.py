"""Controls: simple answers that a system must beat before its score shows that it uses the conditioning."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cocola_metric.errors import UsageError
from cocola_metric.identity import file_sha256
from cocola_metric.training.paper import Task

from ..queries import ConditioningAudio, Query, QueryAudio, halves, resample_to
from .content import OF_STEMS, Content, content_of
from .folder import Generated, GeneratedFolder, open_generated
from .made_part import answer_with, first_part, real_part, with_second_half


@dataclass(frozen=True)
class Noise:
    """White noise as loud as the real music of what has to be made; it neither fits nor clashes.

    Any system that plays no music can reach its score.
    """

    audio: QueryAudio
    task: Task = Task.AG
    name: str = "Noise"

    @property
    def content(self) -> Content:
        """Stems for tasks that need them."""
        return content_of(self.task)

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
            real = real_part(query, self.audio, rate)
            level = np.sqrt(np.mean(np.square(real, dtype=np.float64), axis=-1, keepdims=True))
            noise = rng.standard_normal(real.shape, dtype=np.float32) * level.astype(np.float32)
            answers.append(Generated(answer_with(noise, query, self.audio, rate), rate))
        return answers


@dataclass(frozen=True)
class Echo:
    """The conditioning itself, played back: it fits in time and key, but is not what is asked for.

    A system that copies its conditioning reaches the same score; check how similar its answers are to the conditioning.
    Every stem that is to be separated is the mixture. A mix that is to be edited comes back as it was. Where nothing is
    given, the second half of the stems plays the real first half (``made_part``).
    """

    audio: QueryAudio
    task: Task = Task.AG
    name: str = "Echo"

    @property
    def content(self) -> Content:
        """Stems for tasks that need them."""
        return content_of(self.task)

    def unsupported(self, query: Query) -> None:
        """Every query has an answer."""

    def recipe(self, query: Query, audio: ConditioningAudio) -> Mapping[str, Any]:
        """Return the hash of what is played."""
        if query.task is Task.UG:
            return {"target": self.audio.target_fingerprint(query)}
        return {"conditioning": audio.fingerprint(query)}

    def generate(self, queries: Sequence[Query], audio: ConditioningAudio, rng: np.random.Generator) -> list[Generated]:
        """Return m_Y at the rate of its files."""
        answers = []
        for query in queries:
            rate = audio.native_rate(query)
            played = first_part(query, self.audio, rate)
            if query.task in OF_STEMS:
                played = answer_with(played, query, self.audio, rate)
            answers.append(Generated(played, rate))
        return answers


class Swapped:
    """A system's answers, each given to a query of another track with tags as similar as possible.

    Sound and music are the system's own; only the song it accompanies is another one. A system that does not score
    above this makes no use of its conditioning. Where nothing is given, each answer keeps the first half of its stems
    (`halves`), and its second half is that of another answer.
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
        if self.content == "full_mix":
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
        """Return the hash of the answer to the other query, and of its own where half of it stays."""
        of = [self._others[query.id], *([query] if query.task is Task.UG else [])]
        paths = [self.folder.path(one) for one in of]
        return dict(zip(("file", "own"), (file_sha256(path) if path else None for path in paths), strict=False))

    def generate(self, queries: Sequence[Query], audio: ConditioningAudio, rng: np.random.Generator) -> list[Generated]:
        """Read the answers to the other queries."""
        return [self._swapped(query, self._others[query.id]) for query in queries]

    def _swapped(self, query: Query, other: Query) -> Generated:
        theirs = self.folder.read(other)
        if self.content != "stems":
            return theirs
        if query.task is Task.UG:
            own, (_, second) = self.folder.read(query), halves(other)
            half = resample_to(theirs.samples[second].sum(axis=0), theirs.sample_rate, own.sample_rate)
            return Generated(with_second_half(own.samples, half, query), own.sample_rate)
        places = {tag: place for place, tag in enumerate(other.accompaniment.tags)}
        rows = [places.get(tag, place % len(places)) for place, tag in enumerate(query.accompaniment.tags)]
        return Generated(theirs.samples[rows], theirs.sample_rate)


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
