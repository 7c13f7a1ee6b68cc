"""Guidance as measured: systems x judges; every answer and score is kept, and nothing is done twice."""

import argparse
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from cocola_metric.embedding_store import EmbeddingStore
from cocola_metric.errors import UsageError
from cocola_metric.fad import Array, SubFAD
from cocola_metric.intervals import Interval
from cocola_metric.scoring import ECHO_THRESHOLD, NOISE_THRESHOLD
from cocola_metric.training.paper import Task
from cocola_metric.whole_files import write_text_whole

from ..guides import open_guide, split_guidance
from ..queries import Query, task_of_manifest
from ..table1 import separation_gain
from ..table3 import Answers, Manifest, Metric, RealMusic, by_track, embed_mixes, open_manifest, open_metrics, summarize
from .data import Gain, Row, Suspects, SystemTable
from .judges import open_judges
from .markdown import guidance_markdown
from .rows import OWN, Chosen, Judged, Plan, judge_answers, rows_of

REFERENCES = {"ground_truth": "Ground Truth", "random": "Random", "echo": "Echo"}
"""Answers between which scores lie, by generator."""


class Measures:
    """The numbers of a row: gains over the own answers, distances, and what the guards count."""

    def __init__(self, manifest: Manifest, judges: Mapping[str, Metric], embedder: Metric) -> None:
        """Measure answers to a manifest."""
        assert embedder.embedder is not None
        self.manifest, self.judges, self.task = manifest, judges, task_of_manifest(manifest.queries)
        self.fad = SubFAD(embedder.embedder, cache=None)
        self.store = EmbeddingStore(manifest.root / "embeddings")

    def row(self, chosen: Chosen, own: Chosen | None = None) -> Row:
        """Return a row, beside the system's own answers to the same queries if it has some."""
        gains = {judge: self._gain(chosen, own, judge) for judge in self.judges}
        guards = chosen.verdicts(next(iter(self.judges)))
        distance, interval = self._distance(chosen)
        return Row(
            chosen.name,
            chosen.by,
            gains,
            distance,
            interval,
            self._separation(chosen, own) if self.task is Task.SS else None,
            _suspects([one.echo for one in guards], ECHO_THRESHOLD),
            _suspects([one.noise for one in guards], NOISE_THRESHOLD),
            sum(math.isnan(one.score) for one in guards),
        )

    def _gain(self, chosen: Chosen, own: Chosen | None, judge: str) -> Gain:
        scores = dict(zip(chosen.queries, (one.score for one in chosen.verdicts(judge)), strict=True))
        before = dict(zip(own.queries, (one.score for one in own.verdicts(judge)), strict=True)) if own else {}
        return _compared(scores, before)

    def _separation(self, chosen: Chosen, own: Chosen | None) -> Gain:
        def values(row: Chosen) -> dict[Query, float]:
            found = {query: one.answered.folder.read(query) for query, one in row.answers.items()}
            return {query: separation_gain(query, answer, self.manifest.heard) for query, answer in found.items()}

        return _compared(values(chosen), values(own) if own else {})

    def _distance(self, chosen: Chosen) -> tuple[float | None, Interval | None]:
        """Return sub-FAD; None for separation, whose mixtures are given, and for the reference itself."""
        if self.task is Task.SS or chosen.name == REFERENCES["ground_truth"]:
            return None, None
        made = [
            embed_mixes(self.fad.embedder, [query], self._answers(one), self.store, name=chosen.name)[0]
            for query, one in chosen.answers.items()
        ]
        real = embed_mixes(self.fad.embedder, chosen.queries, RealMusic(self.manifest.heard), self.store)
        sets: list[list[Array]] = [by_track(chosen.queries, one) for one in (made, real)]
        found = self.fad.compare(*sets)
        return found.fad, None if any(map(math.isnan, found.interval)) else found.interval

    def _answers(self, one: Judged) -> Answers:
        return Answers(one.answered.folder, self.manifest.heard)


def _suspects(values: Sequence[float], threshold: float) -> Suspects:
    return Suspects(sum(value >= threshold for value in values), float(np.mean(values)))


def _compared(values: Mapping[Query, float], before: Mapping[Query, float]) -> Gain:
    known = [value for value in values.values() if not math.isnan(value)]
    mean = float(np.mean(known)) if known else math.nan
    both = [query for query in values if query in before and not math.isnan(values[query] - before[query])]
    if not both:
        return Gain(mean)
    found = summarize([values[query] - before[query] for query in both], [query.conditioning.track for query in both])
    return Gain(mean, found.mean, found.interval if all(map(math.isfinite, found.interval)) else None, found.n)


def measure(options: argparse.Namespace) -> list[SystemTable]:
    """Make and judge all answers that the options of the command ask for.

    Raises:
        CocolaError: music, weights or answers cannot be read, generated or scored.
    """
    manifests = _open_manifests(options.queries, options.corpus, options.out)
    judges = open_judges(options.judges, options.cues, options.out, options.device)
    (embedder,) = open_metrics([], [options.embedder], options.device, None)
    if embedder.embedder is None:
        raise UsageError(f"--embedder {options.embedder}: {embedder.column.detail}")
    stage = {"device": options.device, "batch_size": options.batch_size}
    plans = _plans(options, judges, manifests)
    tables = []
    for task, manifest in manifests.items():
        measures = Measures(manifest, judges, embedder)
        references = [measures.row(_reference(manifest, spec, judges, stage)) for spec in REFERENCES]
        for plan in plans.get(task, []):
            rows: list[Row] = []
            own = None
            for chosen in rows_of(manifest, plan, judges, **stage):
                rows.append(measures.row(chosen, own))
                own = chosen if chosen.name == OWN else own
            tracks = len({query.conditioning.track for query in manifest.queries})
            about = (task.name, plan.name, plan.spec, len(manifest.queries), tracks, manifest.sha256)
            tables.append(SystemTable(*about, [*references, *rows]))
    return tables


def _reference(manifest: Manifest, spec: str, judges: Mapping[str, Metric], stage: Mapping[str, Any]) -> Chosen:
    one = judge_answers(manifest, spec, judges, **stage)
    return Chosen(REFERENCES[spec], "", dict.fromkeys(one.answered.queries, one))


def _open_manifests(files: Sequence[Path], corpus: str | None, out: Path) -> dict[Task, Manifest]:
    opened: dict[Task, Manifest] = {}
    for file in files:
        manifest = open_manifest(file, corpus, out)
        task = task_of_manifest(manifest.queries)
        if task in opened or task not in (Task.AG, Task.SS):
            raise UsageError(f"{file}: pass a manifest of AG, one of SS, or one of each; got one more of {task.name}")
        opened[task] = replace(manifest, root=out / task.name)
    return opened


def _plans(
    options: argparse.Namespace, judges: Mapping[str, Metric], manifests: Mapping[Task, Manifest]
) -> dict[Task, list[Plan]]:
    identities = {getattr(metric.scorer, "weights_sha256", ""): name for name, metric in judges.items()}
    guides = [(text, _judge_of(text, identities, options.device)) for text in options.guides]
    best_of = dict(_named("--best-of", text) for text in options.best_of)
    plans: dict[Task, list[Plan]] = {}
    for text in options.systems:
        place, spec = _named("--systems", text)
        task, _, name = place.partition("/")
        if task not in Task.__members__ or Task[task] not in manifests:
            raise UsageError(f"--systems: {text!r} names no task of --queries; write AG/NAME=GENERATOR")
        count = best_of.pop(place, "1")
        if not count.isdecimal() or int(count) < 1 or int(count) & (int(count) - 1):
            raise UsageError(f"--best-of: N must be a power of two, 1, 2, 4, …; got {count!r}")
        plans.setdefault(Task[task], []).append(Plan(name, spec, guides, int(count)))
    if best_of:
        raise UsageError(f"--best-of: {next(iter(best_of))} is no system of this table; name it in --systems")
    return plans


def _judge_of(text: str, identities: Mapping[str, str], device: str) -> str:
    """Return the judge that has the weights of a guide, or ""."""
    guidance, _ = split_guidance([f"guide={text.partition(',')[0]}"], "guidance")
    assert guidance is not None
    return identities.get(open_guide(guidance.encoder, device).identity, "")


def _named(option: str, text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name or not value:
        raise UsageError(f"{option} must be TASK/NAME=…; got {text!r}")
    return name, value


def run(options: argparse.Namespace) -> None:
    """Measure as the options of the command say; print the tables, and write them."""
    tables = measure(options)
    text = guidance_markdown(tables)
    write_text_whole(options.out / "guidance.md", text)
    data = json.dumps([asdict(table) for table in tables], indent=1, ensure_ascii=False)
    write_text_whole(options.out / "guidance.json", data + "\n")
    print(text, end="")
