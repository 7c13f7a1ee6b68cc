"""An embedder of sound alone: what a spectrum looks like, not what is played when."""

import numpy as np

from ..arrays import AnyArray, frames, pad, to_numpy
from ..audio import SAMPLE_RATE
from ..encoder import ArrayFrontEnd
from .frechet import Array

SECOND = SAMPLE_RATE
ROWS_OF = 1.0
"""Seconds that a row describes."""
RANGE_DB = 60.0
"""Below the loudest moment of a clip; what is softer is not heard."""


class TimbreEmbedder:
    """Mean and standard deviation of each of 64 log-mel bands over every second of a clip, in tens of dB.

    Nothing in it is trained or downloaded, so a Fréchet distance of it is the same everywhere. It hears
    colour and noise, neither notes nor beats: it stands for the embedders that judge sound, where their weights are
    not at hand. No published number uses it.
    """

    name = "timbre"
    sample_rate = SAMPLE_RATE
    parallel = True
    recipe = f"embedder:timbre|sr:{SAMPLE_RATE}|axis:time|seconds:{ROWS_OF:g}|range:{RANGE_DB:g}"

    def __init__(self) -> None:
        self._log_mel = ArrayFrontEnd("mel")

    def embed(self, waveform: AnyArray) -> Array:
        """Embed one clip at 16 kHz, (L,) -> (seconds, 128); what is left after the last whole second is not heard."""
        missing = max(0, SECOND - len(waveform))
        seconds = frames(pad(to_numpy(waveform), 0, missing), SECOND, SECOND)
        bands = self._log_mel(seconds)[:, 0]  # (n, 64, F)
        bands = np.maximum(bands - bands.max(), -RANGE_DB) / 10
        rows = np.concatenate([bands.mean(-1), bands.std(-1, ddof=1)], axis=1)
        return rows.astype(np.float64)
