"""Parts of a file, with other bytes put before or between, read as if they were one file."""

import os
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import BinaryIO, TypeAlias

Part: TypeAlias = bytes | tuple[int, int]
"""Bytes of our own, or the start and end of bytes in the file."""


class ByteView:
    """A view of a file for a decoder. It never raises, since exceptions cannot cross a C library.

    Attributes:
        failure: error of the first failed read; None if there was none.
        furthest: largest position up to which bytes were read, in bytes of the view.
    """

    def __init__(self, file: BinaryIO, parts: Sequence[Part]) -> None:
        self._file, self._parts = file, [part for part in parts if _length(part)]
        self._starts = [0, *accumulate(map(_length, self._parts))]
        self._position = 0
        self.failure: OSError | None = None
        self.furthest = 0

    @property
    def size(self) -> int:
        """Number of bytes in all parts."""
        return self._starts[-1]

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move within the view, and return the position."""
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._position}.get(whence, self.size)
        self._position = min(max(0, origin + offset), self.size)
        return self._position

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def read(self, count: int) -> bytes:
        """Read up to `count` bytes; fewer at the end, or where the disk gives none."""
        chunks: list[bytes] = []
        while count > 0 and self._position < self.size:
            index = bisect_right(self._starts, self._position) - 1
            part, skipped = self._parts[index], self._position - self._starts[index]
            wanted = min(count, self._starts[index + 1] - self._position)
            chunk = (
                part[skipped : skipped + wanted] if isinstance(part, bytes) else self._stored(part[0] + skipped, wanted)
            )
            if not chunk:
                break
            chunks.append(chunk)
            count -= len(chunk)
            self._position += len(chunk)
        self.furthest = max(self.furthest, self._position)
        return b"".join(chunks)

    def _stored(self, position: int, count: int) -> bytes:
        try:
            if self._file.tell() != position:
                self._file.seek(position)
            return self._file.read(count)
        except OSError as error:
            self.failure = error
            return b""


def _length(part: Part) -> int:
    return len(part) if isinstance(part, bytes) else part[1] - part[0]
