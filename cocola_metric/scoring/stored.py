"""Embeddings on disk: an audio that was embedded before by the same recipe is not embedded again."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from ..audio import Audio, WindowPlan, warn_of_short_audio
from ..embedding_store import EMBEDDINGS, EmbeddingStore
from ..errors import AudioError
from .embedded import Embedded, Request, Windows
from .embedding import WindowEmbedder

TRACES = ("phases", "noise")


class StoredEmbedder:
    """Embeds audios with a `WindowEmbedder`, and stores the results by content and recipe.

    Every length of an audio is an entry of its own, with its traces of echo and noise. The audio is embedded if one of
    its entries is missing.

    Attributes:
        reused: number of audios that were read from the store, over all calls.
        asked: number of audios of all requests, over all calls.
    """

    def __init__(self, embedder: WindowEmbedder, store: EmbeddingStore) -> None:
        self._embedder, self._store = embedder, store
        self.reused = self.asked = 0

    def embed_all(self, requests: Sequence[Request], recipe: str) -> Iterator[Embedded | AudioError]:
        """Yield the results of `WindowEmbedder.embed_all`, in the same order.

        Args:
            requests: audios to embed.
            recipe: recipe of the embeddings.
        """
        contents = [_content(request) for request in requests]
        stored = [
            bool(content) and all(place.exists() for place in self._places(request, content, recipe).values())
            for request, content in zip(requests, contents, strict=True)
        ]
        missing = [request for request, kept in zip(requests, stored, strict=True) if not kept]
        new = self._embedder.embed_all(missing, traced=True)
        for request, content, kept in zip(requests, contents, stored, strict=True):
            self.asked += 1
            found = self._read(request, content, recipe) if kept else None
            if found is not None:
                self.reused += 1
                yield found
                continue
            again = self._embedder.embed_all([request], traced=True) if kept else new  # kept, but damaged
            result = next(again)
            if content and isinstance(result, Embedded) and _content(request) == content:
                self._write(request, content, recipe, result)
            yield result

    def _places(self, request: Request, content: str, recipe: str) -> dict[int, Path]:
        """Return the file of each length of an audio."""
        assert isinstance(request.audio, Audio)
        whole = request.audio.length
        return {
            length: self._store.path(recipe, [content] if length == whole else [content, f"length:{length}"])
            for length in request.lengths or {whole}
        }

    def _read(self, request: Request, content: str, recipe: str) -> Embedded | None:
        assert isinstance(request.audio, Audio)
        found: dict[int, Windows] = {}
        for length, place in self._places(request, content, recipe).items():
            arrays = self._store.read(place)
            if arrays is None or not {"left", "silent", *TRACES} <= set(arrays):
                return None
            embeddings = arrays[EMBEDDINGS]
            if len(embeddings) != self.plan.count(length):
                return None
            right = arrays.get("right", embeddings)
            found[length] = Windows(
                embeddings, arrays["left"], right, arrays["silent"].astype(bool), *map(arrays.get, TRACES)
            )
        longest = max(found)
        warn_of_short_audio(request.audio.name, longest, self.plan)
        ends = {
            length: windows.part(slice(-1, None))
            for length, windows in found.items()
            if self.plan.cuts(length, longest)
        }
        return Embedded(request.audio.length, self.plan, found[longest], ends)

    def _write(self, request: Request, content: str, recipe: str, embedded: Embedded) -> None:
        for length, place in self._places(request, content, recipe).items():
            windows = embedded.up_to(length)
            arrays = {EMBEDDINGS: windows.embeddings, "left": windows.left, "silent": windows.silent}
            if windows.right is not windows.embeddings:
                arrays["right"] = windows.right
            arrays |= {name: array for name in TRACES if (array := getattr(windows, name)) is not None}
            self._store.write(place, arrays)

    @property
    def plan(self) -> WindowPlan:
        """The plan of the windows."""
        return self._embedder.plan


def _content(request: Request) -> str:
    """Return the identity of an audio's content; empty if it cannot be known."""
    if isinstance(request.audio, AudioError) or request.identity is None:
        return ""
    try:
        return request.identity()
    except (OSError, ValueError):
        return ""
