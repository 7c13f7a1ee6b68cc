"""A system outside this package: its answers are read from a folder of WAVs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cocola_metric.errors import AudioError
from cocola_metric.identity import file_sha256

from ..queries import ConditioningAudio, Query
from .folder import Generated, open_generated


class Folder:
    """An external system: WAV or FLAC files named after the queries, made elsewhere."""

    def __init__(self, root: Path, queries_sha256: str) -> None:
        """Open a folder that answers the queries of a manifest.

        Args:
            root: folder of ``<query id>.wav`` and ``generated.json``; the command ``export`` writes the latter.
            queries_sha256: SHA-256 of the manifest's file.

        Raises:
            UsageError: the folder does not belong to the manifest.
        """
        self.folder = open_generated(root, queries_sha256)
        self.name = str(self.folder.about.get("generator") or root.name)
        self.content = self.folder.content

    def unsupported(self, query: Query) -> str | None:
        """Return the reason in ``generated.json``, {"unsupported": {query id: reason}}; all other queries need a file.

        Raises:
            AudioError: there is neither a file nor a reason.
        """
        reason = dict(self.folder.about.get("unsupported") or {}).get(query.id)
        if reason is None and self.folder.path(query) is None:
            raise AudioError(
                f"{self.folder.root}: no {query.id}.wav; generate it, or give the reason in generated.json: "
                f'{{"unsupported": {{"{query.id}": "…"}}}}'
            )
        return None if reason is None else str(reason)

    def recipe(self, query: Query, audio: ConditioningAudio) -> Mapping[str, Any]:
        """Return the hash of the file, and its content."""
        path = self.folder.path(query)
        return {"file": file_sha256(path) if path else None, "content": self.content}

    def generate(self, queries: Sequence[Query], audio: ConditioningAudio, rng: np.random.Generator) -> list[Generated]:
        """Read the files."""
        return [self.folder.read(query) for query in queries]
