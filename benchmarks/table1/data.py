"""Table 1 as measured, as data."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ..table3 import Cell


@dataclass(frozen=True)
class TaskTable:
    """The rows of a task.

    Attributes:
        task: name of the task.
        queries: number of queries.
        tracks: number of their tracks.
        dataset: name of their data set.
        queries_sha256: SHA-256 of their manifest.
        seconds: length of a query, in seconds.
        rows: cells by the name of the system or control, then by the label of the measure; one reason for all of them
            where the system has no answers.
        labels: names under which answers are made, by the name of their row: "MSDM, small, ours" by "MSDM".
    """

    task: str
    queries: int
    tracks: int
    dataset: str
    queries_sha256: str
    seconds: float
    rows: Mapping[str, Mapping[str, Cell] | str]
    labels: Mapping[str, str]


@dataclass(frozen=True)
class Measured:
    """All tables, and what was measured with.

    Attributes:
        tables: tables of the tasks, in the order of Figure 3.
        encoder: signature of the COCOLA score.
        embedder: recipe of the distances.
        answers: specification of each system, by its name.
    """

    tables: Sequence[TaskTable]
    encoder: str
    embedder: str
    answers: Mapping[str, str]

    def as_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)
