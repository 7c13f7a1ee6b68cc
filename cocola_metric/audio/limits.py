"""Answer for what audio must satisfy, whatever it comes from: rates, channels, lengths, and the warning about them."""

import numbers
from typing import Any

from ..errors import AudioError

SAMPLE_RATE = 16_000
MIN_SAMPLE_RATE = 8_000
"""Hz; below it more than half of the encoder's 60-7800 Hz band would be empty."""
MAX_SAMPLE_RATE = 768_000
"""Hz; no recorder is faster. A damaged header states up to 2^31 - 1 Hz, which asks the resampler for gigabytes."""
MAX_CHANNELS = 64
"""Above it a tensor is almost surely (time, channels), the wrong way round."""
LENGTH_TOLERANCE = 0.1
"""Seconds by which audio that belongs together may differ in length before a warning says so."""
BLOCK_SAMPLES = 2**18
"""Samples, all channels together, that are read and resampled at a time: 1 MiB of float32."""


class AudioWarning(UserWarning):
    """Audio was padded or cut before it was scored, or may be; the message says which, and by how much."""


def checked_rate(rate: Any, name: str) -> int:
    """Return a sample rate that the metric can work with.

    Raises:
        AudioError: the rate is no number, not whole, below 8 kHz or above 768 kHz.
    """
    is_number = isinstance(rate, numbers.Real)
    is_whole = isinstance(rate, numbers.Integral) or (is_number and float(rate).is_integer())
    if not is_number:
        raise AudioError(f"{name} is said to have {rate!r} samples per second: pass a number, such as 44100")
    if not is_whole:
        raise AudioError(f"{name} is said to have {rate} samples per second: pass a whole number of Hz")
    if rate < MIN_SAMPLE_RATE:
        raise AudioError(
            f"{name} has a rate of {int(rate)} Hz, below {MIN_SAMPLE_RATE} Hz: it holds too little of the band that "
            "the metric hears; pass a recording at 16000 Hz or more"
        )
    if rate > MAX_SAMPLE_RATE:
        raise AudioError(
            f"{name} has a rate of {int(rate)} Hz, above {MAX_SAMPLE_RATE} Hz: its header is damaged, or it is no audio"
        )
    return int(rate)


def check_channels(channels: int, name: str) -> None:
    """Refuse more than 64 channels.

    Raises:
        AudioError: there are more.
    """
    if channels > MAX_CHANNELS:
        raise AudioError(
            f"{name} has {channels} channels, more than {MAX_CHANNELS}: pass (channels, time), not (time, channels)"
        )


def resampled_length(frames: int, rate: int, to_rate: int = SAMPLE_RATE) -> int:
    """Give the length at `to_rate` of `frames` samples at `rate`: an exact ceiling."""
    return -(-frames * to_rate // rate)


def not_finite(name: str) -> AudioError:
    """Return the error about NaN or infinite samples."""
    return AudioError(f"{name} holds NaN or infinite samples: render it again, or replace them")
