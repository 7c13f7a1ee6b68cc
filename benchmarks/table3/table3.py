"""Regenerate Table 3: generators x metrics per data set, the published value beside ours.

Stages: generate, score, table. Each is kept under --out, goes on where it stopped, and does nothing twice. Written are
table3.md, table3.json, and table3.html with score distributions, and with queries across systems and the best and worst
examples to listen to.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace

from cocola_metric.dispatch import require
from cocola_metric.errors import UsageError
from cocola_metric.training.paper import Task
from cocola_metric.whole_files import write_text_whole

from ..generators import GENERATORS
from ..queries import task_of_manifest
from .data import Table, system_without_weights
from .manifests import Answered, Entry, open_manifests
from .markdown import table_3_markdown
from .metrics import open_metrics
from .ray_engine import RayEngine
from .report_comparisons import choose_comparisons
from .report_examples import choose_examples, read_scores
from .scoring import score_in_process
from .stages import generate_stage, score_stage, table_stage

MEGABYTE = 1_000_000


def make_table(options: argparse.Namespace) -> dict[str, object]:
    """Run the stages asked for; return a summary as plain data.

    Raises:
        CocolaError: music, weights or answers cannot be read, generated or scored, or the page's extra is missing.
    """
    if options.until == "table":
        require("jinja2")
    entries = _entries(options.generators, options.candidates)
    corpora = options.corpus or [None] * len(options.queries)
    if len(corpora) != len(options.queries):
        raise UsageError(f"pass --corpus for each --queries, or none; got {len(corpora)} for {len(options.queries)}")
    manifests = open_manifests(options.queries, corpora, options.out, options.band)
    if any(task_of_manifest(manifest.queries) is Task.SS for manifest in manifests):
        raise UsageError("separated stems have nothing beside them to fit; measure them with the command table1")
    opened = RayEngine(options.workers) if options.engine == "ray" else nullcontext(score_in_process)
    scoring = options.until != "generate"
    metrics = open_metrics(options.encoders, options.embedders, options.device, options.band) if scoring else []
    answered = [
        generate_stage(manifest, entries, seed=options.seed, device=options.device, batch_size=options.batch_size)
        for manifest in manifests
    ]
    for group in answered:
        _refuse_namesakes(group)
    if not scoring:
        return {"answers": [str(one.folder.root) for group in answered for one in group]}
    with opened as engine:
        cells = [
            score_stage(manifest, group, metrics, engine) for manifest, group in zip(manifests, answered, strict=True)
        ]
    if isinstance(engine, RayEngine) and engine.pool.done:
        print(f"table3: {engine.pool.summary('scored', 'queries')}", file=sys.stderr)
    sections = [
        table_stage(manifest, entries, group, metrics, known)
        for manifest, group, known in zip(manifests, answered, cells, strict=True)
    ]
    table = Table([metric.column for metric in metrics], sections, options.band)
    if options.until == "score":
        return {"scores": [str(manifest.root / "scores") for manifest in manifests]}
    from .report import html_page

    scores = read_scores(table, options.out)
    limit = round(options.audio_megabytes * MEGABYTE)
    comparisons = choose_comparisons(table, scores, manifests, answered, limit=limit // 2)
    left = limit - sum(comparison.size for comparison in comparisons)
    examples = choose_examples(table, scores, manifests, answered, limit=left)
    written = {
        "table3.md": table_3_markdown(table),
        "table3.json": json.dumps(table.as_json(), indent=1) + "\n",
        "table3.html": html_page(table, scores, examples, comparisons, title=options.title),
    }
    for name, text in written.items():
        write_text_whole(options.out / name, text)
    return {"table": [str(options.out / name) for name in written]}


def _entries(specs: Sequence[str], candidates: Sequence[str]) -> list[Entry]:
    if len(set(specs)) < len(specs):
        raise UsageError("--generators must differ; one is named twice; name each once")
    unknown = [spec for spec in specs if spec.partition(":")[0] not in GENERATORS and not system_without_weights(spec)]
    if unknown:
        known = ", ".join(GENERATORS)
        raise UsageError(f"a generator must be one of {known}, or a system of the paper; got {unknown[0]!r}")
    counts: dict[str, int] = {}
    for text in candidates:
        name, _, number = text.partition("=")
        if not number.isdecimal() or name not in {spec.partition(":")[0] for spec in specs}:
            raise UsageError(f"--candidates must be NAME=N with the name of a generator of this table; got {text}")
        counts[name] = int(number)
    return [replace(Entry(spec), candidates=counts.get(spec.partition(":")[0], 1)) for spec in specs]


def _refuse_namesakes(group: Sequence[Answered]) -> None:
    """Refuse two rows that a reader could not tell apart.

    Raises:
        UsageError: two generators have one name.
    """
    known: dict[str, str] = {}
    for one in group:
        other = known.setdefault(one.name, one.entry.spec)
        if other != one.entry.spec:
            raise UsageError(
                f'{other} and {one.entry.spec} are both named {one.name!r}; give one of them another name ("name" in '
                "the generated.json of a folder)"
            )


def run(options: argparse.Namespace) -> None:
    """Make the table as the options of the command say, and print what was written."""
    json.dump(make_table(options), sys.stdout)
    print()
