"""The identity of a file: the SHA-256 of what it holds."""

import functools
import hashlib
import os
import time
from pathlib import Path

DISTRUST_VARIABLE = "COCOLA_HASH_AGAIN"
_SETTLED_NANOSECONDS = 2_000_000_000  # the coarsest clock of a file system (FAT): what is younger may change unseen

Marks = tuple[int, int, int, int]


def file_marks(path: str | os.PathLike[str]) -> Marks:
    """Return what changes when a file does: its inode, its size, and the times of its content and of its inode.

    Raises:
        OSError: it cannot be looked at.
    """
    status = Path(path).stat()
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal; a file that has not changed is read once per process.

    "Not changed" is told by `file_marks`, and only of a file that was last changed more than two seconds before it was
    read. ``COCOLA_HASH_AGAIN=1`` in the environment distrusts them: every file is read every time.
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
