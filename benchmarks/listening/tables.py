"""The two tables of a listening test: ratings by people, and scores by metrics."""

import csv
import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cocola_metric.errors import UsageError

DATA = Path(__file__).parent / "data"
RATINGS_FILE = DATA / "ratings.csv"
METRICS_FILE = DATA / "metrics.csv"

Item = tuple[str, str]
"""Song that several systems were asked to accompany, and the stem they were asked for."""


@dataclass(frozen=True)
class Rating:
    """One rater's opinion of one system's stem.

    Attributes:
        rater: name or number of the person.
        item: song and stem, see `Item`.
        system: name of the system that made the stem.
        value: rating; a higher one means a better fit.
    """

    rater: str
    item: Item
    system: str
    value: float


def read_ratings(file: Path) -> list[Rating]:
    """Read a CSV file of the columns rater, song, stem, system, rating.

    Raises:
        UsageError: the file is missing, lacks a column, or holds a rating that is no number.
    """
    return [
        Rating(row["rater"], (row["song"], row["stem"]), row["system"], value)
        for row, value in _rows(file, ("rater", "song", "stem", "system"), "rating")
    ]


def read_scores(file: Path) -> dict[str, dict[Item, dict[str, float]]]:
    """Read a CSV file of the columns song, stem, system, score and, for several metrics in one file, metric.

    Returns:
        Scores of each system, by metric and item. Without a column "metric", the metric has the file's name.

    Raises:
        UsageError: the file is missing, lacks a column, or holds a score that is no number or a second score of a stem.
    """
    scores: dict[str, dict[Item, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    for row, value in _rows(file, ("song", "stem", "system"), "score"):
        metric, item = row.get("metric") or file.stem, (row["song"], row["stem"])
        if row["system"] in scores[metric][item]:
            raise UsageError(f"{file}: {metric} scores {row['system']} of {' / '.join(item)} twice; keep one row")
        scores[metric][item][row["system"]] = value
    return {metric: dict(items) for metric, items in scores.items()}


def published_scores() -> dict[str, dict[Item, dict[str, float]]]:
    """Return the scores of the published metrics, whose file has a column for each metric."""
    scores: dict[str, dict[Item, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    for row in csv.DictReader(METRICS_FILE.read_text(encoding="utf-8").splitlines()):
        item, system = (row.pop("song"), row.pop("stem")), row.pop("system")
        for metric, score in row.items():
            scores[metric][item][system] = float(score)
    return {metric: dict(items) for metric, items in scores.items()}


def mean_ratings(ratings: list[Rating]) -> dict[Item, dict[str, float]]:
    """Return the mean rating of each system, by item."""
    values: dict[Item, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for rating in ratings:
        values[rating.item][rating.system].append(rating.value)
    return {
        item: {system: math.fsum(given) / len(given) for system, given in systems.items()}
        for item, systems in values.items()
    }


def _rows(file: Path, names: tuple[str, ...], number: str) -> list[tuple[Mapping[str, str], float]]:
    """Return the rows of a CSV file with the one column that is a number."""
    try:
        rows = list(csv.DictReader(file.read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file}: cannot be read as a CSV file in UTF-8 ({type(error).__name__})") from error
    if not rows:
        raise UsageError(f"{file}: no rows; it needs the columns {', '.join((*names, number))}")
    if absent := [name for name in (*names, number) if name not in rows[0]]:
        raise UsageError(f"{file}: the columns must include {', '.join(absent)}; got {', '.join(rows[0])}")
    return [(row, _number(file, line, row, number)) for line, row in enumerate(rows, start=2)]


def _number(file: Path, line: int, row: Mapping[str, str], column: str) -> float:
    try:
        value = float(row[column])
    except (TypeError, ValueError):
        value = math.nan
    if not math.isfinite(value):
        raise UsageError(f"{file}, line {line}: {column} must be a finite number; got {row[column]!r}")
    return value
