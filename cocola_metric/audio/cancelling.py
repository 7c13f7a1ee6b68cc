"""Stereo whose channels cancel each other out: it sounds, but the mean of its channels is silent."""

import contextlib
import os
from collections.abc import Iterable
from typing import Any

import numpy as np
import soundfile

from ..addresses import Address, located
from ..remote import open_remote

SECONDS = 120
"""Seconds of a file that are examined."""
CANCELLED = 1e-4
"""Ratio of the mono peak to the peak of the channels below which they cancel out: 80 dB."""


def cancelling_channels(*sides: Any) -> str:
    """Name the inputs whose channels cancel each other out, as a hint for a message; return "" if there is none.

    Args:
        sides: audio inputs, as for `open_audio`.
    """
    names = [name for side in sides for name, samples in _channels(side) if _cancel(samples)]
    return f"the channels of {', '.join(names)} cancel each other out; invert one of them" if names else ""


def _channels(side: Any) -> Iterable[tuple[str, np.ndarray[Any, Any]]]:
    """Yield the inputs of a side by name, with their samples (C, L); what cannot be read is left out."""
    if isinstance(side, (str, os.PathLike)):
        with (
            contextlib.suppress(soundfile.LibsndfileError, OSError, TypeError, ValueError),
            _opened(side) as file,
        ):
            yield os.fspath(side), file.read(SECONDS * file.samplerate, dtype="float32", always_2d=True).T
    elif isinstance(side, (list, tuple)):
        for path in side:
            yield from _channels(path)
    elif getattr(side, "ndim", 0) == 2:
        array = side.detach().cpu().float().numpy() if hasattr(side, "detach") else np.asarray(side)
        yield f"{'tensor' if hasattr(side, 'detach') else 'array'} {tuple(array.shape)}", array


def _opened(path: str | os.PathLike[str]) -> soundfile.SoundFile:
    place = located(path)
    return soundfile.SoundFile(open_remote(place) if isinstance(place, Address) else path)


def _cancel(samples: np.ndarray[Any, Any]) -> bool:
    if len(samples) < 2 or not samples.size:
        return False
    peak = float(np.abs(samples).max())
    return 0 < peak < np.inf and float(np.abs(samples.mean(axis=0)).max()) < CANCELLED * peak
