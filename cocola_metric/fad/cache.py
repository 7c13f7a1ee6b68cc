"""Embeddings on disk, found by what was embedded and how: content hashes and a recipe, never file names."""

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .frechet import Array


def default_folder() -> Path:
    """Return the user's cache folder for embeddings: ``$XDG_CACHE_HOME`` or ``~/.cache``, then cocola-metric."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cocola-metric" / "embeddings"


class EmbeddingCache:
    """A folder of embeddings, one ``.npy`` file (n, D) in float32 a clip; files are whole or not there."""

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
            embeddings = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None
        usable = embeddings.ndim == 2 and len(embeddings) and np.isfinite(embeddings).all()
        return embeddings.astype(np.float64) if usable else None

    def write(self, path: Path, embeddings: Array) -> None:
        """Keep embeddings. A folder that cannot be written costs the cache, not the run."""
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".partial", delete=False) as file:
                np.save(file, embeddings.astype(np.float32))
            Path(file.name).replace(path)
