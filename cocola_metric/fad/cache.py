"""Embeddings on disk, found by what was embedded and how: content hashes and a recipe, never file names."""

import contextlib
import hashlib
import io
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..whole_files import write_bytes_whole
from .frechet import Array
from .stored_arrays import npy_array

_DIGEST_BYTES = hashlib.sha256().digest_size


def default_folder() -> Path:
    """Return the user's cache folder for embeddings: ``$XDG_CACHE_HOME`` or ``~/.cache``, then cocola-metric."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cocola-metric" / "embeddings"


class EmbeddingCache:
    """A folder of embeddings, one ``.npy`` file (n, D) in float32 a clip, with a check sum behind the array.

    A file that is torn, flipped or under a wrong name is as good as none.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, recipe: str, contents: Sequence[str]) -> Path:
        """Return where the embeddings of a clip, or of a mix of clips, belong.

        Args:
            recipe: of the embedder.
            contents: hashes of the clips that are summed, in any order.
        """
        key = hashlib.sha256("\n".join([recipe, *sorted(contents)]).encode()).hexdigest()
        return self.folder / key[:2] / f"{key}.npy"

    def read(self, path: Path) -> Array | None:
        """Return the embeddings, or None if there are none or the file is damaged."""
        try:
            content = path.read_bytes()
            data, digest = content[:-_DIGEST_BYTES], content[-_DIGEST_BYTES:]
            if digest != _digest(path, data):
                return None
            embeddings = npy_array(data)
        except (OSError, ValueError):
            return None
        usable = embeddings.ndim == 2 and len(embeddings) and np.isfinite(embeddings).all()
        return embeddings.astype(np.float64) if usable else None

    def write(self, path: Path, embeddings: Array) -> None:
        """Keep embeddings. A folder that cannot be written costs the cache, not the run."""
        stream = io.BytesIO()
        np.save(stream, embeddings.astype(np.float32))
        data = stream.getvalue()
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_bytes_whole(path, data + _digest(path, data), durable=False)


def _digest(path: Path, data: bytes) -> bytes:
    """Return the check sum behind the array: of its bytes, and of the name that says what was embedded."""
    return hashlib.sha256(path.stem.encode() + data).digest()
