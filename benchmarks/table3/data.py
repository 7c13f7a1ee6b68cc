"""Table 3 as data: generators x columns for every data set, and the reason for every empty cell."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from cocola_metric.training.paper import PUBLISHED_TABLE_3

from .systems import SYSTEMS

Kind = Literal["COCOLA", "sub-FAD"]
NOT_RELEASED = "not released"
NO_WEIGHTS = "weights not on this machine"
IS_REFERENCE = "is the reference"
SILENT = "silent throughout"
PUBLISHED_COLUMNS = {
    ("COCOLA", "all"): "COCOLA All",
    ("COCOLA", "cocochorales"): "COCOLA CocoChorales",
    ("sub-FAD", "clap"): "FAD CLAP",
    ("sub-FAD", "encodec"): "FAD EnCodec",
    ("sub-FAD", "vggish"): "FAD VGGish",
}
"""The paper's column for each kind and name of our columns."""
PUBLISHED_DATASETS = {"slakh2100": "Slakh2100", "musdb18hq": "MUSDB18-HQ", "moisesdb": "MoisesDB"}
"""The paper's name of a data set by the name in queries."""
_SYSTEM_NAMES = {name.lower(): name for name in SYSTEMS}


@dataclass(frozen=True)
class Column:
    """A metric.

    Attributes:
        kind: "COCOLA", higher is better, or "sub-FAD", lower is better.
        name: name of the encoder or embedder.
        signature: recipe of its numbers; empty if it has none.
        missing: reason why it has no numbers; empty if it has some.
        detail: reason at length, with the way out.
    """

    kind: Kind
    name: str
    signature: str = ""
    missing: str = ""
    detail: str = ""

    @property
    def label(self) -> str:
        """Heading of the column."""
        return f"{self.kind} {self.name}"


@dataclass(frozen=True)
class Cell:
    """A number with its circumstances, or the reason why there is none.

    Attributes:
        value: mean COCOLA score, or distance.
        deviation: standard deviation of the scores; None for a distance.
        interval: 95 % bootstrap interval over tracks; BCa of a score, percentiles of a distance.
        n: number of scores or embeddings.
        tracks: number of tracks.
        silent: number of answers without a score because no window has sound on both sides.
        echoes: number of answers that seem to contain their conditioning.
        noises: number of answers that seem to be noise.
        missing: reason why there is no number; empty if there is one.
        published: value of the paper for the same row, column and data set.
        circumstances: details of a distance, `FadResult.as_json`.
        scores: file with the score of every query, relative to the table's folder.
    """

    value: float | None = None
    deviation: float | None = None
    interval: tuple[float, float] | None = None
    n: int = 0
    tracks: int = 0
    silent: int = 0
    echoes: int = 0
    noises: int = 0
    missing: str = ""
    published: float | None = None
    circumstances: Mapping[str, Any] = field(default_factory=dict)
    scores: str = ""


@dataclass(frozen=True)
class Row:
    """A generator and its cells by the label of their column.

    Attributes:
        generator: name of the generator.
        spec: generator as it was asked for on the command line.
        candidates: number of answers to each query, of which the loudest was kept.
        answered: number of queries with an answer.
        unsupported: number of queries that it cannot answer, by reason.
        cells: cells by the label of their column.
    """

    generator: str
    spec: str
    candidates: int
    answered: int
    unsupported: Mapping[str, int]
    cells: Mapping[str, Cell]


def suspicions(row: Row) -> list[str]:
    """Return notes on answers whose scores say little: echoes of their conditioning, and noise."""
    echoes = max((cell.echoes for cell in row.cells.values()), default=0)
    noises = max((cell.noises for cell in row.cells.values()), default=0)
    notes = [f"{echoes} of {row.answered} answers seem to contain their conditioning (echo)"] if echoes else []
    return notes + ([f"{noises} of {row.answered} answers seem to be noise"] if noises else [])


@dataclass(frozen=True)
class Section:
    """A data set: its queries and its rows."""

    dataset: str
    split: str
    seconds: float
    queries: int
    tracks: int
    queries_sha256: str
    rows: Sequence[Row]

    @property
    def title(self) -> str:
        """The data set's name in the paper, or its own."""
        return PUBLISHED_DATASETS.get(self.dataset, self.dataset)


@dataclass(frozen=True)
class Table:
    """Everything that was measured, as `table3.json` has it.

    Attributes:
        columns: columns of all sections.
        sections: sections, one for each manifest.
        band: highest frequency of all audio that was scored, in Hz; None without a limit.
    """

    columns: Sequence[Column]
    sections: Sequence[Section]
    band: float | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it as plain data, with the paper's table beside it."""
        return {**asdict(self), "published": PUBLISHED_TABLE_3}


def published_value(dataset: str, generator: str, column: Column) -> float | None:
    """Return the paper's value for a cell, or None."""
    rows = PUBLISHED_TABLE_3.get(PUBLISHED_DATASETS.get(dataset, ""), {})
    name = PUBLISHED_COLUMNS.get((column.kind, column.name), "")
    return rows.get(generator, {}).get(name)


def system_without_weights(spec: str) -> str | None:
    """Return the paper's system that a bare word such as "msdm" names, which says nothing of its weights; or None."""
    return _SYSTEM_NAMES.get(spec.lower())


def why_missing(system: str, dataset: str) -> str:
    """Return why a system of the paper has no row of numbers for a data set.

    >>> why_missing("MSDM", "musdb18hq"), why_missing("MSDM", "slakh2100")
    ('not released', 'weights not on this machine')
    """
    weights = SYSTEMS[system].weights
    title = PUBLISHED_DATASETS.get(dataset)
    return NOT_RELEASED if not weights or (title is not None and title not in weights) else NO_WEIGHTS
