"""The table of accuracies in a model card: one row for each set, and published figures of other encoders below."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from huggingface_hub import EvalResult

from ..names import markdown_cell
from .card_results import CardAccuracy
from .published import PUBLISHED_ACCURACIES

ACCURACY = "## Accuracy"
_BEGIN, _END = "<!-- accuracy table -->", "<!-- end -->"
TABLE = re.compile(f"{_BEGIN}\n.*?{_END}", re.DOTALL)
"""Place of the table in a card; words around it are the user's."""
_COLUMNS = ((2, "other_track"), (2, "same_track"), (8, "all"), (16, "all"), (64, "all"))
_TITLES = {"all": "", "other_track": ", other tracks", "same_track": ", same track"}
_INTRODUCTION = """\
How often it picks the right one of K accompaniments (Eq. 8; chance is 100 / K %), in %; in brackets the 95 % interval
over tracks. Without a remark, the others are windows of all tracks. The last rows are published figures of other
encoders on other data (arXiv 2605.03929)."""


class _Cell(NamedTuple):
    row: str
    column: tuple[int, str]
    text: str


def accuracy_table(results: Sequence[EvalResult]) -> str:
    """Return the table below the heading ``ACCURACY``, from all results of a card; "" if it has no accuracy.

    Accuracies at K = 2, 8, 16 and 64 have columns of their own, measured or not; other values of K follow.
    """
    cells = list(_cells(results))
    if not cells:
        return ""
    cells += [
        _Cell(f"published: {encoder}, {test}", (size, "all"), f"{percent:.1f}")
        for encoder, row in PUBLISHED_ACCURACIES.items()
        for (test, size), percent in row.items()
    ]
    columns = dict.fromkeys([*_COLUMNS, *sorted({cell.column for cell in cells})])
    texts = {(cell.row, cell.column): cell.text for cell in cells}
    lines = [["accuracy (%)", *(f"K = {size}{_TITLES[others]}" for size, others in columns)]]
    lines += [
        [row, *(texts.get((row, column), "-") for column in columns)] for row in dict.fromkeys(c.row for c in cells)
    ]
    rows = [f"| {' | '.join(map(markdown_cell, line))} |" for line in lines]
    return "\n".join([_BEGIN, _INTRODUCTION, "", rows[0], f"|---|{'---:|' * len(columns)}", *rows[1:], _END])


def _cells(results: Sequence[EvalResult]) -> Iterator[_Cell]:
    for result in results:
        one = CardAccuracy.of_result(result)
        if one is None:
            continue
        row = f"{one.dataset} ({one.split})" + (f", {one.tracks} tracks" if one.tracks is not None else "")
        interval = f" [{one.interval[0]:.1f}, {one.interval[1]:.1f}]" if one.interval else ""
        weights = (result.metric_args or {}).get("weights")
        remark = f" (weights:{weights})" if weights else ""
        symmetric = ", mean of both directions" if one.symmetric else ""
        yield _Cell(row + symmetric, (one.among, one.others), f"{one.percent:.1f}{interval}{remark}")
