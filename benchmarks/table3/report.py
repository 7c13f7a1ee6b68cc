"""Table 3 as one page that needs nothing else: sortable table, score distributions, and examples to listen to."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape

import numpy as np

from .data import Cell, Column, Row, Section, Table
from .markdown import digits
from .report_examples import Example, Scores, data_uri
from .report_page import SCRIPT, STYLE

POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; media-src data:; img-src data:"
"""The browser is told to load nothing from anywhere."""
BINS = 40
WIDTH, STRIP, LABELS = 760, 54, 180
"""Of a picture of distributions, in pixels: all of it, a generator's part of it, and the names to the left."""


def html_page(table: Table, scores: Scores, examples: Sequence[Example]) -> str:
    """Return the page.

    Args:
        table: to be shown.
        scores: of its queries, for the distributions.
        examples: with their audio.
    """
    sections = "\n".join(_section(table, number, scores, examples) for number in range(len(table.sections)))
    columns = "\n".join(f"<li>{escape(column.label)}: {_recipe(column)}</li>" for column in table.columns)
    band = "" if table.band is None else f" All audio is limited to {table.band:g} Hz before it is scored."
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<title>Table 3</title>
<style>{STYLE}</style>
</head>
<body>
<main>
<h1>Table 3</h1>
<p>COCOLA: mean score of (conditioning, generated); higher fits better. sub-FAD: distance of the mixtures to the real
ones; lower is better. In brackets 95 % bootstrap intervals, whole tracks redrawn; ± is the standard deviation over
queries.{escape(band)}</p>
<p id="said" class="quiet" role="status"></p>
{sections}
<h2>Columns</h2>
<ul>
{columns}
</ul>
</main>
<script>{SCRIPT}</script>
</body>
</html>
"""


def _recipe(column: Column) -> str:
    if column.signature:
        return f"<code>{escape(column.signature)}</code>"
    return f"{escape(column.missing)}: {escape(column.detail)}"


def _section(table: Table, number: int, scores: Scores, examples: Sequence[Example]) -> str:
    section = table.sections[number]
    pictures = []
    for column in table.columns:
        known = [(row.generator, scores.get((number, row.spec, column.label), {})) for row in section.rows]
        drawn = [(name, list(values.values())) for name, values in known if values]
        if drawn:
            pictures.append(
                f"<h3>Distribution of {escape(column.label)}</h3>\n{draw_distributions(column.label, drawn)}"
            )
    heard = "\n".join(_example(example) for example in examples if example.section == number)
    listen = (
        f"<h3>Best and worst answers</h3>\n<p class='quiet'>Of the whole set, by the score that is given; "
        f"conditioning and answer together, and the answer alone.</p>\n<ul class='examples'>\n{heard}\n</ul>"
        if heard
        else ""
    )
    return "\n".join([f"<h2>{escape(section.title)}</h2>", _table(table, section), *pictures, listen])


def _table(table: Table, section: Section) -> str:
    caption = (
        f"{section.queries} queries of {section.seconds:g} s from {section.tracks} tracks, split {section.split}, "
        f"manifest {section.queries_sha256[:12]}. Choose a heading to sort by it."
    )
    head = "".join(_heading(*heading) for heading in _headings(table, section))
    body = "\n".join(f"<tr>{''.join(_cells(table, section, row))}</tr>" for row in section.rows)
    return (
        f'<div class="scroll" role="region" aria-label="Results on {escape(section.title)}" tabindex="0"><table>\n'
        f"<caption>{escape(caption)}</caption>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n"
        "</table></div>"
    )


def _headings(table: Table, section: Section) -> Iterator[tuple[str, str]]:
    """Yield the text of each heading, and the order that comes first: the best generator on top."""
    yield "generator", "ascending"
    yield "n", "descending"
    for column in table.columns:
        first = "ascending" if column.kind == "sub-FAD" else "descending"
        yield column.label, first
        if _has_published(section, column):
            yield f"{column.label}, published", first


def _heading(text: str, first: str) -> str:
    return f'<th scope="col" data-first="{first}"><button type="button">{escape(text)}</button></th>'


def _cells(table: Table, section: Section, row: Row) -> Iterator[str]:
    name = row.generator + (f" (best of {row.candidates})" if row.candidates > 1 else "")
    notes = "".join(
        f"<small>{count} not answered: {escape(why)}</small>" for why, count in row.unsupported.items() if row.answered
    )
    yield f'<th scope="row" data-value="{escape(name)}">{escape(name)}{notes}</th>'
    yield _number(row.answered or None, str(row.answered), "-")
    for column in table.columns:
        cell = row.cells[column.label]
        yield _number(cell.value, _shown(cell), cell.missing or "-")
        if _has_published(section, column):
            yield _number(cell.published, digits(cell.published or 0.0), "-")


def _number(value: float | None, shown: str, missing: str) -> str:
    if value is None:
        return f'<td class="missing">{escape(missing)}</td>'
    return f'<td data-value="{value!r}">{shown}</td>'


def _shown(cell: Cell) -> str:
    if cell.value is None:
        return ""
    spread = "" if cell.deviation is None else f" ± {digits(cell.deviation)}"
    lines = [] if cell.interval is None else [f"[{digits(cell.interval[0])}, {digits(cell.interval[1])}]"]
    if cell.silent:
        lines.append(f"{cell.silent} silent")
    return f"{digits(cell.value)}{spread}" + "".join(f"<small>{line}</small>" for line in lines)


def _has_published(section: Section, column: Column) -> bool:
    return any(row.cells[column.label].published is not None for row in section.rows)


def draw_distributions(label: str, rows: Sequence[tuple[str, Sequence[float]]]) -> str:
    """Return histograms of scores, one below the other on one axis, as SVG.

    Args:
        label: of the column.
        rows: generator and its scores, at least one each.
    """
    everything = np.concatenate([np.asarray(values) for _, values in rows])
    low, high = float(everything.min()), float(everything.max())
    edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
    scale = (WIDTH - LABELS - 20) / float(edges[-1] - edges[0])
    height = STRIP * len(rows) + 30

    def across(value: float) -> float:
        return LABELS + (value - float(edges[0])) * scale

    parts = []
    for place, (name, values) in enumerate(rows):
        base = STRIP * (place + 1)
        counts = np.histogram(values, edges)[0] / len(values)
        parts.append(f'<text x="{LABELS - 12}" y="{base - 12}" text-anchor="end">{escape(name)}</text>')
        parts.append(f'<line class="line" x1="{LABELS}" x2="{WIDTH - 20}" y1="{base}" y2="{base}"/>')
        for count, left in zip(counts, edges, strict=False):
            if count:
                tall = (STRIP - 8) * count / counts.max()
                bar = f'x="{across(left):.1f}" y="{base - tall:.1f}" width="{scale * (edges[1] - edges[0]) - 1:.1f}"'
                parts.append(f'<rect class="bar" {bar} height="{tall:.1f}"/>')
        mean = across(float(np.mean(values)))
        parts.append(f'<line class="mean" x1="{mean:.1f}" x2="{mean:.1f}" y1="{base - STRIP + 6}" y2="{base}"/>')
    for value in np.linspace(edges[0], edges[-1], 5):
        axis = f'x="{across(value):.1f}" y="{height - 8}" text-anchor="middle"'
        parts.append(f'<text class="axis" {axis}>{value:.1f}</text>')
    words = "; ".join(
        f"{name}: mean {np.mean(values):.2f}, from {min(values):.2f} to {max(values):.2f}" for name, values in rows
    )
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" role="img" aria-label="{escape(label)} by generator. '
        f'{escape(words)}">{"".join(parts)}</svg>'
    )


def _example(example: Example) -> str:
    query = example.query
    title = f"{example.generator}, {example.verdict}: {digits(example.score)}"
    players = "".join(
        f'<p>{what}<audio controls preload="none" aria-label="{escape(title)}, {what}" src="{data_uri(audio)}">'
        "</audio></p>"
        for what, audio in (("together", example.together), ("answer alone", example.alone))
    )
    about: Mapping[str, str] = {"track": query.conditioning.track, "query": query.prompt, "id": query.id}
    facts = "<br>".join(f"{name}: {escape(text)}" for name, text in about.items())
    return (
        f'<li><strong>{escape(title)}</strong> <span class="quiet">({escape(example.column)})</span>'
        f'<p class="quiet"><small>{facts}</small></p>{players}</li>'
    )
