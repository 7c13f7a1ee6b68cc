"""The file of scores. Pairs are appended one by one and found again by content, so that a killed run can go on."""

import contextlib
import itertools
import os
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from ..addresses import Address, Place
from ..errors import UsageError
from ..reading import Anchors, Lengths
from ..remote import look_at, trusted
from ..scoring import WindowScores
from ..whole_files import explained, make_folder, refuse_unwritable, write_bytes_whole, written_alone
from .answers import rounded
from .contents import content_of, marks_of, sound_files
from .pairs import Pair
from .score_rows import Row, header, other_columns, read_rows, row_of, with_reading


def check_place(path: Path, manifest: Place | None, *, with_windows: bool) -> None:
    """Refuse a score file that cannot be written, before any work is done; its folder is created.

    Raises:
        UsageError: the suffix is wrong, or the file is the manifest.
        OutputError: the file cannot be written.
    """
    if path.suffix not in (".csv", ".jsonl"):
        raise UsageError(f"--out must end in .csv or .jsonl; got {path}")
    if with_windows and path.suffix == ".csv":
        raise UsageError(f"--windows needs an --out that ends in .jsonl, since a CSV cannot hold lists; got {path}")
    make_folder(path.parent)
    refuse_unwritable(path)
    if isinstance(manifest, Path) and path.exists() and manifest.samefile(path):
        raise UsageError(f"{path} is the list of pairs, which the scores would replace; give another --out")


class ScoreFile:
    """Scores on disk, in CSV or JSONL by suffix. One run at a time appends one line per pair, at once.

    A pair with a score in the file is not scored again. It is found by the content of its audio, not by file names.
    Rows of pairs that were not asked for stay in the file, behind the others.

    Attributes:
        path: path of the file.
        todo: pairs without a score, with those that failed before.
        damaged: messages about damaged lines of the file, whose pairs are scored again.
        reused: number of pairs whose score the file had.
    """

    def __init__(
        self,
        path: Path,
        signature: str,
        pairs: Sequence[Pair],
        *,
        with_windows: bool = False,
        reference: Lengths | None = None,
        anchored_later: bool = False,
    ) -> None:
        self.path, self.signature, self.with_windows = path, signature, with_windows
        self._reference, self._anchored_later = reference, anchored_later
        self.damaged: list[str] = []
        self._pairs = pairs
        self._rows: list[Row | None] = [None] * len(pairs)
        self._others: list[Row] = []
        self._waiting: list[int] = []
        self._columns: list[str] = []
        self._marks: dict[Place, object] = {}  # of files; stores are asked when the content is
        self._file: BinaryIO | None = None
        self._alone = contextlib.ExitStack()

    @property
    def todo(self) -> list[Pair]:
        """The pairs that have no score yet."""
        return [self._pairs[index] for index in self._waiting]

    @property
    def reused(self) -> int:
        """Number of pairs whose score the file had."""
        return len(self._pairs) - len(self._waiting)

    def __enter__(self) -> "ScoreFile":
        """Lock the file, take over its finished rows, and open it without damaged lines.

        Raises:
            UsageError: another run writes to the file, or it is not a score file of this recipe.
            OutputError: the file cannot be written.
        """
        self._alone.enter_context(written_alone(self.path))
        try:
            self._take_over()
            self._write_whole()
            self._file = self.path.open("ab", buffering=0)
        except BaseException:
            self._alone.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Sort the rows in the order of the pairs, unless the run was stopped, and flush them to the disk."""
        try:
            if self._file is not None:
                with contextlib.suppress(OSError):
                    os.fsync(self._file.fileno())
                self._file.close()
            if kind is None:
                self._write_whole()
        finally:
            self._alone.close()

    def write(self, index: int, result: WindowScores | str, content: str | None = None) -> str | None:
        """Append the scores of ``todo[index]``, or the reason for having none, and return that reason.

        Args:
            index: index of the pair in `todo`.
            result: scores of the pair, or the reason for having none.
            content: identity of what was scored, from `contents.content_of`; None finds it out here, and sees whether a
                file was changed meanwhile.

        Raises:
            OutputError: the file cannot be written, as on a full disk; it then ends with the last whole line.
        """
        number = self._waiting[index]
        pair = self._pairs[number]
        if not isinstance(result, str) and content is None:
            content = self._content(pair)
            if any(marks_of(file) != self._marks[file] for file in _files(pair) if isinstance(file, Path)):
                result = "a file was changed while it was scored; score the pair again"
        row = row_of(pair.cells, result, content or "", self.signature, self.with_windows, other_columns(pair.others))
        row = self._read(row)
        self._rows[number] = row
        self._append(row.line(self.path.suffix, self._columns))
        return row.error or None

    def scores(self) -> list[float]:
        """Return the scores of the requested pairs that have one."""
        return [row.score for row in self._rows if row is not None and row.score is not None]

    def rows(self) -> list[Row]:
        """Return the rows of the requested pairs that have a score."""
        return [row for row in self._rows if row is not None and row.score is not None]

    def anchor(self, anchors: Anchors) -> None:
        """Set the anchored scores of the requested pairs, which are written at the end."""
        self._rows = [
            row if row is None or row.score is None else replace(row, anchored=rounded(anchors.anchored(row.score)))
            for row in self._rows
        ]

    def groups(self, column: str) -> list[str]:
        """Return the text of a column for each of the requested pairs that have a score.

        Raises:
            UsageError: a pair lacks the column.
        """
        scored = [row for row in self._rows if row is not None and row.score is not None]
        texts = [{"conditioning": row.conditioning, **row.others}.get(column, "") for row in scored]
        if not all(texts):
            known = ", ".join(["conditioning", *self._columns])
            raise UsageError(f"--group must be a column of every row ({known}); got {column!r}")
        return texts

    def silent(self) -> int:
        """Count the requested pairs whose windows are all silent on one side."""
        return sum(row is not None and row.is_silent for row in self._rows)

    def suspects(self) -> int:
        """Count the pairs that were asked for whose answer is an echo of its conditioning, or noise."""
        return sum(row is not None and row.is_suspect for row in self._rows)

    def _take_over(self) -> None:
        """Assign to every pair the row of the file with its content."""
        rows: list[Row] = []
        if self.path.exists():
            rows, self.damaged = read_rows(self.path, self.signature)
        failed = {(row.conditioning, row.accompaniment) for row in rows if row.error}
        known: dict[str, list[Row]] = defaultdict(list)
        for row in rows:
            if not row.error and not (self.with_windows and row.scores is None and not row.is_silent):
                known[row.content].append(row)
        used: Counter[str] = Counter()
        with trusted():
            if known:
                look_at(file for pair in self._pairs for file in _files(pair) if isinstance(file, Address))
            self._assign(known, failed, used)
        self._others = [row for content, found in known.items() for row in found[used[content] :]]

    def _assign(self, known: dict[str, list[Row]], failed: set[tuple[str, str]], used: Counter[str]) -> None:
        for number, pair in enumerate(self._pairs):
            for file in _files(pair):
                if isinstance(file, Path) and file not in self._marks:
                    self._marks[file] = marks_of(file)
            content = self._content(pair) if known and pair.cells not in failed else ""
            if content in known:
                found = known[content][0]
                used[content] += 1
                self._rows[number] = replace(
                    self._read(found),
                    signature=self.signature,
                    conditioning=pair.cells[0],
                    accompaniment=pair.cells[1],
                    others=other_columns(pair.others),
                )
            else:
                self._waiting.append(number)

    def _read(self, row: Row) -> Row:
        """Return a row whose score, as it is written, is read by the reference of now."""
        counted = (row.windows or 0) - (row.silent_windows or 0)
        if self._reference is None or row.score is None:
            row = with_reading(row, None)
        else:
            row = with_reading(row, self._reference.read(row.score, counted))
        return replace(row, anchored=None) if self._anchored_later else row

    def _content(self, pair: Pair) -> str:
        """Return the identity of a pair's content; empty if it cannot be read."""
        if any(self._marks[file] is None for file in _files(pair) if isinstance(file, Path)):
            return ""
        return content_of(pair.conditioning, pair.accompaniment)

    def _write_whole(self) -> None:
        rows = [row for row in self._rows if row is not None] + self._others
        named = [other_columns(pair.others) for pair in self._pairs] + [row.others for row in self._others]
        self._columns = list(dict.fromkeys(itertools.chain.from_iterable(named)))
        lines = [row.line(self.path.suffix, self._columns) for row in rows]
        write_bytes_whole(self.path, b"".join([header(self.path.suffix, self._columns), *lines]))

    def _append(self, line: bytes) -> None:
        assert self._file is not None, "write only inside the with block"
        end = self._file.seek(0, os.SEEK_END)
        try:
            while line:
                line = line[self._file.write(line) :]
        except OSError as error:
            with contextlib.suppress(OSError):
                self._file.truncate(end)
            raise explained(self.path, error) from error


def _files(pair: Pair) -> list[Place]:
    return list(sound_files(pair.conditioning, pair.accompaniment))
