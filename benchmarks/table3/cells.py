"""A cell of Table 3: the answers of one generator by one metric, computed or found on the disk."""

import hashlib
import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

from cocola_metric import __version__
from cocola_metric.embedding_store import EmbeddingStore
from cocola_metric.fad import Array, Embedder, SubFAD
from cocola_metric.json_files import json_text, read_json
from cocola_metric.scorer import CocolaScorer
from cocola_metric.whole_files import make_folder, write_text_whole

from .answers import Answers, RealMusic
from .data import IS_REFERENCE, NOT_RELEASED, SILENT, Cell, Column, system_without_weights, why_missing
from .embedding import embed_mixes
from .manifests import Answered, Manifest
from .metrics import Metric
from .scoring import Engine, by_track, score_answers
from .statistics import summarize


def measure_cell(manifest: Manifest, one: Answered, metric: Metric, engine: Engine) -> Cell:
    """Return a cell: a number, or the reason why there is none.

    Args:
        manifest: queries that are answered.
        one: answers of a generator.
        metric: column of the cell.
        engine: engine of the COCOLA columns.

    Raises:
        AudioError: an answer is missing or damaged.
    """
    if not one.queries:
        system = system_without_weights(one.name)
        if system and why_missing(system, manifest.queries[0].dataset) == NOT_RELEASED:
            return Cell(missing=NOT_RELEASED)
        return Cell(missing=Counter(one.unsupported.values()).most_common(1)[0][0])
    if metric.column.missing:
        return Cell(missing=metric.column.missing)
    if metric.scorer is not None:
        return _cocola_cell(manifest, one, metric.scorer, metric.column, engine)
    assert metric.embedder is not None
    if one.entry.spec == "ground_truth":
        return Cell(missing=IS_REFERENCE)
    return _distance_cell(manifest, one, metric.embedder)


def _cocola_cell(manifest: Manifest, one: Answered, scorer: CocolaScorer, column: Column, engine: Engine) -> Cell:
    file = manifest.root / "scores" / _slug(column.label) / f"{one.entry.place}.jsonl"
    answers = Answers(one.folder, manifest.heard)
    scored = score_answers(scorer, one.queries, answers, file, name=f"{column.label}: {one.name}", engine=engine)
    heard = [query for query in one.queries if not math.isnan(scored.scores[query.id])]
    silent = len(one.queries) - len(heard)
    place = file.relative_to(manifest.root.parent).as_posix()
    if not heard:
        return Cell(missing=SILENT, silent=silent, scores=place)
    summary = summarize([scored.scores[query.id] for query in heard], [query.conditioning.track for query in heard])
    return Cell(
        summary.mean,
        _finite(summary.deviation),
        _interval(summary.interval),
        summary.n,
        summary.tracks,
        silent,
        scored.echoes,
        scored.noises,
        scores=place,
    )


def _distance_cell(manifest: Manifest, one: Answered, embedder: Embedder) -> Cell:
    fad = SubFAD(embedder, cache=None)
    answers, real = Answers(one.folder, manifest.heard), RealMusic(manifest.heard)
    identities = [music.identity(query) for music in (answers, real) for query in one.queries]
    content = [
        __version__,
        fad.recipe,
        fad.resamples,
        fad.seed,
        [query.conditioning.track for query in one.queries],
        identities,
    ]
    key = hashlib.sha256(json.dumps(content).encode()).hexdigest()
    file = manifest.root / "scores" / _slug(f"sub-FAD {embedder.name}") / f"{one.entry.place}.json"
    result = _read_result(file, key)
    if result is None:
        result = _measure(fad, manifest, one, answers, real)
        make_folder(file.parent)
        write_text_whole(file, json_text({"key": key, "result": result}) + "\n")
    return Cell(
        result["fad"],
        None,
        None if None in result["interval"] else tuple(result["interval"]),
        result["n"],
        result["tracks"],
        circumstances={name: value for name, value in result.items() if name != "per_song"},
    )


def _measure(fad: SubFAD, manifest: Manifest, one: Answered, answers: Answers, real: RealMusic) -> dict[str, Any]:
    cache = EmbeddingStore(manifest.root / "embeddings")

    def embed(music: Answers | RealMusic, name: str) -> list[Array]:
        return by_track(one.queries, embed_mixes(fad.embedder, one.queries, music, cache, name=name))

    label = f"sub-FAD {fad.embedder.name}"
    return fad.compare(embed(answers, f"{label}: {one.name}"), embed(real, f"{label}: real music")).as_json()


def _read_result(file: Path, key: str) -> dict[str, Any] | None:
    try:
        kept = read_json(file, most_bytes=2**28)
        return dict(kept["result"]) if kept["key"] == key else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _slug(label: str) -> str:
    return "".join(sign if sign.isalnum() else "_" for sign in label.lower())


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _interval(interval: tuple[float, float]) -> tuple[float, float] | None:
    return interval if all(map(math.isfinite, interval)) else None
