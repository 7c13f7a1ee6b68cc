"""What a scorer returns: scores over time, ranks, and embeddings to be kept and compared later."""

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
        starts: of each window, seconds.
        scores: of each window; NaN where either side is silent.
        mean: over the windows that are not silent; NaN if there is none.
        silent_windows: number of windows left out of the mean.
    """

    starts: tuple[float, ...]
    scores: tuple[float, ...]
    mean: float
    silent_windows: int


@dataclass(frozen=True)
class Ranked:
    """A candidate's place in the list that was ranked, and its score."""

    index: int
    score: float


@dataclass(frozen=True)
class Embeddings:
    """The embedded windows of one audio, to be kept and compared later with others of the same recipe.

    Attributes:
        embeddings: of each window, (K, D).
        left: what the similarity makes of them where the audio is the conditioning, (K, S).
        right: what it makes of them where it is the accompaniment, (K, S).
        silent: which windows are silent, (K,).
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
            UsageError: they were made by another recipe.
        """
        if signature != self.signature:
            raise UsageError(
                f"embeddings of another recipe ({self.signature}, now {signature}): embed the audio with this scorer"
            )
        return Windows(self.left[:count], self.right[:count], self.silent[:count])
