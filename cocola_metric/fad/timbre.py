"""An embedder of timbre alone, which ignores notes and beats."""

import numpy as np

from ..arrays import AnyArray, frames, pad, to_numpy
from ..audio import SAMPLE_RATE
from ..encoder import ArrayFrontEnd
from .frechet import Array

SECOND = SAMPLE_RATE
ROWS_OF = 1.0
"""Seconds per row."""
RANGE_DB = 60.0
"""Range below the loudest moment of a clip, in dB; softer sound is ignored."""


class TimbreEmbedder:
    """Mean and standard deviation of each of 64 log-mel bands over every second of a clip, in tens of dB.

    Nothing in it is trained or downloaded, so its Fréchet distances are the same everywhere. It describes colour and
    noise, not notes or beats. It stands in for embedders of timbre whose weights are missing. No published number uses
    it.
    """

    name = "timbre"
    sample_rate = SAMPLE_RATE
    parallel = True
    recipe = f"embedder:timbre|sr:{SAMPLE_RATE}|axis:time|seconds:{ROWS_OF:g}|range:{RANGE_DB:g}"

    def __init__(self) -> None:
        self._log_mel = ArrayFrontEnd("mel")

    def embed(self, waveform: AnyArray) -> Array:
        """Embed one clip at 16 kHz, (L,) -> (seconds, 128); a rest behind the last whole second is left out."""
        missing = max(0, SECOND - len(waveform))
        seconds = frames(pad(to_numpy(waveform), 0, missing), SECOND, SECOND)
        bands = self._log_mel(seconds)[:, 0]  # (n, 64, F)
        bands = np.maximum(bands - bands.max(), -RANGE_DB) / 10
        rows = np.concatenate([bands.mean(-1), bands.std(-1, ddof=1)], axis=1)
        return rows.astype(np.float64)
