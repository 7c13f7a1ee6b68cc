"""The results of a scorer: scores over time, ranks, and embeddings for later comparisons."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray
from ..errors import UsageError
from .embedded import Windows


@dataclass(frozen=True)
class WindowScores:
    """COCOLA scores over time.

    Attributes:
        starts: start time of each window, in seconds.
        scores: score of each window; NaN if either side is silent.
        mean: mean score of the windows that are not silent; NaN if there is none.
        silent_windows: number of windows left out of the mean.
    """

    starts: tuple[float, ...]
    scores: tuple[float, ...]
    mean: float
    silent_windows: int


@dataclass(frozen=True)
class Ranked:
    """A candidate's index in the list that was ranked, and its score."""

    index: int
    score: float


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
        return Windows(self.left[:count], self.right[:count], self.silent[:count])
