"""The embedded windows of an audio, for every length at which it is compared."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray
from ..audio import Audio, WindowPlan
from ..encoder import Sides
from ..errors import AudioError


@dataclass(frozen=True)
class Request:
    """Audio to embed, and the lengths that its partners need.

    Attributes:
        audio: opened audio, or the error that opening raised.
        lengths: lengths in common with its partners, in samples at 16 kHz, none longer than the audio; empty stands for
            the whole audio.
        identity: function that returns the identity of what the audio holds, for a store of embeddings.
    """

    audio: Audio | AudioError
    lengths: frozenset[int] = frozenset()
    identity: Callable[[], str] | None = None


class Windows(NamedTuple):
    """Windows up to some length: both sides of their similarity (K, S), and their silence (K,)."""

    left: FloatArray
    right: FloatArray
    silent: NDArray[np.bool_]


@dataclass(frozen=True)
class Embedded:
    """The embedded windows of one audio, for every length at which it is compared.

    Windows that are complete at a length are shared by all longer lengths. If a length ends inside a window, that
    window is embedded once more, with silence behind the end.

    Attributes:
        length: length of the whole audio, in samples at 16 kHz.
        plan: lengths of windows and steps.
        sides: embedding and both sides of the similarity of each window at the longest length.
        silent: True for silent windows, (K,).
        ends: length -> both sides and silence of the last window at that length, if it differs.
    """

    length: int
    plan: WindowPlan
    sides: Sides
    silent: NDArray[np.bool_]
    ends: dict[int, tuple[Sides, bool]] = field(default_factory=dict)

    def up_to(self, length: int) -> Windows:
        """Return the windows of the audio cut to ``length`` samples."""
        sides, silent = self.sides_up_to(length)
        return Windows(sides.left, sides.right, silent)

    def sides_up_to(self, length: int) -> tuple[Sides, NDArray[np.bool_]]:
        """Return both sides, and silence, of the windows of the audio cut to ``length`` samples."""
        count = self.plan.count(length)
        embeddings, left, right = (side[:count] for side in self.sides)
        silent = self.silent[:count]
        if length in self.ends:
            end, end_silent = self.ends[length]
            embeddings, left, right = (
                np.concatenate([side[:-1], last]) for side, last in zip((embeddings, left, right), end, strict=True)
            )
            silent = np.concatenate([silent[:-1], [end_silent]])
        same = self.sides.right is self.sides.embeddings
        return Sides(embeddings, left, embeddings if same else right), silent
