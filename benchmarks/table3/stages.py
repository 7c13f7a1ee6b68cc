"""The stages behind Table 3: generate, score, and lay out what is on disk; nothing is done twice."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..generators import Setting, generate_answers, open_generated, open_generator
from ..queries import ConditioningAudio
from .cells import measure_cell
from .data import Cell, Row, Section, published_value, system_without_weights, why_missing
from .manifests import Answered, Entry, Manifest
from .metrics import Metric
from .scoring import Engine, score_in_process


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
        manifest: manifest of the queries.
        answered: generators with their answers.
        metrics: columns of the table.
        engine: engine of the COCOLA columns.

    Raises:
        AudioError: an answer is missing or damaged.
    """
    return {
        f"{one.entry.place}/{metric.column.label}": measure_cell(manifest, one, metric, engine)
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
    """Return the rows of a data set, including those without numbers."""
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
