"""The best and the worst answers of every generator, short enough to be embedded in a page."""

import base64
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path

import numpy as np
import soundfile

from cocola_metric.audio import without_serial_number

from ..queries import Query
from .answers import Answers, Samples
from .data import Table
from .manifests import Answered, Manifest

RATE = 22_050
"""Sample rate of the audio in a page, in Hz."""
PER_SIDE = 2
"""Number of best answers of a generator, and of worst ones."""
PEAK = 0.9
LOWEST_GAIN_PEAK = 1e-4
"""Peak below which audio is silence, and is not made louder."""

Scores = Mapping[tuple[int, str, str], Mapping[str, float]]
"""Score by query id, by section, generator as it was asked for, and label of the column."""


@dataclass(frozen=True)
class Example:
    """An answer to listen to.

    Attributes:
        section: number of its data set in the table.
        spec: generator as it was asked for.
        generator: name of the generator.
        verdict: "best" or "worst".
        column: label of the column that ranks the answers.
        score: score of the answer in that column.
        query: query that it answers.
        together: conditioning and answer, OGG.
        alone: answer without the conditioning, OGG, as loud as in the mix.
    """

    section: int
    spec: str
    generator: str
    verdict: str
    column: str
    score: float
    query: Query
    together: bytes
    alone: bytes

    @property
    def size(self) -> int:
        """Number of bytes in the page."""
        return len(data_uri(self.together)) + len(data_uri(self.alone))


def read_scores(table: Table, root: Path) -> dict[tuple[int, str, str], dict[str, float]]:
    """Read the score of every query from the files that a table names; those without a score are left out."""
    scores: dict[tuple[int, str, str], dict[str, float]] = {}
    for number, section in enumerate(table.sections):
        for row in section.rows:
            for label, cell in row.cells.items():
                if cell.scores:
                    lines = (root / cell.scores).read_text(encoding="utf-8").splitlines()
                    rows = [json.loads(line) for line in lines]
                    found = {row["id"]: row["score"] for row in rows if row["score"] is not None}
                    scores[number, row.spec, label] = found
    return scores


def choose_examples(
    table: Table,
    scores: Scores,
    manifests: Sequence[Manifest],
    answered: Sequence[Sequence[Answered]],
    *,
    limit: int,
) -> list[Example]:
    """Return the best and worst answers of every generator by its first COCOLA column, as many as fit.

    Args:
        table: table whose rows are illustrated.
        scores: scores of its queries.
        manifests: manifests, one for each section.
        answered: generators of each section.
        limit: most bytes of audio in the page; the extremes of every generator come first.
    """
    groups = []
    for number, (manifest, group) in enumerate(zip(manifests, answered, strict=True)):
        for one in group:
            label = next((key[2] for key in scores if key[:2] == (number, one.entry.spec) and scores[key]), None)
            if label is not None:
                groups.append(_ranked(scores[number, one.entry.spec, label], number, one, manifest, label))
    chosen: list[Example] = []
    left = limit
    for source in chain.from_iterable(zip_longest(*groups)):
        if source is not None:
            example = source.example()
            if example.size > left:
                break
            left -= example.size
            chosen.append(example)
    return sorted(
        chosen, key=lambda one: (one.section, [row.spec for row in table.sections[one.section].rows].index(one.spec))
    )


def data_uri(audio: bytes) -> str:
    """Return audio as a URI that needs no file."""
    return "data:audio/ogg;base64," + base64.b64encode(audio).decode("ascii")


@dataclass(frozen=True)
class _Source:
    """An example before its audio is read."""

    section: int
    one: Answered
    manifest: Manifest
    query: Query
    verdict: str
    column: str
    score: float

    def example(self) -> Example:
        given, answer = Answers(self.one.folder, self.manifest.audio).pair(self.query, RATE)
        together = given + answer
        peak = max(float(np.abs(side).max(initial=0.0)) for side in (together, answer))
        gain = PEAK / peak if peak > LOWEST_GAIN_PEAK else 1.0
        return Example(
            self.section,
            self.one.entry.spec,
            self.one.name,
            self.verdict,
            self.column,
            self.score,
            self.query,
            encode(together * np.float32(gain)),
            encode(answer * np.float32(gain)),
        )


def _ranked(scores: Mapping[str, float], section: int, one: Answered, manifest: Manifest, column: str) -> list[_Source]:
    """Return best, worst, second best, second worst and so on; no answer twice."""
    queries = {query.id: query for query in one.queries}
    order = sorted((name for name in scores if name in queries), key=lambda name: (-scores[name], name))
    best, worst = order[:PER_SIDE], order[::-1][: min(PER_SIDE, max(0, len(order) - PER_SIDE))]
    pairs = zip_longest(((name, "best") for name in best), ((name, "worst") for name in worst))
    found = [entry for pair in pairs for entry in pair if entry is not None]
    return [_Source(section, one, manifest, queries[name], verdict, column, scores[name]) for name, verdict in found]


def encode(samples: Samples) -> bytes:
    """Return samples at ``RATE`` as an OGG file."""
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, format="OGG", subtype="VORBIS", compression_level=0.9)
    return without_serial_number(file.getvalue())
