"""The COCOLA encoder as an embedder of FAD."""

from typing import Any

import numpy as np

from ..arrays import AnyArray
from ..audio import SAMPLE_RATE
from ..scorer import CocolaScorer
from ..signature import embedder_recipe
from .frechet import Array


class CocolaEmbedder:
    """The COCOLA encoder: one embedding for every window, silent ones included. It is offline by default.

    Of an encoder with phasors, the real part alone is taken: phasors say where a window begins, and are too many for a
    Gaussian.

    Attributes:
        width: number of an embedding's first numbers that are taken, also of stored ones.

    Args:
        model: encoder, as for `CocolaScorer.from_pretrained`.
        threads: number of threads for each clip on a CPU; by default one for each core.
        options: options of `CocolaScorer.from_pretrained`: mode, device, window, hop, batch_size, revision, token.
    """

    name = "cocola"
    sample_rate = SAMPLE_RATE
    parallel = True

    def __init__(self, model: str = "embedded", *, threads: int | None = None, **options: Any) -> None:
        scorer = CocolaScorer.from_pretrained(model, **options)
        self._scorer = scorer.in_threads(threads) if threads else scorer
        self.recipe = embedder_recipe(self._scorer.signature)
        self.width = self._scorer.real_width

    def embed(self, waveform: AnyArray) -> Array:
        """Embed one clip at 16 kHz, (L,) -> (windows, D)."""
        return self._scorer.embed(waveform, sample_rate=self.sample_rate)[:, : self.width].astype(np.float64)
