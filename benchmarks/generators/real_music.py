"""Generators that answer with real music: what is asked for, and a sub-mix of another track."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cocola_metric.training.paper import Task

from ..queries import ConditioningAudio, Query, QueryAudio
from .content import Content, content_of
from .folder import Generated
from .made_part import answer_with


@dataclass(frozen=True)
class GroundTruth:
    """What is asked for, as it was played: the upper bound of the COCOLA score (section 5.2)."""

    audio: QueryAudio
    task: Task = Task.AG
    name: str = "Ground Truth"

    @property
    def content(self) -> Content:
        """Stems for tasks that need them."""
        return content_of(self.task)

    def unsupported(self, query: Query) -> None:
        """Every query has an answer."""

    def recipe(self, query: Query, audio: ConditioningAudio) -> Mapping[str, Any]:
        """Return the hash of the target."""
        return {"target": self.audio.target_fingerprint(query)}

    def generate(self, queries: Sequence[Query], audio: ConditioningAudio, rng: np.random.Generator) -> list[Generated]:
        """Return m_X, or its stems, at the rate of its files."""
        read = self.audio.target_stems if self.content == "stems" else self.audio.target
        rates = [self.audio.target_rate(query) for query in queries]
        return [Generated(read(query, rate), rate) for query, rate in zip(queries, rates, strict=True)]


@dataclass(frozen=True)
class Random:
    """A random sub-mix of another track: real music that does not fit (section 5.2).

    The manifest names the donor of every query, so that it is the same everywhere. It takes the place of what has to be
    made (``made_part``).
    """

    audio: QueryAudio
    task: Task = Task.AG
    name: str = "Random"

    @property
    def content(self) -> Content:
        """Stems for tasks that need them."""
        return content_of(self.task)

    def unsupported(self, query: Query) -> None:
        """Every query has an answer."""

    def recipe(self, query: Query, audio: ConditioningAudio) -> Mapping[str, Any]:
        """Return the hash of the donor, and of the real parts beside it."""
        beside = {} if query.task in (Task.AG, Task.SS) else {"target": self.audio.target_fingerprint(query)}
        return {"donor": self.audio.donor_fingerprint(query), **beside}

    def generate(self, queries: Sequence[Query], audio: ConditioningAudio, rng: np.random.Generator) -> list[Generated]:
        """Return the donor's sub-mix in place of what has to be made, at the rate of its files."""
        answers = []
        for query in queries:
            rate = self.audio.donor_rate(query)
            answers.append(Generated(answer_with(self.audio.donor(query, rate), query, self.audio, rate), rate))
        return answers
