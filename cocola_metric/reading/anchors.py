"""Anchors of a scale: the mean score of mismatched pairs becomes 0, and that of coherent ones 1."""

from dataclasses import dataclass

from ..errors import UsageError


@dataclass(frozen=True)
class Anchors:
    """The means of a user's own pairs, which are 0 and 1 of a scale.

    Attributes:
        mismatched: mean score of shuffled pairs, which becomes 0.
        coherent: mean score of true pairs, which becomes 1.
        pairs: number of true pairs.
        shuffled: number of shuffled pairs.

    Raises:
        UsageError: true pairs do not score higher than shuffled ones, so there is no such scale.

    >>> Anchors(mismatched=2.0, coherent=10.0, pairs=4, shuffled=12).anchored(6.0)
    0.5
    """

    mismatched: float
    coherent: float
    pairs: int
    shuffled: int

    def __post_init__(self) -> None:
        if not self.coherent > self.mismatched:
            raise UsageError(
                f"--anchor needs true pairs that score higher than shuffled ones; got means of {self.coherent:.4f} and "
                f"{self.mismatched:.4f}; leave --anchor out, or name a list of pairs that belong together"
            )

    def anchored(self, score: float) -> float:
        """Return a score on this scale."""
        return (score - self.mismatched) / (self.coherent - self.mismatched)
