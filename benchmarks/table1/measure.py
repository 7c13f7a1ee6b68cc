"""Table 1 as measured: systems and controls x tasks; every answer and score is kept, and nothing is done twice."""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cocola_metric.dispatch import require
from cocola_metric.errors import UsageError
from cocola_metric.training.paper import Task
from cocola_metric.whole_files import write_text_whole

from ..generators import GENERATORS
from ..queries import task_of_manifest
from ..table3 import NO_WEIGHTS, SYSTEMS, Answered, Cell, Entry, Manifest, generate_stage, open_manifest, open_metrics
from .data import Measured, TaskTable
from .markdown import measured_markdown
from .tasks import TASKS, Judges

CONTROLS = ("ground_truth", "random", "noise", "echo")
NOT_CLAIMED = "not claimed"
FROM_A_FOLDER = "from a folder"


def measure(options: argparse.Namespace) -> Measured:
    """Let all systems and controls answer the queries of every task, and measure the answers.

    Raises:
        CocolaError: music, weights or answers cannot be read, generated or scored.
    """
    systems = _systems(options.systems)
    manifests = _open_manifests(options.queries, options.corpus, options.out)
    encoder, embedder = open_metrics([options.encoder], [options.embedder], options.device, None)
    judges = Judges(encoder, embedder)
    stage = {"seed": options.seed, "device": options.device, "batch_size": options.batch_size}
    tables = [_table(task, manifest, systems, judges, stage) for task, manifest in manifests.items()]
    return Measured(tables, encoder.column.signature, embedder.column.signature, systems)


def _systems(texts: Sequence[str]) -> dict[str, str]:
    systems: dict[str, str] = {}
    for text in texts:
        name, _, spec = text.partition("=")
        if not spec or spec.partition(":")[0] not in GENERATORS or name in systems:
            raise UsageError(
                f"--systems must be NAME=GENERATOR, each name once, with a generator of {', '.join(GENERATORS)}; "
                f"got {text!r}"
            )
        systems[name] = spec
    return systems


def _open_manifests(files: Sequence[Path], corpus: str | None, out: Path) -> dict[Task, Manifest]:
    opened: dict[Task, Manifest] = {}
    for file in files:
        manifest = open_manifest(file, corpus, out)
        task = task_of_manifest(manifest.queries)
        if task not in TASKS or task in opened:
            raise UsageError(f"{file}: pass one manifest for each task; {task.name} is {_twice(task, opened)}")
        if task is Task.SS:
            require("torchmetrics")
        opened[task] = replace(manifest, root=out / task.name)
    return {task: opened[task] for task in TASKS if task in opened}


def _twice(task: Task, opened: Mapping[Task, Manifest]) -> str:
    return "asked for twice" if task in opened else "no task of Figure 3"


def _table(
    task: Task, manifest: Manifest, systems: Mapping[str, str], judges: Judges, stage: Mapping[str, Any]
) -> TaskTable:
    rows: dict[str, Mapping[str, Cell] | str] = {}
    swapped: dict[str, Mapping[str, Cell] | str] = {}

    labels: dict[str, str] = {}

    def cells(spec: str, name: str = "", folder: str = "") -> tuple[Answered, dict[str, Cell]]:
        (one,) = generate_stage(manifest, [Entry(spec, folder=folder)], **stage)
        labels[name or one.name] = one.name
        return one, {measure.label: measure.cell(manifest, one, judges) for measure in TASKS[task]}

    for name in {**SYSTEMS, **systems}:
        spec = systems.get(name, "").replace("{task}", task.name)
        if name in SYSTEMS and task not in SYSTEMS[name].tasks:
            rows[name] = NOT_CLAIMED
        elif not spec:
            rows[name] = FROM_A_FOLDER if SYSTEMS[name].route == "folder" else NO_WEIGHTS
        else:
            one, rows[name] = cells(spec, name)
            if one.folder.content != "full_mix" and len({query.accompaniment.track for query in one.queries}) > 1:
                other, folder = f"{name}, swapped", f"swapped-{one.entry.place}"
                _, swapped[other] = cells(f"swapped:{one.folder.root}", other, folder)
    for control in CONTROLS:
        one, found = cells(control)
        rows[one.name] = found
    first = manifest.queries[0]
    tracks = len({query.conditioning.track for query in manifest.queries})
    return TaskTable(
        task=task.name,
        queries=len(manifest.queries),
        tracks=tracks,
        dataset=first.dataset,
        queries_sha256=manifest.sha256,
        seconds=first.seconds,
        rows=rows | swapped,
        labels=labels,
    )


def run(options: argparse.Namespace) -> None:
    """Measure as the options of the command say; print the table, and write it."""
    measured = measure(options)
    text = measured_markdown(measured)
    write_text_whole(options.out / "table1.md", text)
    write_text_whole(options.out / "table1.json", json.dumps(measured.as_json(), indent=1) + "\n")
    print(text, end="")
