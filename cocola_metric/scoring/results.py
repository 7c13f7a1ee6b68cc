"""The results of a scorer: scores over time, ranks, and embeddings for later comparisons."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray
from ..errors import UsageError
from ..reading import Reading
from .embedded import Windows
from .guards import ECHO_THRESHOLD, NOISE_THRESHOLD


@dataclass(frozen=True)
class WindowScores:
    """COCOLA scores over time.

    Attributes:
        starts: start time of each window, in seconds.
        scores: score of each window; NaN if either side is silent.
        mean: mean score of the windows that are not silent; NaN if there is none.
        silent_windows: number of windows left out of the mean.
        echo: likeness of both sides in each window, from 0 to 1, as `guards.echo` defines it; NaN where one is silent.
            Empty if it was not asked for.
        noise: likeness of the accompaniment to noise in each window, about 0 to 1; NaN where a side is silent. Empty
            if it was not asked for.
        reading: meaning of the mean by the reference of the encoder; None if there is none, or no score.
    """

    starts: tuple[float, ...]
    scores: tuple[float, ...]
    mean: float
    silent_windows: int
    echo: tuple[float, ...] = ()
    noise: tuple[float, ...] = ()
    reading: Reading | None = None

    @property
    def percentile(self) -> float:
        """Share of coherent pairs of the reference that score lower, in per cent; NaN without a reference."""
        return math.nan if self.reading is None else self.reading.percentile

    @property
    def likelihood(self) -> float:
        """Probability that a pair with this score is coherent, 0 to 1; NaN without a reference."""
        return math.nan if self.reading is None else self.reading.likelihood

    @property
    def anchored(self) -> float:
        """Score on the scale where mismatched pairs have 0, coherent pairs 1; NaN without a reference."""
        return math.nan if self.reading is None else self.reading.anchored

    @property
    def mean_echo(self) -> float:
        """Mean of `echo`: from `ECHO_THRESHOLD` on, the accompaniment is likely to contain its conditioning."""
        return _mean(self.echo)

    @property
    def mean_noise(self) -> float:
        """Mean of `noise`: from `NOISE_THRESHOLD` on, the accompaniment is likely to be noise."""
        return _mean(self.noise)

    @property
    def suspicions(self) -> list[str]:
        """Reasons why a high score of this pair says little, in words; none for most."""
        reasons = []
        if self.mean_echo >= ECHO_THRESHOLD:
            reasons.append(f"echo {self.mean_echo:.2f}: the accompaniment seems to contain its conditioning")
        if self.mean_noise >= NOISE_THRESHOLD:
            reasons.append(f"noise {self.mean_noise:.2f}: the accompaniment seems to be noise")
        return reasons


@dataclass(frozen=True)
class Ranked:
    """A candidate of a ranking.

    Attributes:
        index: index of the candidate in the list that was ranked.
        score: its score; NaN if it is too silent.
        reading: meaning of the score by the reference of the encoder; None if there is none, or no score.
    """

    index: int
    score: float
    reading: Reading | None = None


@dataclass(frozen=True)
class Embeddings:
    """The embedded windows of one audio, for later comparisons with others of the same recipe.

    Attributes:
        embeddings: embedding of each window, (K, D).
        left: side of the similarity as a conditioning, (K, S).
        right: side of the similarity as an accompaniment, (K, S).
        silent: True for silent windows, (K,).
        signature: recipe of the scorer that made them.
    """

    embeddings: FloatArray
    left: FloatArray
    right: FloatArray
    silent: NDArray[np.bool_]
    signature: str

    def __len__(self) -> int:
        """Return the number of windows."""
        return len(self.embeddings)

    def first(self, count: int, signature: str) -> Windows:
        """Return the first windows, for a scorer of this signature.

        Raises:
            UsageError: the embeddings were made by another recipe.
        """
        if signature != self.signature:
            raise UsageError(
                f"embeddings were made by {self.signature}, not by {signature}; embed the audio with this scorer"
            )
        return Windows(self.embeddings, self.left, self.right, self.silent).part(slice(count))


def _mean(values: tuple[float, ...]) -> float:
    heard = [value for value in values if not math.isnan(value)]
    return sum(heard) / len(heard) if heard else math.nan
