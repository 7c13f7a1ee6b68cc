"""Table 1 as measured, as Markdown: one table of systems x tasks, then one of every task with its intervals."""

from collections.abc import Iterator, Mapping

from cocola_metric.names import markdown_text
from cocola_metric.training.evaluation import NOTHING, markdown_table
from cocola_metric.training.paper import Task

from ..table3 import Cell, cell_text, digits
from .data import Measured, TaskTable
from .tasks import TASKS


def measured_markdown(measured: Measured) -> str:
    """Return all tables."""
    answers = [f"- {name}: `{spec}`" for name, spec in measured.answers.items()]
    judges = [f"- COCOLA: `{measured.encoder}`", f"- FAD and sub-FAD: `{measured.embedder}`"]
    parts = ["# Table 1, as measured", _legend(), _overview(measured), *_details(measured)]
    parts += ["## Measured with", "\n".join([*judges, *answers])]
    return "\n\n".join(parts) + "\n"


def _legend() -> str:
    rows = [f"- {task.name}, {task}: {', '.join(_with_direction(task))}" for task in TASKS]
    return "Numbers of a cell are, in this order:\n\n" + "\n".join(rows)


def _with_direction(task: Task) -> Iterator[str]:
    for measure in TASKS[task]:
        yield f"{measure.label} ({'higher' if measure.higher else 'lower'} is better)"


def _overview(measured: Measured) -> str:
    names = list(dict.fromkeys(name for table in measured.tables for name in table.rows))
    labels = {name: label for table in measured.tables for name, label in table.labels.items()}
    rows = [[_titled(name, labels), *(_short(table.rows.get(name)) for table in measured.tables)] for name in names]
    return markdown_table(["system", *(table.task for table in measured.tables)], rows)


def _titled(name: str, labels: Mapping[str, str]) -> str:
    """Return the name of a row, with that of its answers where it says more."""
    label = labels.get(name, name)
    return markdown_text(label if label.startswith(name.removesuffix(", swapped")) else f"{name} ({label})")


def _short(cells: Mapping[str, Cell] | str | None) -> str:
    if not isinstance(cells, Mapping):
        return cells or NOTHING
    texts = [NOTHING if cell.value is None else digits(cell.value) for cell in cells.values()]
    reasons = {cell.missing for cell in cells.values()}
    return reasons.pop() if len(reasons) == 1 and set(texts) == {NOTHING} else " / ".join(texts)


def _details(measured: Measured) -> Iterator[str]:
    for table in measured.tables:
        yield f"## {table.task}: {Task[table.task]}"
        yield markdown_text(
            f"{table.queries} queries of {table.seconds:g} s from {table.tracks} tracks ({table.dataset}), manifest "
            f"`{table.queries_sha256[:12]}`. Mean ± standard deviation over queries, and 95 % bootstrap intervals."
        )
        labels = [measure.label for measure in TASKS[Task[table.task]]]
        rows = [
            [_titled(name, table.labels), *(cell_text(cells[label]) for label in labels)]
            for name, cells in table.rows.items()
            if isinstance(cells, Mapping)
        ]
        yield markdown_table(["system", *labels], rows)
        notes = list(_notes(table))
        if notes:
            yield "\n".join(notes)


def _notes(table: TaskTable) -> Iterator[str]:
    for name, cells in table.rows.items():
        if isinstance(cells, str):
            continue
        for label, cell in cells.items():
            counts = {"silent": cell.silent, "echoes of the other side": cell.echoes, "noise": cell.noises}
            for what, count in counts.items():
                if count:
                    yield markdown_text(f"- {name}, {label}: {count} of {table.queries} answers are {what}")
