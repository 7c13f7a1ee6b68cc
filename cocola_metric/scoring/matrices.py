"""Scores of every conditioning with every accompaniment: matrices, accuracies among them (Eq. 8) and rankings."""

import itertools
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .. import functional
from ..arrays import FloatArray
from ..audio import AudioInput
from ..errors import UsageError
from ..reading import Reading
from ..torch_state import with_own_torch_state
from .checks import check_counts, raised, warned_of_silence
from .embedded import Embedded
from .keeping import Keeper
from .requests import Catalogue
from .results import Embeddings, Ranked
from .similarities import mean_similarities


class MatrixScorer(Keeper):
    """The scores of all combinations of conditionings and accompaniments."""

    @with_own_torch_state
    def similarity_matrix(
        self,
        conditionings: Sequence[AudioInput],
        accompaniments: Sequence[AudioInput],
        *,
        sample_rate: float | None = None,
    ) -> FloatArray:
        """Return the score of every conditioning with every accompaniment, from n + m embeddings.

        Shape:
            n audios, m audios -> (n, m), NaN with a warning if no window of a pair has sound on both sides.

        Raises:
            AudioError: an input cannot be read.
        """
        return warned_of_silence(mean_similarities(*self._embedded_sides(conditionings, accompaniments, sample_rate)))

    @with_own_torch_state
    def accuracy(
        self,
        conditionings: Sequence[AudioInput],
        accompaniments: Sequence[AudioInput],
        *,
        sample_rate: float | None = None,
        batch_size: int | None = None,
    ) -> float:
        """Return the share of conditionings that score highest with their own accompaniment within a batch (Eq. 8).

        A tie is not a win. Accuracies can only be compared at the same K, since more choices are harder.

        Args:
            conditionings: music to be accompanied.
            accompaniments: accompaniment of each conditioning.
            sample_rate: rate of arrays and tensors, in Hz.
            batch_size: K, number of consecutive pairs in a batch; by default all pairs are one batch. The accuracy is
                the mean over batches, and pairs behind the last complete batch are left out.

        Raises:
            AudioError: an input cannot be read.
            UsageError: there are fewer pairs than a batch holds, or the numbers of both sides differ.
        """
        check_counts(conditionings, accompaniments)
        if not len(conditionings):
            raise UsageError("there are no pairs to compute an accuracy of; pass at least one")
        size = len(conditionings) if batch_size is None else batch_size
        if not 1 <= size <= len(conditionings):
            raise UsageError(f"batch_size must be 1 to {len(conditionings)}, the number of pairs; got {batch_size}")
        used = len(conditionings) // size * size
        scores = self.similarity_matrix(conditionings[:used], accompaniments[:used], sample_rate=sample_rate)
        batches = np.stack([scores[first : first + size, first : first + size] for first in range(0, used, size)])
        return float(functional.accuracy(batches).mean())

    @with_own_torch_state
    def rank(
        self,
        conditioning: AudioInput | Embeddings,
        candidates: Sequence[AudioInput] | Sequence[Embeddings],
        *,
        sample_rate: float | None = None,
    ) -> list[Ranked]:
        """Return the candidates in order of falling score. Those too silent to be scored come last, with NaN.

        Args:
            conditioning: audio, or its `embeddings`.
            candidates: audios, or their `embeddings` if the conditioning is one.
            sample_rate: rate of arrays and tensors, in Hz.

        Raises:
            AudioError: an input cannot be read.
            UsageError: embeddings were made by another recipe, or are mixed with audio.
        """
        kept = [isinstance(side, Embeddings) for side in (conditioning, *candidates)]
        if all(kept):
            scores = self.similarity([conditioning], candidates)[0]  # type: ignore[list-item, arg-type]
            silences = [(conditioning.silent, candidate.silent) for candidate in candidates]  # type: ignore[union-attr]
        elif any(kept):
            raise UsageError("audio and embeddings cannot be mixed; embed all with CocolaScorer.embeddings, or none")
        else:
            [given], sides = self._embedded_sides([conditioning], candidates, sample_rate)  # type: ignore[list-item, arg-type]
            scores = warned_of_silence(mean_similarities([given], sides))[0]
            lengths = (min(given.length, side.length) for side in sides)
            silences = [(given.up_to(n).silent, side.up_to(n).silent) for n, side in zip(lengths, sides, strict=True)]
        ranked = [
            Ranked(index, score, self._reading(score, *silent))
            for index, (score, silent) in enumerate(zip(scores.tolist(), silences, strict=True))
        ]
        return sorted(ranked, key=lambda entry: (math.isnan(entry.score), -entry.score))

    def _embedded_sides(
        self, conditionings: Sequence[AudioInput], accompaniments: Sequence[AudioInput], sample_rate: float | None
    ) -> tuple[list[Embedded], list[Embedded]]:
        """Embed both sides, each audio once, for every combination."""
        catalogue = Catalogue(sample_rate)
        rows = [catalogue.add(audio) for audio in conditionings]
        columns = [catalogue.add(audio) for audio in accompaniments]
        requests = catalogue.requests(itertools.product(rows, columns))
        embedded = [raised(result) for result in self._embed_all(requests)]
        return [embedded[row] for row in rows], [embedded[column] for column in columns]

    def _reading(self, score: float, *silent: NDArray[np.bool_]) -> Reading | None:
        """Return the meaning of a score over the windows in which neither side is silent."""
        if self.reference is None or math.isnan(score):
            return None
        count = min(map(len, silent))
        return self.reference.read(score, int((~(silent[0][:count] | silent[1][:count])).sum()))
