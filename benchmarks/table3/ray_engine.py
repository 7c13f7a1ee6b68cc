"""The score stage over many machines: queries are spread, and rows stream back to the one file of scores."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from cocola_metric.errors import AudioError, UsageError, WorkersError
from cocola_metric.ray_pool import RayPool
from cocola_metric.scorer import CocolaScorer

from ..queries import Query
from .answers import Accompaniments
from .scoring import AT_ONCE, score_in_process


class RayEngine:
    """Engine that scores in worker processes; see `RayPool`.

    Audio is read by the workers, so corpora and answers have to lie at the same place on every machine.

    Attributes:
        pool: the processes.
    """

    def __init__(self, workers: int) -> None:
        """Prepare so many workers; none is started yet.

        Raises:
            MissingExtraError: the extra [scale], which holds Ray, is not installed.
            UsageError: ``workers`` is below 1.
        """
        self.pool = RayPool(workers)

    def __enter__(self) -> "RayEngine":
        """Return the engine; workers start with the first query."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Shut down what was started."""
        self.pool.__exit__(kind, error, trace)

    def __call__(
        self, scorer: CocolaScorer, queries: Sequence[Query], answers: Accompaniments, keys: Mapping[str, str]
    ) -> Iterator[dict[str, Any]]:
        """Yield a row for each query, as `scoring.score_in_process` does, but in the order they become ready.

        Raises:
            AudioError: an answer is missing or damaged.
            UsageError: the scorer is not on the CPU.
            WorkersError: workers die of a query.
        """
        if queries and scorer.device != "cpu":
            raise UsageError(f"--engine ray scores on CPUs; got --device {scorer.device}; leave it at cpu")
        work = QueryWork(scorer, answers, dict(keys))
        for number, row in self.pool.run(work, queries, at_once=AT_ONCE):  # as many as in one process
            if isinstance(row, AudioError):
                raise row
            if isinstance(row, WorkersError):
                raise WorkersError(f"{queries[number].id}: {row}")
            yield row


@dataclass(frozen=True)
class QueryWork:
    """What a worker is sent: the scorer, and what it scores.

    Attributes:
        scorer: scorer of all queries.
        answers: answers to be scored.
        keys: key of each query's row, by query id.
    """

    scorer: CocolaScorer
    answers: Accompaniments
    keys: Mapping[str, str]

    def __call__(self, queries: Sequence[Query]) -> list[dict[str, Any] | AudioError]:
        """Return the row of each query; from the first on that cannot be scored, its error."""
        rows: list[dict[str, Any] | AudioError] = []
        try:
            for row in score_in_process(self.scorer, queries, self.answers, self.keys):
                rows.append(row)
        except AudioError as error:
            rows += [error] * (len(queries) - len(rows))
        return rows
