"""Stereo whose channels cancel each other out: full of sound, and silent once they are averaged."""

import contextlib
import os
from collections.abc import Iterable
from typing import Any

import numpy as np
import soundfile

SECONDS = 120
"""Of a file that are looked at."""
CANCELLED = 1e-4
"""Share of the peak that is left of it in the average of the channels: 80 dB below it."""


def cancelling_channels(*sides: Any) -> str:
    """Return a hint for a message: which inputs hold sound that their channels cancel out; empty if none does.

    Args:
        sides: inputs as `open_audio` takes them.
    """
    names = [name for side in sides for name, samples in _channels(side) if _cancel(samples)]
    return f"the channels of {', '.join(names)} cancel each other out: turn one of them over" if names else ""


def _channels(side: Any) -> Iterable[tuple[str, np.ndarray[Any, Any]]]:
    """Yield the inputs of a side by name, with their samples (C, L); what cannot be read is left out."""
    if isinstance(side, (str, os.PathLike)):
        with (
            contextlib.suppress(soundfile.LibsndfileError, OSError, TypeError, ValueError),
            soundfile.SoundFile(side) as file,
        ):
            yield os.fspath(side), file.read(SECONDS * file.samplerate, dtype="float32", always_2d=True).T
    elif isinstance(side, (list, tuple)):
        for path in side:
            yield from _channels(path)
    elif getattr(side, "ndim", 0) == 2:
        array = side.detach().cpu().float().numpy() if hasattr(side, "detach") else np.asarray(side)
        yield f"{'tensor' if hasattr(side, 'detach') else 'array'} {tuple(array.shape)}", array


def _cancel(samples: np.ndarray[Any, Any]) -> bool:
    if len(samples) < 2 or not samples.size:
        return False
    peak = float(np.abs(samples).max())
    return 0 < peak < np.inf and float(np.abs(samples.mean(axis=0)).max()) < CANCELLED * peak
