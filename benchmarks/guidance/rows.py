"""The rows of a system: its own answers, guided ones, and the best of several by a judge's score."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..queries import Query
from ..table3 import Answered, Entry, Manifest, Metric, generate_stage
from .judges import Verdict, verdicts

OWN = "its own answers"


@dataclass(frozen=True)
class Judged:
    """Answers with what the judges say of them.

    Attributes:
        answered: answers of one generator with one seed.
        verdicts: verdicts by judge and query.
    """

    answered: Answered
    verdicts: Mapping[str, Mapping[str, Verdict]]

    def score(self, judge: str, query: Query) -> float:
        """Return a judge's score of an answer; that of silence is the lowest of all."""
        score = self.verdicts[judge][query.id].score
        return -math.inf if math.isnan(score) else score


@dataclass(frozen=True)
class Chosen:
    """A row: for each query, the answers from which its answer is taken.

    Attributes:
        name: name of the row.
        by: judge that guided or chose; empty for a system's own answers.
        answers: answers by query.
    """

    name: str
    by: str
    answers: Mapping[Query, Judged]

    @property
    def queries(self) -> list[Query]:
        """Queries with an answer."""
        return list(self.answers)

    def verdicts(self, judge: str) -> list[Verdict]:
        """Return what a judge says of each answer."""
        return [one.verdicts[judge][query.id] for query, one in self.answers.items()]


@dataclass(frozen=True)
class Plan:
    """What a system is asked for.

    Attributes:
        name: name of the system.
        spec: specification of its generator.
        guides: settings of guidance, each with the judge of the same encoder, or "" if it does not judge.
        best_of: largest number of answers to choose from; 1 for no choice.
    """

    name: str
    spec: str
    guides: Sequence[tuple[str, str]] = ()
    best_of: int = 1


def judge_answers(
    manifest: Manifest, spec: str, judges: Mapping[str, Metric], *, seed: int = 0, device: str, batch_size: int
) -> Judged:
    """Let a generator answer the queries, and the judges score its answers; what exists is kept.

    Raises:
        CocolaError: the generator or an encoder cannot be used, or music cannot be read.
    """
    place = Entry(spec).place
    entry = Entry(spec, folder=f"{place}-seed{seed}" if seed else place)
    (one,) = generate_stage(manifest, [entry], seed=seed, device=device, batch_size=batch_size)
    return Judged(one, verdicts(manifest, one, judges))


def rows_of(
    manifest: Manifest, plan: Plan, judges: Mapping[str, Metric], *, device: str, batch_size: int
) -> Iterator[Chosen]:
    """Yield the rows of a system.

    The k-th candidate of a choice is made with seed k; the first is the system's own answer.
    """

    def judged(spec: str, seed: int = 0) -> Judged:
        return judge_answers(manifest, spec, judges, seed=seed, device=device, batch_size=batch_size)

    own = judged(plan.spec)
    yield Chosen(OWN, "", dict.fromkeys(own.answered.queries, own))
    for settings, judge in plan.guides:
        guided = judged(f"{plan.spec},guide={settings}")
        title = guided.answered.name.partition(", guided by ")[2]
        yield Chosen(f"guided by {title}", judge, dict.fromkeys(guided.answered.queries, guided))
    candidates = [own, *(judged(plan.spec, seed) for seed in range(1, plan.best_of))]
    counts = [2**power for power in range(1, plan.best_of.bit_length())]
    for judge in judges:
        for count in counts:
            yield best_of(judge, candidates[:count])


def best_of(judge: str, candidates: Sequence[Judged]) -> Chosen:
    """Return, for each query, the candidate that a judge scores highest; the first of equals."""
    best = {
        query: candidates[int(np.argmax([one.score(judge, query) for one in candidates]))]
        for query in candidates[0].answered.queries
    }
    return Chosen(f"best of {len(candidates)} by {judge}", judge, best)
