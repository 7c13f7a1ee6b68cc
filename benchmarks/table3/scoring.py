"""The second stage of Table 3: scores and embeddings of every answer, kept on disk query by query.

A row of numbers is kept with a key of everything it depends on: the samples of both sides, the content of the answer,
the band, and the recipe of the encoder. A row is computed again only if its key has changed.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from cocola_metric.audio import SAMPLE_RATE
from cocola_metric.errors import AudioError
from cocola_metric.fad import Array
from cocola_metric.json_files import json_text, parsed_json
from cocola_metric.scorer import CocolaScorer
from cocola_metric.scoring import ECHO_THRESHOLD, NOISE_THRESHOLD
from cocola_metric.whole_files import make_folder, write_text_whole, written_alone

from ..queries import Query
from .answers import Accompaniments, hash_of

AT_ONCE = 4
"""Number of queries that are scored together, here and by a worker of Ray: with it the last bits of a score change."""
Engine = Callable[[CocolaScorer, Sequence[Query], Accompaniments, Mapping[str, str]], Iterator[dict[str, Any]]]
"""Function that computes rows of scores, in any order: in this process (`score_in_process`), or on other machines."""


@dataclass(frozen=True)
class Scored:
    """COCOLA scores of answers, and how many of them were computed.

    Attributes:
        scores: score by query id, the mean over windows; NaN if no window has sound on both sides.
        computed: number of queries that were scored now.
        kept: number of queries that had been scored before.
        echoes: number of answers that seem to contain their conditioning.
        noises: number of answers that seem to be noise.
    """

    scores: Mapping[str, float]
    computed: int
    kept: int
    echoes: int = 0
    noises: int = 0


def score_in_process(
    scorer: CocolaScorer, queries: Sequence[Query], answers: Accompaniments, keys: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    """Yield a row for each query, in order, as it becomes ready.

    Args:
        scorer: scorer of all queries.
        queries: queries with an answer.
        answers: answers to be scored.
        keys: key of each query's row, by query id.

    Raises:
        AudioError: an answer is missing or damaged.
    """
    for first in range(0, len(queries), AT_ONCE):
        batch = queries[first : first + AT_ONCE]
        pairs = [answers.pair(query, SAMPLE_RATE) for query in batch]
        results = scorer.iter_scores([(given[None], answer[None]) for given, answer in pairs], sample_rate=SAMPLE_RATE)
        for query, result in zip(batch, results, strict=True):
            if isinstance(result, AudioError):
                raise AudioError(f"{query.id}: {result}") from result
            windows = [_plain(score) for score in result.scores]
            guards = {"echo": _plain(result.mean_echo), "noise": _plain(result.mean_noise)}
            yield {"id": query.id, "key": keys[query.id], "score": _plain(result.mean), "windows": windows, **guards}


def score_answers(
    scorer: CocolaScorer,
    queries: Sequence[Query],
    answers: Accompaniments,
    file: Path,
    *,
    name: str = "score",
    engine: Engine = score_in_process,
) -> Scored:
    """Return the COCOLA score of (conditioning, answer), in this order, for every query (Eq. 4).

    Each line of the file is a query: id, key, score, the scores of its windows (null where there is silence), echo
    and noise. It is written as scores become ready, so a run that was stopped goes on. A line that was cut short is
    computed again.

    Args:
        scorer: scorer whose signature is part of every key.
        queries: queries with an answer.
        answers: answers to be scored.
        file: JSON lines, created or completed.
        name: text of the progress bar.
        engine: function that computes the rows.

    Raises:
        AudioError: an answer is missing or damaged.
        UsageError: another run scores into the file.
    """
    make_folder(file.parent)
    with written_alone(file):
        return _score_into(file, scorer, queries, answers, engine, name)


def _score_into(
    file: Path, scorer: CocolaScorer, queries: Sequence[Query], answers: Accompaniments, engine: Engine, name: str
) -> Scored:
    keys = {query.id: hash_of([scorer.signature, answers.identity(query)]) for query in queries}
    found = list(read_rows(file))
    rows = {row["id"]: row for row in found if keys.get(str(row["id"])) == row["key"]}
    todo = [query for query in queries if query.id not in rows]
    kept = len(rows)
    if todo or len(found) != kept:
        write_text_whole(file, "".join(_line(row) for row in rows.values()))
    with (
        file.open("a", encoding="utf-8") as out,
        tqdm(total=len(queries), initial=kept, desc=name, unit="query", disable=None) as bar,
    ):
        for row in engine(scorer, todo, answers, keys):
            rows[row["id"]] = row
            out.write(_line(row))
            out.flush()
            bar.update()
    scores = {query.id: _number(rows[query.id]["score"]) for query in queries}
    echoes = sum((rows[query.id]["echo"] or 0) >= ECHO_THRESHOLD for query in queries)
    noises = sum((rows[query.id]["noise"] or 0) >= NOISE_THRESHOLD for query in queries)
    return Scored(scores, len(todo), kept, echoes, noises)


def by_track(queries: Sequence[Query], embeddings: Sequence[Array]) -> list[Array]:
    """Return the embeddings of each track, which are redrawn together, in the order of the tracks' names."""
    tracks: dict[str, list[Array]] = {}
    for query, rows in zip(queries, embeddings, strict=True):
        tracks.setdefault(query.conditioning.track, []).append(rows)
    return [np.concatenate(tracks[track]) for track in sorted(tracks)]


def read_rows(file: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a file of scores; none without a file. A damaged row has the key "damaged"."""
    if not file.is_file():
        return
    for line in file.read_bytes().splitlines():
        try:
            row = parsed_json(line.decode("utf-8"))
            kept = {name: row[name] for name in ("id", "key", "score", "windows", "echo", "noise")}
            numbers = [kept["score"], *kept["windows"], kept["echo"], kept["noise"]]
            if not all(value is None or type(value) in (int, float) for value in numbers):
                raise ValueError("a score that is no number")
        except (ValueError, KeyError, TypeError):
            kept = {"id": "", "key": "damaged"}
        yield kept


def _line(row: Mapping[str, Any]) -> str:
    return json_text(row) + "\n"


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else value


def _number(value: float | None) -> float:
    return math.nan if value is None else value
