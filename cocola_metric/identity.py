"""The identity of a file: the SHA-256 of its content."""

import functools
import hashlib
import os
import time
from pathlib import Path

DISTRUST_VARIABLE = "COCOLA_HASH_AGAIN"
_SETTLED_NANOSECONDS = 2_000_000_000  # the coarsest clock of a file system (FAT): a younger file may change unnoticed

Marks = tuple[int, int, int, int]


def file_marks(path: str | os.PathLike[str]) -> Marks:
    """Return the marks that change with a file: its inode, its size, and the times of its content and of its inode.

    Raises:
        OSError: the file cannot be examined.
    """
    status = Path(path).stat()
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal. An unchanged file is read once per process.

    A file counts as unchanged if its `file_marks` are the same, and if it was last changed more than two seconds before
    it was read. With ``COCOLA_HASH_AGAIN=1`` in the environment, every file is read every time.
    """
    marks = file_marks(path)
    if os.environ.get(DISTRUST_VARIABLE, "0") != "0" or time.time_ns() - max(marks[2:]) < _SETTLED_NANOSECONDS:
        return _content_sha256(path)
    return _remembered_sha256(path.resolve(), marks)


@functools.lru_cache(maxsize=4096)
def _remembered_sha256(path: Path, _: Marks) -> str:
    return _content_sha256(path)


def _content_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
