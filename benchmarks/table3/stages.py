"""The stages behind Table 3: generate, score, and put together what is on disk; nothing is done twice."""

import hashlib
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from cocola_metric import __version__
from cocola_metric.errors import CheckpointError, MissingExtraError, UsageError
from cocola_metric.fad import Array, Embedder, EmbeddingCache, SubFAD, new_embedder
from cocola_metric.identity import file_sha256
from cocola_metric.scorer import CocolaScorer
from cocola_metric.whole_files import write_text_whole

from ..generators import GeneratedFolder, Setting, generate_answers, open_generated, open_generator
from ..queries import ConditioningAudio, Query, find_tracks, read_queries
from .data import (
    IS_REFERENCE,
    NO_WEIGHTS,
    NOT_RELEASED,
    SILENT,
    Cell,
    Column,
    Row,
    Section,
    published_value,
    system_without_weights,
    why_missing,
)
from .scoring import (
    Answers,
    Engine,
    RealMusic,
    RememberingAudio,
    by_track,
    embed_mixes,
    score_answers,
    score_in_process,
)
from .statistics import summarize


@dataclass(frozen=True)
class Manifest:
    """The queries of a data set, and where everything about them is kept.

    Attributes:
        queries: of the file.
        sha256: of the file.
        audio: whole, for generators.
        heard: limited to the band, for scores.
        root: folder of answers and scores.
    """

    queries: Sequence[Query]
    sha256: str
    audio: RememberingAudio
    heard: RememberingAudio
    root: Path


@dataclass(frozen=True)
class Entry:
    """A generator in a table: "random", "msdm:FILE", or the bare name of a system whose weights are not here."""

    spec: str
    candidates: int = 1

    @property
    def place(self) -> str:
        """Name of its folders: its own, and a hash of what its argument is."""
        name, _, argument = self.spec.partition(":")
        if not argument and self.candidates == 1:
            return name
        return f"{name}-{hashlib.sha256(f'{self.spec}|{self.candidates}'.encode()).hexdigest()[:8]}"


@dataclass(frozen=True)
class Answered:
    """A generator's answers to a manifest."""

    entry: Entry
    name: str
    folder: GeneratedFolder
    queries: Sequence[Query]
    unsupported: Mapping[str, str]


@dataclass(frozen=True)
class Metric:
    """A column, and what computes it: a scorer, an embedder, or neither where it is missing."""

    column: Column
    scorer: CocolaScorer | None = None
    embedder: Embedder | None = None


def open_manifests(
    files: Sequence[Path], corpora: Sequence[str | None], out: Path, band: float | None
) -> list[Manifest]:
    """Open manifests with their music.

    Raises:
        AudioError: there is no music.
        UsageError: two would be kept in one folder, or a manifest is no good.
    """
    manifests = []
    for file, corpus in zip(files, corpora, strict=True):
        queries = read_queries(file)
        tracks = find_tracks(file, queries, corpus)
        first = queries[0]
        root = out / f"{first.dataset}-{first.split}-{first.seconds:g}s-seed{first.seed}"
        whole = RememberingAudio(tracks)
        heard = whole if band is None else RememberingAudio(tracks, band=band)
        manifests.append(Manifest(queries, file_sha256(file), whole, heard, root))
    for one, other in pairwise(sorted(manifests, key=lambda manifest: manifest.root)):
        if one.root == other.root:
            raise UsageError(
                f"{one.root.name}: two manifests of this name; make a table of each, with --out of its own"
            )
    return manifests


def open_metrics(encoders: Sequence[str], embedders: Sequence[str], device: str, band: float | None) -> list[Metric]:
    """Load encoders and embedders; a column whose weights cannot be had says so.

    Args:
        encoders: names or places, as for `CocolaScorer.from_pretrained`, or NAME=PLACE.
        embedders: names of `EMBEDDERS`.
        device: of the encoders.
        band: that is part of a recipe.

    Raises:
        UsageError: there is no embedder of a name, or a column is asked for twice.
    """
    metrics = [_open_encoder(spec, device, band) for spec in encoders]
    metrics += [_open_embedder(name, band) for name in embedders]
    twice = [label for label, times in Counter(metric.column.label for metric in metrics).items() if times > 1]
    if twice:
        raise UsageError(f"{twice[0]}: asked for twice; tell encoders apart by NAME=PLACE")
    return metrics


def generate_stage(
    manifest: Manifest, entries: Sequence[Entry], *, seed: int, device: str, batch_size: int = 1
) -> list[Answered]:
    """Let every generator with weights answer the queries of a manifest.

    Raises:
        CocolaError: a generator cannot be opened, or fails.
    """
    answered = []
    setting = Setting(manifest.audio, manifest.sha256, device, manifest.queries)
    conditioning = ConditioningAudio(manifest.audio.tracks)
    for entry in entries:
        if system_without_weights(entry.spec):
            continue
        generator = open_generator(entry.spec, setting, candidates=entry.candidates)
        out = manifest.root / "answers" / entry.place
        generate_answers(
            manifest.queries,
            conditioning,
            generator,
            out,
            queries_sha256=manifest.sha256,
            seed=seed,
            batch_size=batch_size,
        )
        folder = open_generated(out, manifest.sha256)
        reasons = dict(folder.about["unsupported"])
        queries = [query for query in manifest.queries if query.id not in reasons]
        answered.append(Answered(entry, generator.name, folder, queries, reasons))
    return answered


def score_stage(
    manifest: Manifest, answered: Sequence[Answered], metrics: Sequence[Metric], engine: Engine = score_in_process
) -> dict[str, Cell]:
    """Compute every cell of a manifest; return them by "<folder of the generator>/<label of the column>".

    Args:
        manifest: of the queries.
        answered: by generators.
        metrics: columns.
        engine: of the COCOLA columns.

    Raises:
        AudioError: an answer is missing or damaged.
    """
    return {
        f"{one.entry.place}/{metric.column.label}": _cell(manifest, one, metric, engine)
        for metric in metrics
        for one in answered
    }


def table_stage(
    manifest: Manifest,
    entries: Sequence[Entry],
    answered: Sequence[Answered],
    metrics: Sequence[Metric],
    cells: Mapping[str, Cell],
) -> Section:
    """Put together the rows of a data set, those without numbers too."""
    first = manifest.queries[0]
    known = {one.entry: one for one in answered}
    rows = []
    for entry in entries:
        one = known.get(entry)
        system = system_without_weights(entry.spec)
        name = one.name if one is not None else str(system)
        row_cells = {}
        for metric in metrics:
            label = metric.column.label
            cell = cells[f"{entry.place}/{label}"] if one else Cell(missing=why_missing(str(system), first.dataset))
            row_cells[label] = replace(cell, published=published_value(first.dataset, name, metric.column))
        reasons = dict(Counter(one.unsupported.values())) if one else {}
        rows.append(Row(name, entry.spec, entry.candidates, len(one.queries) if one else 0, reasons, row_cells))
    return Section(
        dataset=first.dataset,
        split=first.split,
        seconds=first.seconds,
        queries=len(manifest.queries),
        tracks=len({query.conditioning.track for query in manifest.queries}),
        queries_sha256=manifest.sha256,
        rows=rows,
    )


def _open_encoder(spec: str, device: str, band: float | None) -> Metric:
    name, equals, place = spec.partition("=")
    try:
        scorer = CocolaScorer.from_pretrained(place if equals else spec, device=device)
    except CheckpointError as error:
        return Metric(Column("COCOLA", name, missing=NO_WEIGHTS, detail=str(error)))
    label = name if equals else scorer.name
    return Metric(Column("COCOLA", label, signature=_with_band(scorer.signature, band)), scorer=scorer)


def _open_embedder(name: str, band: float | None) -> Metric:
    try:
        embedder = new_embedder(name)
    except MissingExtraError as error:
        return Metric(Column("sub-FAD", name, missing="extra [fad] not installed", detail=str(error)))
    except CheckpointError as error:
        return Metric(Column("sub-FAD", name, missing=NO_WEIGHTS, detail=str(error)))
    signature = _with_band(SubFAD(embedder, cache=None).recipe, band)
    return Metric(Column("sub-FAD", name, signature=signature), embedder=embedder)


def _with_band(signature: str, band: float | None) -> str:
    return signature if band is None else f"{signature}|band:{band:g}"


def _cell(manifest: Manifest, one: Answered, metric: Metric, engine: Engine) -> Cell:
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
        file.parent.mkdir(parents=True, exist_ok=True)
        write_text_whole(file, json.dumps({"key": key, "result": result}) + "\n")
    return Cell(
        result["fad"],
        None,
        None if None in result["interval"] else tuple(result["interval"]),
        result["n"],
        result["tracks"],
        circumstances={name: value for name, value in result.items() if name != "per_song"},
    )


def _measure(fad: SubFAD, manifest: Manifest, one: Answered, answers: Answers, real: RealMusic) -> dict[str, Any]:
    cache = EmbeddingCache(manifest.root / "embeddings")

    def embed(music: Answers | RealMusic, name: str) -> list[Array]:
        return by_track(one.queries, embed_mixes(fad.embedder, one.queries, music, cache, name=name))

    label = f"sub-FAD {fad.embedder.name}"
    return fad.compare(embed(answers, f"{label}: {one.name}"), embed(real, f"{label}: real music")).as_json()


def _read_result(file: Path, key: str) -> dict[str, Any] | None:
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
        return dict(kept["result"]) if kept["key"] == key else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _slug(label: str) -> str:
    return "".join(sign if sign.isalnum() else "_" for sign in label.lower())


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _interval(interval: tuple[float, float]) -> tuple[float, float] | None:
    return interval if all(map(math.isfinite, interval)) else None
