"""Table 3 as data: generators x columns for every data set, and why a cell is empty where it is."""

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
"""The columns of the paper by kind and name of ours."""
PUBLISHED_DATASETS = {"slakh2100": "Slakh2100", "musdb18hq": "MUSDB18-HQ", "moisesdb": "MoisesDB"}
"""The data sets of the paper by the name that queries give them."""
_SYSTEM_NAMES = {name.lower(): name for name in SYSTEMS}


@dataclass(frozen=True)
class Column:
    """A metric.

    Attributes:
        kind: "COCOLA", higher is better, or "sub-FAD", lower is better.
        name: of the encoder or embedder.
        signature: the recipe of its numbers; empty where it has none.
        missing: why there are none, or empty.
        detail: the same at length, with the way out.
    """

    kind: Kind
    name: str
    signature: str = ""
    missing: str = ""
    detail: str = ""

    @property
    def label(self) -> str:
        """What stands above it."""
        return f"{self.kind} {self.name}"


@dataclass(frozen=True)
class Cell:
    """A number with its circumstances, or the reason why there is none.

    Attributes:
        value: mean COCOLA score, or distance.
        deviation: standard deviation of the scores; None for a distance.
        interval: 95 % bootstrap interval over tracks; BCa of a score, percentiles of a distance.
        n: scores, or embeddings.
        tracks: of music.
        silent: answers without a score because no window has sound on both sides.
        missing: the reason.
        published: the paper's value for the same row, column and data set.
        circumstances: more about a distance, `FadResult.as_json`.
        scores: the file with the score of every query, beside the table.
    """

    value: float | None = None
    deviation: float | None = None
    interval: tuple[float, float] | None = None
    n: int = 0
    tracks: int = 0
    silent: int = 0
    missing: str = ""
    published: float | None = None
    circumstances: Mapping[str, Any] = field(default_factory=dict)
    scores: str = ""


@dataclass(frozen=True)
class Row:
    """A generator and its cells by the label of their column.

    Attributes:
        generator: name.
        spec: as it was asked for.
        candidates: of which the loudest answer was taken.
        answered: queries with an answer.
        unsupported: reason -> queries that it cannot answer.
        cells: by label.
    """

    generator: str
    spec: str
    candidates: int
    answered: int
    unsupported: Mapping[str, int]
    cells: Mapping[str, Cell]


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
        columns: of all sections.
        sections: one for each manifest.
        band: Hz to which all audio was limited, or None.
    """

    columns: Sequence[Column]
    sections: Sequence[Section]
    band: float | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it as plain data, with the paper's table beside it."""
        return {**asdict(self), "published": PUBLISHED_TABLE_3}


def published_value(dataset: str, generator: str, column: Column) -> float | None:
    """Return what the paper has for a cell, or None."""
    rows = PUBLISHED_TABLE_3.get(PUBLISHED_DATASETS.get(dataset, ""), {})
    name = PUBLISHED_COLUMNS.get((column.kind, column.name), "")
    return rows.get(generator, {}).get(name)


def system_without_weights(spec: str) -> str | None:
    """Return the name of the paper's system that a bare word such as "msdm" asks for, without saying where it is."""
    return _SYSTEM_NAMES.get(spec.lower())


def why_missing(system: str, dataset: str) -> str:
    """Say why a system of the paper has no row of numbers for a data set.

    >>> why_missing("MSDM", "musdb18hq"), why_missing("MSDM", "slakh2100")
    ('not released', 'weights not on this machine')
    """
    weights = SYSTEMS[system].weights
    title = PUBLISHED_DATASETS.get(dataset)
    return NOT_RELEASED if not weights or (title is not None and title not in weights) else NO_WEIGHTS
