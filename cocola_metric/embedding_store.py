"""Embeddings on disk, found by content hashes and a recipe, never by file names."""

import contextlib
import hashlib
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import UsageError
from .stored_arrays import npz_arrays
from .whole_files import write_bytes_whole

EMBEDDINGS = "embeddings"
"""Name of the array that every entry has, (n, D)."""
_DIGEST_BYTES = hashlib.sha256().digest_size


def default_folder() -> Path:
    """Return the user's cache folder for embeddings: ``$XDG_CACHE_HOME`` or ``~/.cache``, then cocola-metric."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cocola-metric" / "embeddings"


def open_store(folder: str | os.PathLike[str] | None) -> "EmbeddingStore | None":
    """Return the store in a folder; ``"default"`` stands for the user's own folder, None for no store.

    Raises:
        UsageError: the path is a file.
    """
    if folder is None:
        return None
    place = default_folder() if folder == "default" else Path(folder)
    if place.is_file():
        raise UsageError(f"cache must be a folder; got the file {place}; on a command line, name the inputs first")
    return EmbeddingStore(place)


class EmbeddingStore:
    """A folder of embeddings: an ``.npz`` file of arrays (n, ...) a clip, float32 or bytes, with a check sum behind it.

    A damaged file, or one under a wrong name, counts as missing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, recipe: str, contents: Sequence[str]) -> Path:
        """Return the path of the embeddings of a clip, or of a mix of clips.

        Args:
            recipe: recipe of the embedder.
            contents: hashes of the clips that are summed, in any order.
        """
        key = hashlib.sha256("\n".join([recipe, *sorted(contents)]).encode()).hexdigest()
        return self.folder / key[:2] / f"{key}.npz"

    def read(self, path: Path) -> dict[str, NDArray[Any]] | None:
        """Return the arrays of an entry by name, or None if there is none or the file is damaged."""
        try:
            content = path.read_bytes()
            data, digest = content[:-_DIGEST_BYTES], content[-_DIGEST_BYTES:]
            if digest != _digest(path, data):
                return None
            arrays = npz_arrays(io.BytesIO(data))
        except (OSError, ValueError):
            return None
        return arrays if _usable(arrays) else None

    def write(self, path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Store an entry. If the folder cannot be written, the entry is lost, and the run goes on.

        Args:
            path: path of the entry, from `path`.
            arrays: arrays of one length by name, with `EMBEDDINGS` among them.
        """
        stream = io.BytesIO()
        entry: dict[str, Any] = {
            name: array if _are_bits(array) else np.float32(array) for name, array in arrays.items()
        }
        np.savez(stream, **entry)
        data = stream.getvalue()
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_bytes_whole(path, data + _digest(path, data), durable=False)


def _usable(arrays: Mapping[str, NDArray[Any]]) -> bool:
    if EMBEDDINGS not in arrays or arrays[EMBEDDINGS].ndim != 2 or not len(arrays[EMBEDDINGS]):
        return False
    count = len(arrays[EMBEDDINGS])
    return all(
        array.ndim
        and len(array) == count
        and (_are_bits(array) or (array.dtype == np.float32 and np.isfinite(array).all()))
        for array in arrays.values()
    )


def _are_numbers(array: NDArray[Any]) -> bool:
    return array.dtype == np.float32 and bool(np.isfinite(array).all())


def _are_bits(array: NDArray[Any]) -> bool:
    return array.dtype in (np.uint8, np.bool_)


def _digest(path: Path, data: bytes) -> bytes:
    """Return the check sum behind the arrays, over their bytes and the name of the file."""
    return hashlib.sha256(path.stem.encode() + data).digest()
