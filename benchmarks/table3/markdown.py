"""Table 3 as Markdown: our numbers, the published ones beside them, and the recipe of each."""

from collections.abc import Iterator

from cocola_metric.names import markdown_text
from cocola_metric.training.evaluation import NOTHING, markdown_table
from cocola_metric.training.paper import PUBLISHED_TABLE_3, TABLE_3_COLUMNS

from .data import Cell, Column, Row, Section, Table, suspicions


def table_3_markdown(table: Table) -> str:
    """Return the whole table."""
    parts = ["# Table 3", _legend(table)]
    for section in table.sections:
        parts += [f"## {markdown_text(section.title)}", _about(section), _section(table, section), *_notes(section)]
    parts += ["## Columns", _columns(table), "## As published", _published()]
    return "\n\n".join(parts) + "\n"


def cell_text(cell: Cell) -> str:
    """Return a number with its interval, or the reason why there is none.

    >>> cell_text(Cell(10.114, 2.5, (9.7, 10.5), 200, 12)), cell_text(Cell(missing="not released"))
    ('10.11 ± 2.50 [9.70, 10.50]', 'not released')
    """
    if cell.value is None:
        return cell.missing or NOTHING
    text = digits(cell.value)
    if cell.deviation is not None:
        text += f" ± {digits(cell.deviation)}"
    if cell.interval is not None:
        text += f" [{digits(cell.interval[0])}, {digits(cell.interval[1])}]"
    return text


def digits(value: float) -> str:
    """Return a number with two digits after the point, or three if it is small.

    >>> digits(92.813), digits(0.0642), digits(-0.0)
    ('92.81', '0.064', '0.00')
    """
    return f"{value:.3f}" if 0 < abs(value) < 0.1 else f"{value + 0.0:.2f}"


def _legend(table: Table) -> str:
    band = "" if table.band is None else f" All audio is limited to {table.band:g} Hz."
    return (
        "COCOLA: mean score of (conditioning, generated) ± standard deviation over queries; higher fits better. "
        "sub-FAD: distance of the mixtures to the real ones; lower is better. In brackets 95 % bootstrap intervals, "
        f"whole tracks redrawn: BCa of the scores, percentiles of sub-FAD.{band}"
    )


def _about(section: Section) -> str:
    source = markdown_text(f"{section.dataset}, split {section.split}")
    return (
        f"{section.queries} queries of {section.seconds:g} s from {section.tracks} tracks ({source}), "
        f"manifest `{section.queries_sha256[:12]}`."
    )


def _section(table: Table, section: Section) -> str:
    header = ["generator", "n"]
    for column in table.columns:
        header.append(column.label)
        if _has_published(section, column):
            header.append("published")
    return markdown_table(header, [_row(table, section, row) for row in section.rows])


def _row(table: Table, section: Section, row: Row) -> list[str]:
    name = row.generator + (f" (best of {row.candidates})" if row.candidates > 1 else "")
    line = [name, str(row.answered) if row.answered else NOTHING]
    for column in table.columns:
        cell = row.cells[column.label]
        line.append(cell_text(cell))
        if _has_published(section, column):
            line.append(NOTHING if cell.published is None else digits(cell.published))
    return line


def _has_published(section: Section, column: Column) -> bool:
    return any(row.cells[column.label].published is not None for row in section.rows)


def _notes(section: Section) -> Iterator[str]:
    """Yield notes on the numbers: answers that were left out, and distances beside their noise."""
    notes = []
    for row in section.rows:
        notes += [
            markdown_text(f"- {row.generator}: {count} of {section.queries} queries not answered: {why}")
            for why, count in row.unsupported.items()
        ]
        notes += [f"- {markdown_text(row.generator)}: {note}" for note in suspicions(row)]
        for label, cell in row.cells.items():
            if cell.silent:
                silent = f"- {row.generator}, {label}: {cell.silent} answers are silent and have no score"
                notes.append(markdown_text(silent))
    distances = [
        [
            row.generator,
            label,
            *(_known(cell.circumstances[name]) for name in ("fad", "infinity", "floor")),
            *(str(cell.circumstances[name]) for name in ("n", "dimension")),
        ]
        for row in section.rows
        for label, cell in row.cells.items()
        if cell.circumstances
    ]
    if notes:
        yield "\n".join(notes)
    if distances:
        header = ["generator", "column", "distance", "FAD-infinity", "split-half floor", "embeddings", "dimension"]
        yield markdown_table(header, distances)


def _known(value: float | None) -> str:
    return NOTHING if value is None else digits(value)


def _columns(table: Table) -> str:
    rows = [
        [column.label, f"`{column.signature}`" if column.signature else f"{column.missing}: {column.detail}"]
        for column in table.columns
    ]
    return "\n".join(markdown_text(f"- {label}: {what}") for label, what in rows)


def _published() -> str:
    rows = [
        [dataset, method, *(NOTHING if (value := values[name]) is None else f"{value:g}" for name in TABLE_3_COLUMNS)]
        for dataset, methods in PUBLISHED_TABLE_3.items()
        for method, values in methods.items()
    ]
    return (
        "Of the paper, with its encoders and its queries: to be compared with the column of the same name only.\n\n"
        + markdown_table(["data set", "method", *TABLE_3_COLUMNS], rows)
    )
