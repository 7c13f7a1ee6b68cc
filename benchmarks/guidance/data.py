"""Guidance as measured, as data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cocola_metric.intervals import Interval


@dataclass(frozen=True)
class Gain:
    """A mean score, and what it is above that of the system's own answers to the same queries.

    Attributes:
        mean: mean score.
        difference: mean difference from the own answers; None for these and for references.
        interval: 95 % bootstrap interval of the difference over tracks.
        n: number of queries that have a score in both.
    """

    mean: float
    difference: float | None = None
    interval: Interval | None = None
    n: int = 0


@dataclass(frozen=True)
class Suspects:
    """What a guard says of the answers.

    Attributes:
        count: number of answers that reach its threshold.
        mean: mean of its measure.
    """

    count: int
    mean: float


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes:
        name: name of the answers.
        by: judge that guided or chose; empty for none.
        gains: score of each judge, by its name.
        distance: sub-FAD; NaN where it has none.
        distance_interval: its 95 % interval.
        separation: SI-SDR improvement, for SS alone.
        echoes: answers that seem to contain their conditioning.
        noises: answers that seem to be noise.
        silent: number of answers without a score.
    """

    name: str
    by: str
    gains: Mapping[str, Gain]
    distance: float | None
    distance_interval: Interval | None
    separation: Gain | None
    echoes: Suspects
    noises: Suspects
    silent: int


@dataclass(frozen=True)
class SystemTable:
    """The rows of a system in a task, references first."""

    task: str
    system: str
    spec: str
    queries: int
    tracks: int
    queries_sha256: str
    rows: Sequence[Row]
