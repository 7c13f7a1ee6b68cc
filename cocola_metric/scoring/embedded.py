"""The embedded windows of an audio, for every length at which it is compared."""

from collections.abc import Callable, Sequence
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
    """Windows of an audio up to some length, embedded.

    Attributes:
        embeddings: embedding of each window, (K, D).
        left: its side of the similarity as the conditioning, (K, S).
        right: its side as the accompaniment, (K, S); the embeddings themselves for most similarities.
        silent: silence of each window, (K,).
        phases: trace of echo of each window, (K, N); None where it was not asked for.
        noise: likeness of each window to noise, (K,); None where it was not asked for.
    """

    embeddings: FloatArray
    left: FloatArray
    right: FloatArray
    silent: NDArray[np.bool_]
    phases: NDArray[np.uint8] | None = None
    noise: FloatArray | None = None

    @property
    def sides(self) -> Sides:
        """The embeddings, and both sides of their similarity."""
        return Sides(self.embeddings, self.left, self.right)

    def part(self, rows: slice) -> "Windows":
        """Return some of the windows."""
        embeddings = self.embeddings[rows]
        return Windows(
            embeddings,
            self.left[rows],
            embeddings if self.right is self.embeddings else self.right[rows],
            self.silent[rows],
            None if self.phases is None else self.phases[rows],
            None if self.noise is None else self.noise[rows],
        )


def joined(windows: Sequence[Windows]) -> Windows:
    """Return windows one behind the other."""
    columns = zip(*windows, strict=True)
    embeddings, left, right, *others = (None if column[0] is None else np.concatenate(column) for column in columns)
    same = all(part.right is part.embeddings for part in windows)
    return Windows(embeddings, left, embeddings if same else right, *others)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Embedded:
    """The embedded windows of one audio, for every length at which it is compared.

    Windows that are complete at a length are shared by all longer lengths. If a length ends inside a window, that
    window is embedded once more, with silence behind the end.

    Attributes:
        length: length of the whole audio, in samples at 16 kHz.
        plan: layout of the windows.
        windows: windows at the longest length.
        ends: last window of each shorter length at which it differs.
    """

    length: int
    plan: WindowPlan
    windows: Windows
    ends: dict[int, Windows] = field(default_factory=dict)

    def up_to(self, length: int) -> Windows:
        """Return the windows of the audio cut to ``length`` samples."""
        count = self.plan.count(length)
        if length not in self.ends:
            return self.windows.part(slice(count))
        return joined([self.windows.part(slice(count - 1)), self.ends[length]])
