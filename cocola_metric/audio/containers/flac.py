"""The bytes behind the samples of a FLAC file: notes are passed over, a second recording is refused."""

import os

from ...errors import AudioError
from .byte_view import ByteView

_BEGINNING = b"fLaC\0\0\0\x22"  # and the size of the first block, which is always the same
_READ_AHEAD = 2**17  # bytes a decoder may have read beyond the last frame
_MOST_BEHIND = 2**16  # bytes of notes or padding


def refuse_what_follows(view: ByteView, name: str) -> None:
    """Refuse a file that goes on behind the samples of its header. Call it when all of these have been read.

    Raises:
        AudioError: a second recording or too many unknown bytes follow.
    """
    furthest = view.furthest
    view.seek(max(1, furthest - _READ_AHEAD))
    rest = view.read(_READ_AHEAD + 2 * _MOST_BEHIND)
    if _BEGINNING in rest:
        raise AudioError(f"{name} holds a second recording behind the first; join both into one, or split the file")
    behind = view.size - furthest
    if behind > _MOST_BEHIND:
        raise AudioError(
            f"{name} holds {behind} unknown bytes behind the samples that its header announces; encode it again"
        )
    view.seek(0, os.SEEK_END)
