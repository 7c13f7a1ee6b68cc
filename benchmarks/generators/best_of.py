"""The best of several answers of any generator."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cocola_metric.errors import UsageError

from ..queries import ConditioningAudio, Query
from .folder import Generated, accompaniment_of, fit_length
from .protocol import Generator


class BestOf:
    """A generator that asks another one several times, and keeps the answer with the largest L2 norm.

    MSDM tends to play silence, so the paper takes the best of 12 of its answers (section 5.2), and of no other system.
    The norm is that of the accompaniment alone, within the query's window; all norms are kept.
    """

    def __init__(self, generator: Generator, candidates: int) -> None:
        """Wrap a generator.

        Raises:
            UsageError: ``candidates`` is below 1.
        """
        if candidates < 1:
            raise UsageError(f"candidates must be 1 or more; got {candidates}")
        self.generator, self.candidates = generator, candidates
        self.name, self.content = generator.name, generator.content

    def unsupported(self, query: Query) -> str | None:
        """Return the generator's own reason, or None."""
        return self.generator.unsupported(query)

    def recipe(self, query: Query, audio: ConditioningAudio) -> Mapping[str, Any]:
        """Return the generator's recipe with the number of candidates."""
        return {**self.generator.recipe(query, audio), "candidates": self.candidates}

    def generate(self, queries: Sequence[Query], audio: ConditioningAudio, rng: np.random.Generator) -> list[Generated]:
        """Return the loudest answer to each query; each candidate has randomness of its own."""
        rounds = [self.generator.generate(queries, audio, child) for child in rng.spawn(self.candidates)]
        return [
            self._loudest(query, answers, audio)
            for query, answers in zip(queries, zip(*rounds, strict=True), strict=True)
        ]

    def _loudest(self, query: Query, answers: Sequence[Generated], audio: ConditioningAudio) -> Generated:
        norms = [self._norm(query, answer, audio) for answer in answers]
        best = answers[int(np.argmax(norms))]
        return Generated(best.samples, best.sample_rate, tuple(norms))

    def _norm(self, query: Query, answer: Generated, audio: ConditioningAudio) -> float:
        part = fit_length(answer.mix, query, answer.sample_rate, f"{self.name}: the answer")
        if self.content == "full_mix":
            part = accompaniment_of(part, audio.conditioning(query, answer.sample_rate), self.content)
        return float(np.linalg.norm(part.astype(np.float64)))
