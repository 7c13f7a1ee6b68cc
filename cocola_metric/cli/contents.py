"""What the files of a pair hold: the identity of their content, and the marks that change with it."""

import hashlib
import os
import stat
from collections.abc import Iterator, Sequence

from ..addresses import Address, Place, located
from ..audio import AudioInput, content_sha256
from ..identity import file_marks
from ..remote import details
from .score_rows import CONTENT_DIGITS


def content_of(conditioning: AudioInput, accompaniment: AudioInput) -> str:
    """Return the identity of a pair's content; empty if it cannot be read."""
    try:
        sides = f"{content_sha256(conditioning)} {content_sha256(accompaniment)}"
    except (OSError, ValueError):
        return ""
    return hashlib.sha256(sides.encode()).hexdigest()[:CONTENT_DIGITS]


def sound_files(*sides: AudioInput) -> Iterator[Place]:
    """Yield the files of the sides of a pair."""
    for side in sides:
        if isinstance(side, (str, os.PathLike)):
            yield located(side)
        elif isinstance(side, Sequence):
            yield from map(located, side)


def marks_of(file: Place) -> object:
    """Return the marks of a regular file, or what the store says of an object; None for other files."""
    try:
        if isinstance(file, Address):
            return details(file)
        return file_marks(file) if stat.S_ISREG(file.stat().st_mode) else None
    except (OSError, ValueError):
        return None
