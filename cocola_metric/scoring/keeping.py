"""Embeddings to be kept: audios embedded once, and compared later."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import numpy as np

from ..arrays import FloatArray
from ..audio import AudioInput, WindowPlan
from ..errors import AudioError
from ..reading import Lengths
from ..signature import embedder_recipe
from .checks import raised
from .embedded import Embedded, Request
from .embedding import WindowEmbedder
from .requests import Catalogue
from .results import Embeddings
from .similarities import block_means
from .stored import StoredEmbedder


class Keeper(ABC):
    """What a scorer can do with embeddings that are kept."""

    plan: WindowPlan
    _embedder: WindowEmbedder
    _stored_embedder: StoredEmbedder | None = None

    @property
    @abstractmethod
    def signature(self) -> str:
        """The recipe of this scorer's scores in one line, to be cited with them."""

    @property
    @abstractmethod
    def reference(self) -> Lengths | None:
        """The reference by which scores are read; None if there is none."""

    @property
    def reused(self) -> int:
        """Number of audios, over all calls, whose embeddings the cache had."""
        return self._stored_embedder.reused if self._stored_embedder else 0

    @property
    def requested(self) -> int:
        """Number of audios, over all calls, that the cache was asked for."""
        return self._stored_embedder.asked if self._stored_embedder else 0

    def embed(self, audio: AudioInput, *, sample_rate: float | None = None) -> FloatArray:
        """Return the embedding of every window.

        Shape:
            -> (K, D).

        Raises:
            AudioError: the input cannot be read.
        """
        return self.embeddings([audio], sample_rate=sample_rate)[0].embeddings

    def embeddings(self, audios: Sequence[AudioInput], *, sample_rate: float | None = None) -> list[Embeddings]:
        """Embed audios once, for later comparisons by `similarity` and `rank`.

        Raises:
            AudioError: an input cannot be read.
        """
        catalogue = Catalogue(sample_rate)
        numbers = [catalogue.add(audio) for audio in audios]
        embedded = [raised(result) for result in self._embed_all(catalogue.requests([]))]
        kept = [Embeddings(*audio.windows.sides, audio.windows.silent, self.signature) for audio in embedded]
        return [kept[number] for number in numbers]

    def similarity(self, conditionings: Sequence[Embeddings], accompaniments: Sequence[Embeddings]) -> FloatArray:
        """Return the score of every conditioning with every accompaniment, from their `embeddings`.

        Window k of one is compared with window k of the other, as far as both have windows. For audios of one length,
        scores equal those of `similarity_matrix`. If one audio ends inside a window of the other, that window is
        compared whole here.

        Shape:
            n embeddings, m embeddings -> (n, m), NaN if no window of a pair has sound on both sides.

        Raises:
            UsageError: embeddings were made by another recipe.
        """
        scores = np.empty((len(conditionings), len(accompaniments)), np.float32)
        for row, conditioning in enumerate(conditionings):
            for column, accompaniment in enumerate(accompaniments):
                count = min(len(conditioning), len(accompaniment))
                left, right = (side.first(count, self.signature) for side in (conditioning, accompaniment))
                scores[row, column] = block_means([left], [right])[0, 0]
        return scores

    def _embed_all(self, requests: Sequence[Request], *, traced: bool = False) -> Iterator[Embedded | AudioError]:
        if self._stored_embedder is None:
            return self._embedder.embed_all(requests, traced=traced)
        return self._stored_embedder.embed_all(requests, embedder_recipe(self.signature))
