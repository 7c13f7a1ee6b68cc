"""The identity of weights: the SHA-256 of the file that holds them."""

import functools
import hashlib
from pathlib import Path


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal; a file that has not changed is read once per process."""
    status = path.stat()
    return _sha256(path.resolve(), status.st_ino, status.st_mtime_ns, status.st_size)


@functools.lru_cache(maxsize=64)
def _sha256(path: Path, *_: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
