"""Generators that answer with real music: the real accompaniment, and a sub-mix of another track."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..queries import ConditioningAudio, Query, QueryAudio
from .content import Content
from .folder import Generated


@dataclass(frozen=True)
class GroundTruth:
    """The real accompaniment: the upper bound of the COCOLA score (section 5.2)."""

    audio: QueryAudio
    name: str = "Ground Truth"
    content: Content = "accompaniment"

    def unsupported(self, query: Query) -> None:
        """Every query has an answer."""

    def recipe(self, query: Query, audio: ConditioningAudio) -> Mapping[str, Any]:
        """Return the hash of the target."""
        return {"target": self.audio.target_fingerprint(query)}

    def generate(self, queries: Sequence[Query], audio: ConditioningAudio, rng: np.random.Generator) -> list[Generated]:
        """Return m_X at the rate of its files."""
        rates = [self.audio.target_rate(query) for query in queries]
        return [Generated(self.audio.target(query, rate), rate) for query, rate in zip(queries, rates, strict=True)]


@dataclass(frozen=True)
class Random:
    """A random sub-mix of another track: real music that does not fit (section 5.2).

    The manifest names the donor of every query, so that it is the same everywhere.
    """

    audio: QueryAudio
    name: str = "Random"
    content: Content = "accompaniment"

    def unsupported(self, query: Query) -> None:
        """Every query has an answer."""

    def recipe(self, query: Query, audio: ConditioningAudio) -> Mapping[str, Any]:
        """Return the hash of the donor."""
        return {"donor": self.audio.donor_fingerprint(query)}

    def generate(self, queries: Sequence[Query], audio: ConditioningAudio, rng: np.random.Generator) -> list[Generated]:
        """Return the donor's sub-mix at the rate of its files."""
        rates = [self.audio.donor_rate(query) for query in queries]
        return [Generated(self.audio.donor(query, rate), rate) for query, rate in zip(queries, rates, strict=True)]
