"""Tables as Markdown."""

from collections.abc import Sequence

from cocola_metric.names import markdown_cell

NOTHING = "-"
"""Text of a cell without a measurement."""


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table whose first column is aligned left, the others right; names in it cannot break it.

    >>> print(markdown_table(["", "a"], [["x", "1"]]))
    |  | a |
    |---|---:|
    | x | 1 |
    """
    lines = [list(header), ["---"] + ["---:"] * (len(header) - 1), *rows]
    joined = ["| " + " | ".join(map(markdown_cell, line)) + " |" for line in lines]
    joined[1] = "|" + "|".join(lines[1]) + "|"
    return "\n".join(joined)
