"""The table of front ends, FRONT_ENDS, and their run on NumPy arrays: on a CPU, without torch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ..arrays import AnyArray, Filterbank, FloatArray, namespace
from .constant_q import HOP_LENGTH as CONSTANT_Q_HOP
from .constant_q import LEAST_SAMPLES as CONSTANT_Q_LEAST
from .constant_q import ROWS as CONSTANT_Q_ROWS
from .constant_q import constant_q_image
from .mel import HOP_LENGTH, N_MELS, NEAREST, Elementary, harmonic_percussive, log_mel, mel_constants
from .modes import Mode
from .pitch_onset import HOP_LENGTH as PITCH_ONSET_HOP
from .pitch_onset import ROWS, pitch_onset, pitch_onset_constants

MIN_SAMPLES = 4960
"""Fewest samples of a waveform at 16 kHz, 0.31 s: they give 32 frames, the fewest that the backbone can take."""


@dataclass(frozen=True)
class FrontEnd:
    """A transform from waveforms to images.

    Attributes:
        channels: number of images, C.
        rows: number of rows of an image, M.
        hop: number of samples from one frame to the next.
        constants: function of elementary functions that returns windows, filterbanks and the like by name, in float32.
        images: function of waveforms (B, L) and of these constants that returns images (B, C, M, F), for arrays and
            tensors alike.
        least_samples: least number of samples of a waveform.
        clips: number of arrays that are transformed at a time; what windows of one audio among them share is
            transformed once.
    """

    channels: int
    rows: int
    hop: int
    constants: Callable[[Elementary], dict[str, FloatArray]]
    images: Callable[[AnyArray, Mapping[str, Any]], AnyArray]
    least_samples: int = MIN_SAMPLES
    clips: int = 1


# Named functions and not lambdas, since encoders and metrics that hold them are pickled.
def _no_constants(_: Elementary) -> dict[str, FloatArray]:
    return {}


def _constants_of_pitch_onset(_: Elementary) -> dict[str, FloatArray]:
    return pitch_onset_constants()


FRONT_ENDS: dict[str, FrontEnd] = {
    "mel": FrontEnd(1, N_MELS, HOP_LENGTH, partial(mel_constants, slaney=False), log_mel, clips=8),
    "hps": FrontEnd(2, N_MELS, HOP_LENGTH, partial(mel_constants, slaney=True), harmonic_percussive, clips=8),
    "hps_reflect": FrontEnd(
        2,
        N_MELS,
        HOP_LENGTH,
        partial(mel_constants, slaney=True),
        partial(harmonic_percussive, reflect=True),
        clips=8,
    ),
    "cqt": FrontEnd(1, CONSTANT_Q_ROWS, CONSTANT_Q_HOP, _no_constants, constant_q_image, CONSTANT_Q_LEAST),
    "pitch_onset": FrontEnd(2, ROWS, PITCH_ONSET_HOP, _constants_of_pitch_onset, pitch_onset, clips=8),
}


class ArrayFrontEnd:
    """A front end on NumPy arrays. The calling thread does all the work, on few clips at a time, as its cache has room.

    Shape:
        waveforms (B, L) at 16 kHz -> images (B, C, M, F), float32.
    """

    def __init__(self, name: str) -> None:
        self.kind = FRONT_ENDS[name]
        self._constants = {
            key: Filterbank(values) if values.ndim == 2 else values
            for key, values in self.kind.constants(NEAREST).items()
        }

    def __call__(self, waveforms: FloatArray) -> FloatArray:
        """Return the images of each waveform."""
        starts = range(0, len(waveforms), self.kind.clips)
        parts = [waveforms[start : start + self.kind.clips] for start in starts]
        return np.concatenate([self.kind.images(part, self._constants) for part in parts])


def select_mode(features: AnyArray, mode: Mode) -> AnyArray:
    """Set the channel that ``mode`` leaves out to zeros. 0 dB is the loudest value, but the encoders were so trained.

    Shape:
        (B, C, M, F) -> the same.
    """
    if mode == "both":
        return features
    kept = namespace(features).zeros_like(features[:1])
    kept[:, 0 if mode == "harmonic" else 1] = 1
    return features * kept
