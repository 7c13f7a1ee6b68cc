"""Guidance as measured, as Markdown: answers x judges, and the gains as shares of what is between Random and real."""

from collections.abc import Iterator, Sequence

from cocola_metric.names import markdown_text
from cocola_metric.training.evaluation import NOTHING, markdown_table
from cocola_metric.training.paper import Task

from ..table3 import digits
from .data import Gain, Row, SystemTable


def guidance_markdown(tables: Sequence[SystemTable]) -> str:
    """Return all tables."""
    parts = ["# Guidance, as measured", _legend()]
    for table in tables:
        parts += list(_section(table))
    return "\n\n".join(parts) + "\n"


def _legend() -> str:
    return (
        "Scores of each judge: mean over queries; in parentheses the mean difference from the system's own answers to "
        "the same queries, in brackets its 95 % bootstrap interval, whole tracks redrawn. **Bold**: the judge guided "
        "or chose. Echoes and noise: number of answers that reach the guard's threshold, and the mean of its measure. "
        "The second table has the differences in percent of what the judge sees between Random and Ground Truth; a "
        "judge that prefers Random has none."
    )


def _section(table: SystemTable) -> Iterator[str]:
    judges = list(table.rows[0].gains)
    yield f"## {table.task}: {markdown_text(table.system)}"
    yield (
        f"{table.queries} queries from {table.tracks} tracks, manifest `{table.queries_sha256[:12]}`; "
        f"{Task[table.task]}; `{table.spec}`."
    )
    separating = table.task == Task.SS.name
    header = ["answers", *judges, "SI-SDRi (dB)" if separating else "sub-FAD", "echoes", "noise", "silent"]
    yield markdown_table(header, [[*_cells(row, judges), _other(row), *_counts(row)] for row in table.rows])
    gained = [row for row in table.rows if row.gains[judges[0]].difference is not None]
    shares = [[row.name, *(_share(table, row, judge) for judge in judges)] for row in gained]
    if any(text != NOTHING for _, *texts in shares for text in texts):
        yield markdown_table(["answers", *judges], shares)


def _cells(row: Row, judges: Sequence[str]) -> list[str]:
    texts = [_gain(row.gains[judge]) for judge in judges]
    return [row.name, *(f"**{text}**" if judge == row.by else text for judge, text in zip(judges, texts, strict=True))]


def _gain(gain: Gain) -> str:
    if gain.mean != gain.mean:
        return NOTHING
    text = digits(gain.mean)
    if gain.difference is None:
        return text
    text += f" ({gain.difference:+.2f}"
    if gain.interval is not None:
        text += f" [{gain.interval[0]:+.2f}, {gain.interval[1]:+.2f}]"
    return text + ")"


def _other(row: Row) -> str:
    if row.separation is not None:
        return _gain(row.separation)
    if row.distance is None:
        return NOTHING
    interval = row.distance_interval
    return digits(row.distance) + (f" [{digits(interval[0])}, {digits(interval[1])}]" if interval else "")


def _counts(row: Row) -> list[str]:
    guards = [f"{guard.count} ({digits(guard.mean)})" for guard in (row.echoes, row.noises)]
    return [*guards, str(row.silent)]


def _share(table: SystemTable, row: Row, judge: str) -> str:
    """Return a gain in percent of the judge's distance from Random to Ground Truth."""
    real, other = (next(one for one in table.rows if one.name == name) for name in ("Ground Truth", "Random"))
    gap = real.gains[judge].mean - other.gains[judge].mean
    difference = row.gains[judge].difference
    if difference is None or not gap > 0:
        return NOTHING
    text = f"{100 * difference / gap:+.0f}"
    return f"**{text}**" if judge == row.by else text
