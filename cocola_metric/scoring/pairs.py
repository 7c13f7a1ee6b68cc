"""Scores of pairs, each a conditioning with its accompaniment: window by window, and on average (Eq. 4)."""

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from ..arrays import FloatArray
from ..audio import AudioInput, cancelling_channels
from ..errors import AudioError
from ..torch_state import each_with_own_torch_state, with_own_torch_state
from .checks import check_counts, raised, warned_of_silence
from .embedded import Embedded
from .guards import echo
from .keeping import Keeper
from .requests import Catalogue
from .results import WindowScores
from .similarities import window_similarities


class PairScorer(Keeper):
    """The scores of pairs of a conditioning and an accompaniment."""

    def score(self, conditioning: AudioInput, accompaniment: AudioInput, *, sample_rate: float | None = None) -> float:
        """Return the COCOLA score (Eq. 4) of an accompaniment, averaged over windows; higher fits better.

        Raises:
            AudioError: an input cannot be read, or no window has sound on both sides.
        """
        return self._score_pair(conditioning, accompaniment, sample_rate, guards=False).mean

    def score_windows(
        self, conditioning: AudioInput, accompaniment: AudioInput, *, sample_rate: float | None = None
    ) -> WindowScores:
        """Return the score of every window, with its echo and noise.

        Raises:
            AudioError: an input cannot be read, or no window has sound on both sides.
        """
        return self._score_pair(conditioning, accompaniment, sample_rate, guards=True)

    @with_own_torch_state
    def score_pairs(
        self,
        conditionings: Sequence[AudioInput],
        accompaniments: Sequence[AudioInput],
        *,
        sample_rate: float | None = None,
    ) -> FloatArray:
        """Return the score of each pair, or NaN with a warning if no window has sound on both sides.

        Shape:
            n audios, n audios -> (n,).

        Raises:
            AudioError: an input cannot be read.
            UsageError: the numbers of conditionings and accompaniments differ.
        """
        check_counts(conditionings, accompaniments)
        pairs = zip(conditionings, accompaniments, strict=True)
        scores = [raised(result).mean for result in self.iter_scores(pairs, sample_rate=sample_rate, guards=False)]
        return warned_of_silence(np.asarray(scores, np.float32))

    @each_with_own_torch_state
    def iter_scores(
        self,
        pairs: Iterable[tuple[AudioInput, AudioInput]],
        *,
        sample_rate: float | None = None,
        guards: bool = True,
    ) -> Iterator[WindowScores | AudioError]:
        """Yield the window scores of each pair in order, as they become ready; yield the error of an unreadable pair.

        The embeddings of an audio are kept up to its last pair.

        Args:
            pairs: conditioning and accompaniment of each pair.
            sample_rate: sample rate of tensors and arrays, in Hz.
            guards: False for scores without echo and noise.
        """
        catalogue = Catalogue(sample_rate)
        numbers = [(catalogue.add(conditioning), catalogue.add(accompaniment)) for conditioning, accompaniment in pairs]
        uses = Counter(itertools.chain.from_iterable(numbers))
        results = enumerate(self._embed_all(catalogue.requests(numbers), traced=guards))
        ready: dict[int, Embedded | AudioError] = {}
        for pair in numbers:
            while not ready.keys() >= set(pair):
                ready.update([next(results)])
            sides = [ready[number] for number in pair]
            uses.subtract(pair)
            for number in {number for number in pair if not uses[number]}:
                del ready[number]
            yield self._window_scores(*sides)

    def _score_pair(
        self, conditioning: AudioInput, accompaniment: AudioInput, sample_rate: float | None, *, guards: bool
    ) -> WindowScores:
        pairs = [(conditioning, accompaniment)]
        result = raised(next(self.iter_scores(pairs, sample_rate=sample_rate, guards=guards)))
        if math.isnan(result.mean):
            hint = cancelling_channels(conditioning, accompaniment)
            raise AudioError(
                "nothing to score: in every window one side is silent; "
                + (hint or "check that both inputs hold music and that they play at the same time")
            )
        return result

    def _window_scores(
        self, conditioning: Embedded | AudioError, accompaniment: Embedded | AudioError
    ) -> WindowScores | AudioError:
        if isinstance(conditioning, AudioError):
            return conditioning
        if isinstance(accompaniment, AudioError):
            return accompaniment
        length = min(conditioning.length, accompaniment.length)
        left, right = conditioning.up_to(length), accompaniment.up_to(length)
        scores = window_similarities(left, right)
        silent = np.isnan(scores)
        mean = math.nan if silent.all() else float(scores[~silent].mean())
        guards: list[tuple[float, ...]] = [(), ()]
        if left.phases is not None and right.phases is not None and right.noise is not None:
            found = echo(left.phases, right.phases), right.noise
            guards = [tuple(np.where(silent, np.float32(np.nan), each).tolist()) for each in found]
        read = None if self.reference is None or silent.all() else self.reference.read(mean, int((~silent).sum()))
        return WindowScores(
            self.plan.starts(len(scores)),
            tuple(scores.tolist()),
            mean,
            int(silent.sum()),
            echo=guards[0],
            noise=guards[1],
            reading=read,
        )
