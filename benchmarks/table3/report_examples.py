"""The best and the worst answers of every generator, short enough to be carried inside a page."""

import base64
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path

import numpy as np
import soundfile

from ..queries import Query
from .data import Table
from .manifests import Answered, Manifest
from .scoring import Answers, Samples

RATE = 22_050
"""Hz of the audio in a page."""
PER_SIDE = 2
"""Best answers, and worst ones, of a generator."""
PEAK = 0.9
LOWEST_GAIN_PEAK = 1e-4
"""Below this, audio is silence and is not made louder."""

Scores = Mapping[tuple[int, str, str], Mapping[str, float]]
"""(section, generator as asked for, label of the column) -> query id -> score."""


@dataclass(frozen=True)
class Example:
    """An answer to listen to.

    Attributes:
        section: number of its data set in the table.
        spec: of its generator.
        generator: name.
        verdict: "best" or "worst".
        column: by which.
        score: its own.
        query: what was asked.
        together: conditioning and answer, OGG.
        alone: the answer, OGG, as loud as in the mix.
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
        """Bytes in the page."""
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
        table: whose rows they are.
        scores: of its queries.
        manifests: one for each section.
        answered: generators of each.
        limit: bytes of all audio as it stands in the page. The extremes of every generator come first.
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
    """Where an example comes from; its audio is read when it is needed."""

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
            _encode(together * np.float32(gain)),
            _encode(answer * np.float32(gain)),
        )


def _ranked(scores: Mapping[str, float], section: int, one: Answered, manifest: Manifest, column: str) -> list[_Source]:
    """Return best, worst, second best, second worst, …; no answer twice."""
    queries = {query.id: query for query in one.queries}
    order = sorted((name for name in scores if name in queries), key=lambda name: (-scores[name], name))
    best, worst = order[:PER_SIDE], order[::-1][: min(PER_SIDE, max(0, len(order) - PER_SIDE))]
    pairs = zip_longest(((name, "best") for name in best), ((name, "worst") for name in worst))
    found = [entry for pair in pairs for entry in pair if entry is not None]
    return [_Source(section, one, manifest, queries[name], verdict, column, scores[name]) for name, verdict in found]


def _encode(samples: Samples) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, format="OGG", subtype="VORBIS", compression_level=0.9)
    return file.getvalue()
