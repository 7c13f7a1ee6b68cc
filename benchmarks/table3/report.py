"""Table 3 as one page that needs no other file: sortable table, score distributions, and examples to listen to.

The templates in `page/` lay it out. They treat every name and message as text, never as markup.
"""

import math
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from .data import Cell, Column, Row, Section, Table, suspicions
from .markdown import digits
from .report_comparisons import Comparison
from .report_examples import Example, Scores, data_uri

POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; media-src data:; img-src data:"
"""Content security policy: the browser loads nothing from anywhere."""
TITLE = "Table 3"
BINS = 40
FEWEST_TICKS = 3
WIDTH, STRIP, LABELS, LETTER = 820, 54, 180, 7
"""Sizes of a picture of distributions, in pixels: its width, a generator's height, least width of names, a letter's."""


def html_page(
    table: Table,
    scores: Scores,
    examples: Sequence[Example],
    comparisons: Sequence[Comparison] = (),
    *,
    title: str = TITLE,
) -> str:
    """Return the page.

    Args:
        table: table to be shown.
        scores: scores of its queries, for the distributions.
        examples: examples with their audio.
        comparisons: queries across systems, with their audio.
        title: title of the page.
    """
    sections = [_section(table, number, scores, examples, comparisons) for number in range(len(table.sections))]
    return _templates().get_template("report.html").render(policy=POLICY, table=table, sections=sections, title=title)


@cache
def _templates() -> Environment:
    """Return the templates; names and messages are escaped in all of them."""
    return Environment(
        loader=PackageLoader(__package__, "page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _section(
    table: Table, number: int, scores: Scores, examples: Sequence[Example], comparisons: Sequence[Comparison]
) -> dict[str, Any]:
    section = table.sections[number]
    pictures = []
    for column in table.columns:
        known = [(row.generator, scores.get((number, row.spec, column.label), {})) for row in section.rows]
        drawn = [(name, list(values.values())) for name, values in known if values]
        if drawn:
            pictures.append((column.label, draw_distributions(column.label, drawn)))
    caption = (
        f"{section.queries} queries of {section.seconds:g} s from {section.tracks} tracks, split {section.split}, "
        f"manifest {section.queries_sha256[:12]}. Choose a heading to sort by it."
    )
    return {
        "title": section.title,
        "caption": caption,
        "headings": list(_headings(table, section)),
        "rows": [_row(table, section, row) for row in section.rows],
        "pictures": pictures,
        "examples": [_example(example) for example in examples if example.section == number],
        "comparisons": [_comparison(one) for one in comparisons if one.section == number],
    }


def _headings(table: Table, section: Section) -> Iterator[tuple[str, str]]:
    """Yield the text of each heading, and the order that comes first: the best generator on top."""
    yield "generator", "ascending"
    yield "n", "descending"
    for column in table.columns:
        first = "ascending" if column.kind == "sub-FAD" else "descending"
        yield column.label, first
        if _has_published(section, column):
            yield f"{column.label}, published", first


def _row(table: Table, section: Section, row: Row) -> dict[str, Any]:
    notes = [f"{count} not answered: {why}" for why, count in row.unsupported.items() if row.answered]
    notes += suspicions(row)
    numbers = [_number(row.answered or None, str(row.answered))]
    for column in table.columns:
        cell = row.cells[column.label]
        shown, *lines = _shown(cell)
        numbers.append(_number(cell.value, shown, lines, cell.missing or "-"))
        if _has_published(section, column):
            numbers.append(_number(cell.published, digits(cell.published or 0.0)))
    name = row.generator + (f" (best of {row.candidates})" if row.candidates > 1 else "")
    return {"name": name, "notes": notes, "numbers": numbers}


def _number(value: float | None, shown: str, lines: Sequence[str] = (), missing: str = "-") -> dict[str, Any]:
    return {"value": None if value is None else repr(value), "shown": shown, "lines": lines, "missing": missing}


def _shown(cell: Cell) -> list[str]:
    if cell.value is None:
        return [""]
    spread = "" if cell.deviation is None else f" ± {digits(cell.deviation)}"
    lines = [] if cell.interval is None else [f"[{digits(cell.interval[0])}, {digits(cell.interval[1])}]"]
    if cell.silent:
        lines.append(f"{cell.silent} silent")
    return [f"{digits(cell.value)}{spread}", *lines]


def _has_published(section: Section, column: Column) -> bool:
    return any(row.cells[column.label].published is not None for row in section.rows)


def draw_distributions(label: str, rows: Sequence[tuple[str, Sequence[float]]]) -> str:
    """Return histograms of scores, one below the other on one axis, as SVG for a template.

    Args:
        label: label of the column.
        rows: name of each generator with its scores, at least one.
    """
    everything = np.concatenate([np.asarray(values) for _, values in rows])
    low, high = float(everything.min()), float(everything.max())
    edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
    labels = max(LABELS, LETTER * max(len(name) for name, _ in rows) + 20)
    scale = (WIDTH - labels - 20) / float(edges[-1] - edges[0])
    height = STRIP * len(rows) + 30

    def across(value: float) -> str:
        return f"{labels + (value - float(edges[0])) * scale:.1f}"

    strips = []
    for place, (name, values) in enumerate(rows):
        base = STRIP * (place + 1)
        counts = np.histogram(values, edges)[0] / len(values)
        tall = (STRIP - 8) * counts / counts.max()
        width = f"{scale * (edges[1] - edges[0]) - 1:.1f}"
        bars = [
            {"x": across(left), "y": f"{base - bar:.1f}", "width": width, "height": f"{bar:.1f}"}
            for bar, left in zip(tall, edges, strict=False)
            if bar
        ]
        strips.append({"name": name, "base": base, "bars": bars, "mean": across(float(np.mean(values)))})
    words = "; ".join(
        f"{name}: mean {np.mean(values):.2f}, from {min(values):.2f} to {max(values):.2f}" for name, values in rows
    )
    axis = [(across(value), f"{value:g}") for value in round_ticks(float(edges[0]), float(edges[-1]))]
    shape = {"width": WIDTH, "height": height, "left": labels, "right": WIDTH - 20, "strip_height": STRIP}
    template = _templates().get_template("distributions.svg")
    return Markup(template.render(label=label, words=words, strips=strips, axis=axis, **shape))


def round_ticks(low: float, high: float) -> list[float]:
    """Return three to eight round values from low to high: multiples of 1, 2 or 5 times a power of ten.

    >>> round_ticks(-3.2, 28.4)
    [0.0, 10.0, 20.0]
    """
    rough = (high - low) / FEWEST_TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = max(factor * power for factor in (1, 2, 5) if factor * power <= rough)
    first, last = math.ceil(low / step), math.floor(high / step)
    return [round(place * step, 10) for place in range(first, last + 1)]


def _comparison(comparison: Comparison) -> dict[str, Any]:
    query = comparison.query
    players: list[tuple[str, str | None, str]] = [
        ("conditioning", None, data_uri(comparison.conditioning)),
        ("real", None, data_uri(comparison.real)),
    ]
    players += [(answer.name, digits(answer.score), data_uri(answer.together)) for answer in comparison.answers]
    return {
        "title": f"{query.conditioning.track}, {query.prompt}",
        "column": comparison.column,
        "id": query.id,
        "players": players,
    }


def _example(example: Example) -> dict[str, Any]:
    query = example.query
    return {
        "title": f"{example.generator}, {example.verdict}: {digits(example.score)}",
        "column": example.column,
        "facts": [("track", query.conditioning.track), ("query", query.prompt), ("id", query.id)],
        "players": [("together", data_uri(example.together)), ("answer alone", data_uri(example.alone))],
    }
