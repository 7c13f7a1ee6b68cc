"""The lines of a score file: writing rows, and checking the lines of an existing file."""

import csv
import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..json_files import json_text, parsed_json
from ..names import csv_text, is_plain
from ..reading import READINGS, Reading
from ..scoring import ECHO_THRESHOLD, NOISE_THRESHOLD, WindowScores
from ..signature import score_recipe
from .answers import rounded

COLUMNS = (
    "conditioning",
    "accompaniment",
    "score",
    "windows",
    "silent_windows",
    "echo",
    "noise",
    "percentile",
    "likelihood",
    "anchored",
    "error",
    "content",
    "signature",
)
NUMBERS = ("score", "echo", "noise", *READINGS)
CONTENT_DIGITS = 32
_CONTENT = re.compile(f"[0-9a-f]{{{CONTENT_DIGITS}}}")
_SIGNATURE = re.compile(r"COCOLA\|.*\|v:[^|]+")
_WAY_OUT = "give another --out"


@dataclass(frozen=True)
class Row:
    """A line of a score file: the scores of a pair, or the reason for having none.

    Attributes:
        conditioning: cell of the conditioning in the manifest.
        accompaniment: cell of the accompaniment in the manifest.
        signature: recipe of the score.
        content: identity of the scored content; empty without a score.
        score: mean over windows; None without a score. A pair whose windows are all silent has neither score nor error.
        windows: number of windows.
        silent_windows: number of windows left out.
        echo: mean echo over windows; None without a score.
        noise: mean likeness of the accompaniment to noise; None without a score.
        percentile: share of coherent pairs of the reference that score lower, in per cent; None without a reference.
        likelihood: probability that the pair is coherent; None without a reference.
        anchored: score on the scale from mismatched to coherent pairs; None without a reference.
        error: reason for having no score; empty with a score.
        starts: start time of each window, in seconds, if windows were asked for.
        scores: score of each window, None for a silent one, if windows were asked for.
        others: name and text of each other column of the manifest.
    """

    conditioning: str
    accompaniment: str
    signature: str
    content: str = ""
    score: float | None = None
    windows: int | None = None
    silent_windows: int | None = None
    echo: float | None = None
    noise: float | None = None
    percentile: float | None = None
    likelihood: float | None = None
    anchored: float | None = None
    error: str = ""
    starts: tuple[float, ...] | None = None
    scores: tuple[float | None, ...] | None = None
    others: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_silent(self) -> bool:
        """True if every window of the pair has a silent side."""
        return not self.error and self.score is None

    @property
    def is_suspect(self) -> bool:
        """True for an echo of the conditioning, and for noise."""
        return (self.echo or 0) >= ECHO_THRESHOLD or (self.noise or 0) >= NOISE_THRESHOLD

    def line(self, suffix: str, others: Sequence[str] = ()) -> bytes:
        """Return the row as a line of a CSV or JSONL file.

        Args:
            suffix: suffix of the file.
            others: names of the other columns of a CSV file, in order.
        """
        values: dict[str, Any] = {name: getattr(self, name) for name in COLUMNS}
        if suffix == ".csv":
            text = io.StringIO()
            cells = [*(values | {"error": csv_text(self.error)}).values(), *(self.others.get(name) for name in others)]
            csv.writer(text, lineterminator="\n").writerow(cells)
            return text.getvalue().encode()
        values |= {"starts": self.starts, "scores": self.scores, **self.others}
        return (json_text({key: value for key, value in values.items() if value not in (None, "")}) + "\n").encode()


def other_columns(columns: Mapping[str, str]) -> dict[str, str]:
    """Return the columns of a manifest that a score file keeps: those that it has no column of its own for.

    Text is kept as one line of UTF-8.
    """
    return {
        name: " ".join(text.encode("utf-8", "replace").decode().split("\n"))
        for name, text in columns.items()
        if name not in Row.__dataclass_fields__ and is_plain(name)
    }


def row_of(
    cells: tuple[str, str],
    result: WindowScores | str,
    content: str,
    signature: str,
    windows: bool,
    others: Mapping[str, str],
) -> Row:
    """Return the row of a pair, from its scores or its error."""
    if isinstance(result, str):
        return Row(*cells, signature, error=result, others=others)
    if math.isnan(result.mean):
        return Row(*cells, signature, content, None, len(result.scores), result.silent_windows, others=others)
    echo, noise = rounded(result.mean_echo), rounded(result.mean_noise)
    counts = len(result.scores), result.silent_windows
    row = Row(*cells, signature, content, rounded(result.mean), *counts, echo, noise, others=others)
    return replace(row, starts=result.starts, scores=tuple(map(rounded, result.scores))) if windows else row


def with_reading(row: Row, reading: Reading | None) -> Row:
    """Return a row with another reading of its score; None for none."""
    percentile, likelihood, anchored = (None if reading is None else rounded(getattr(reading, n)) for n in READINGS)
    return replace(row, percentile=percentile, likelihood=likelihood, anchored=anchored)


def header(suffix: str, others: Sequence[str]) -> bytes:
    """Return the first line of a file of that suffix; empty if it has none."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow([*COLUMNS, *others])
    return text.getvalue().encode() if suffix == ".csv" else b""


def read_rows(file: Path, signature: str) -> tuple[list[Row], list[str]]:
    """Read the rows of an earlier run; return them and messages about damaged lines.

    Raises:
        UsageError: the file was not written by this program, was changed by another, or is of another recipe.
    """
    content = file.read_bytes()
    lines = content.split(b"\n")
    unfinished = lines.pop()  # empty, unless a run was killed during writing
    first = 1
    others: list[str] = []
    if content:
        _refuse_other_encodings(file, content)
    if file.suffix == ".csv" and content:
        if not lines:
            raise UsageError(f"{file} is not a file of scores; {_WAY_OUT}")
        others = _other_names(file, lines.pop(0))
        first = 2
    rows: list[Row] = []
    damaged: list[str] = []
    for number, line in [*enumerate(lines, first), (0, unfinished)]:
        try:
            if line.strip():
                rows.append(_row(line, file, signature, others))
        except UsageError:
            raise
        except (ValueError, OverflowError, csv.Error) as error:
            damaged += [f"{file}, line {number}: damaged ({error}); its pair is scored again"] if number else []
    if not rows and file.suffix == ".jsonl" and (damaged or not _may_be_ours(unfinished)):
        raise UsageError(f"{file} is not a file of scores; {_WAY_OUT}")
    return rows, damaged


def _may_be_ours(unfinished: bytes) -> bool:
    start = b'{"conditioning": "'
    return unfinished.startswith(start) or start.startswith(unfinished)


def _refuse_other_encodings(file: Path, content: bytes) -> None:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) or (len(content) > 1 and 0 in content[:2]):
        raise UsageError(f"{file} was saved by another program as UTF-16; {_WAY_OUT}, or save it as plain UTF-8")
    if content.startswith(b"\xef\xbb\xbf"):
        raise UsageError(
            f"{file} was saved by another program with a byte order mark; {_WAY_OUT}, or save it as plain UTF-8"
        )


def _other_names(file: Path, line: bytes) -> list[str]:
    """Return the names of the columns behind ours, which came from a manifest."""
    text = line.decode("utf-8", "replace").rstrip("\r")
    names = next(csv.reader([text]), [])
    others = names[len(COLUMNS) :]
    if tuple(names[: len(COLUMNS)]) == COLUMNS and len(set(names)) == len(names):
        if line.endswith(b"\r"):
            raise UsageError(f"{file} was saved by another program (its lines end in CR LF); {_WAY_OUT}")
        return others
    if set(COLUMNS) <= set(re.split("[;\t]", text)):
        raise UsageError(f"{file} was saved by another program (no comma between its columns); {_WAY_OUT}")
    if {"conditioning", "accompaniment", "signature"} <= set(names):
        extra, lacking = ([name for name in a if name not in b] for a, b in ((names, COLUMNS), (COLUMNS, names)))
        problem = "; ".join(
            f"{word} {', '.join(map(repr, some))}" for word, some in (("extra", extra), ("missing", lacking)) if some
        )
        raise UsageError(f"{file} has other columns than this version writes ({problem or 'their order'}); {_WAY_OUT}")
    raise UsageError(f"{file} is not a file of scores (its first line is {text[:60]!r}); {_WAY_OUT}")


def _row(line: bytes, file: Path, signature: str, others: Sequence[str]) -> Row:
    """Return the row of a line. Errors other than UsageError mean that the line is damaged."""
    text = line.decode("utf-8")
    if file.suffix == ".csv":
        cells = next(csv.reader([text], strict=True), []) if "\0" not in text else []
        count = len(COLUMNS)
        if len(cells) != count + len(others):
            raise ValueError(f"{len(cells)} cells instead of {count + len(others)}")
        values: dict[str, Any] = {
            name: _number(name, cell) for name, cell in zip(COLUMNS, cells[:count], strict=True) if cell
        }
        values["others"] = dict(zip(others, cells[count:], strict=True))
    else:
        values = parsed_json(text)
        if not isinstance(values, dict):
            raise ValueError("no JSON object")
        if set(values) <= {"conditioning", "accompaniment"} or "signature" not in values:
            raise UsageError(f"{file} holds a line that is not a row of scores ({text[:60]!r}); {_WAY_OUT}")
        values |= {name: tuple(values[name]) for name in ("starts", "scores") if isinstance(values.get(name), list)}
        names = [name for name in values if name not in Row.__dataclass_fields__]
        values["others"] = {name: values.pop(name) for name in names}
        if not all(isinstance(text, str) for text in values["others"].values()):
            raise ValueError("no proper text")
    return _checked(values, file, signature)


def _number(name: str, cell: str) -> str | int | float:
    if name in NUMBERS:
        return float(cell)
    return int(cell) if name in ("windows", "silent_windows") else cell


def _checked(values: dict[str, Any], file: Path, signature: str) -> Row:
    wrong = next(_wrong_values(values), "")
    if wrong:
        raise ValueError(f"no proper {wrong}")
    found = values["signature"]
    if score_recipe(found) != score_recipe(signature):
        if score_recipe(signature).startswith(score_recipe(found)) or not _SIGNATURE.fullmatch(found):
            raise ValueError("its signature is cut off")
        raise UsageError(
            f"{file} holds scores of another recipe ({found}, now {signature}); {_WAY_OUT}, or remove that file"
        )
    if "error" not in values and "content" not in values:
        raise UsageError(f"{file} was written by an earlier version, which did not note the scored content; {_WAY_OUT}")
    return Row(**values)


def _wrong_values(values: dict[str, Any]) -> Iterator[str]:
    """Yield the names of values that no row can have."""
    texts = ("conditioning", "accompaniment", "signature", *(("error",) if "error" in values else ()))
    yield from (name for name in texts if not isinstance(values.get(name), str) or not values[name])
    if "error" in values:
        yield from (name for name in (*NUMBERS, "windows", "content") if name in values)
        return
    windows, silent = (values.get(name) for name in ("windows", "silent_windows"))
    if windows == silent:
        yield from (name for name in NUMBERS if name in values)
    for name in (*(() if windows == silent else ("score",)), *(name for name in NUMBERS if name in values)):
        value = values.get(name)
        if type(value) not in (int, float) or not math.isfinite(value or 0):
            yield name
    if type(windows) is not int or windows < 1:
        yield "windows"
    elif type(silent) is not int or not 0 <= silent <= windows:
        yield "silent_windows"
    if "content" in values and not (isinstance(values["content"], str) and _CONTENT.fullmatch(values["content"])):
        yield "content"
    for name in ("starts", "scores"):
        if name in values and not _is_list(values[name], windows):
            yield name


def _is_list(values: object, size: object) -> bool:
    whole = isinstance(values, tuple) and len(values) == size
    return whole and all(value is None or type(value) in (int, float) for value in values)  # type: ignore[attr-defined]
