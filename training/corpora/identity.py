"""The identity of a corpus, which changes with its place and with any of its files."""

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

_SLUG_CHARACTERS = 60
_DIGITS = 8


def cache_name(spec: str) -> str:
    """Return a readable name for the cache folder of a corpus; no other corpus and no other state of it has it.

    Corpora of one name in two places have two folders. So has a corpus before and after a file was added, removed or
    changed, as far as names, sizes and times tell.

    Args:
        spec: corpus, as for `open_corpora`.
    """
    kind, colon, folder = spec.partition(":")
    root = Path(spec).expanduser()
    if colon and folder and not root.exists():
        root = Path(folder).expanduser()
    slug = re.sub(r"[^A-Za-z0-9]+", "-", spec).strip("-")[-_SLUG_CHARACTERS:]
    place = [kind if colon else "", str(root.resolve())]
    return f"{slug}-{_digest(place)}-{_digest(_states(root))}"


def _states(folder: Path) -> Iterator[str]:
    """Yield a line for every file below a folder: its path, its size, its time."""
    for path, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            file = Path(path, name)
            status = file.stat() if file.exists() else None
            yield f"{file.relative_to(folder)} {(status.st_size, status.st_mtime_ns) if status else None}"


def _digest(lines: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for line in lines:
        digest.update(line.encode("utf-8", "surrogateescape") + b"\0")
    return digest.hexdigest()[:_DIGITS]
