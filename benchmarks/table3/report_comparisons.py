"""One query across systems: its conditioning, the real accompaniment, and the answer of each, to listen to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cocola_metric.training.paper import Task

from ..queries import Query
from .answers import Answers, RealMusic, Samples
from .data import Table
from .manifests import Answered, Manifest
from .report_examples import LOWEST_GAIN_PEAK, PEAK, RATE, Scores, data_uri, encode

QUERIES = 3
"""Number of queries of a section, those that systems answer most differently."""


@dataclass(frozen=True)
class Answer:
    """What is heard of one system.

    Attributes:
        name: name of the generator.
        score: score in the column that the comparison shows.
        together: conditioning and answer, OGG.
    """

    name: str
    score: float
    together: bytes


@dataclass(frozen=True)
class Comparison:
    """A query that several systems answered.

    Attributes:
        section: number of its data set in the table.
        column: label of the column of its scores.
        query: query.
        conditioning: conditioning alone, OGG.
        real: conditioning and real accompaniment, OGG.
        answers: answers of all systems, best score first.
    """

    section: int
    column: str
    query: Query
    conditioning: bytes
    real: bytes
    answers: Sequence[Answer]

    @property
    def size(self) -> int:
        """Number of bytes in the page."""
        return sum(
            len(data_uri(audio)) for audio in (self.conditioning, self.real, *(one.together for one in self.answers))
        )


def choose_comparisons(
    table: Table,
    scores: Scores,
    manifests: Sequence[Manifest],
    answered: Sequence[Sequence[Answered]],
    *,
    limit: int,
) -> list[Comparison]:
    """Return the queries whose best and worst answers are farthest apart, as many as fit.

    Only queries of task AG are compared, by the first COCOLA column that scores two systems or more.

    Args:
        table: table whose rows are compared.
        scores: scores of its queries.
        manifests: manifests, one for each section.
        answered: generators of each section.
        limit: most bytes of audio in the page.
    """
    chosen: list[Comparison] = []
    left = limit
    for number, (manifest, group) in enumerate(zip(manifests, answered, strict=True)):
        column, known = _first_column(table, scores, number, group)
        if len(known) < 2:
            continue
        queries = [query for query in manifest.queries if query.task is Task.AG]
        apart = {query.id: _spread(query, known) for query in queries}
        order = sorted((query for query in queries if apart[query.id] > 0), key=lambda query: -apart[query.id])
        for query in order[:QUERIES]:
            comparison = _compare(number, column, query, manifest, group, known)
            if comparison.size > left:
                return chosen
            left -= comparison.size
            chosen.append(comparison)
    return chosen


def _first_column(
    table: Table, scores: Scores, section: int, group: Sequence[Answered]
) -> tuple[str, dict[str, Mapping[str, float]]]:
    """Return the first column with two systems or more, and the scores of each by its spec."""
    for column in table.columns:
        known = {one.entry.spec: scores.get((section, one.entry.spec, column.label), {}) for one in group}
        known = {spec: found for spec, found in known.items() if found}
        if len(known) > 1:
            return column.label, known
    return "", {}


def _spread(query: Query, known: Mapping[str, Mapping[str, float]]) -> float:
    found = [scores[query.id] for scores in known.values() if query.id in scores]
    return max(found) - min(found) if len(found) > 1 else 0.0


def _compare(
    section: int,
    column: str,
    query: Query,
    manifest: Manifest,
    group: Sequence[Answered],
    known: Mapping[str, Mapping[str, float]],
) -> Comparison:
    given, target = RealMusic(manifest.audio).pair(query, RATE)
    answers = []
    for one in group:
        score = known.get(one.entry.spec, {}).get(query.id)
        if score is not None:
            sides = Answers(one.folder, manifest.audio).pair(query, RATE)
            answers.append(Answer(one.name, score, encode(_levelled(sides[0] + sides[1]))))
    answers.sort(key=lambda answer: (-answer.score, answer.name))
    real = encode(_levelled(given + target))
    return Comparison(section, column, query, encode(_levelled(given)), real, answers)


def _levelled(samples: Samples) -> Samples:
    peak = float(np.abs(samples).max(initial=0.0))
    return samples * np.float32(PEAK / peak) if peak > LOWEST_GAIN_PEAK else samples
