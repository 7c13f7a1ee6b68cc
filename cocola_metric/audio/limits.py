"""Limits of every audio input: rates, channels and lengths, and the warning about them."""

import numbers
from typing import Any

from ..errors import AudioError

SAMPLE_RATE = 16_000
MIN_SAMPLE_RATE = 8_000
"""Lowest rate in Hz; below it more than half of the encoder's band of 60-7800 Hz would be empty."""
MAX_SAMPLE_RATE = 768_000
"""Highest rate in Hz; no recorder is faster. A damaged header may state 2^31 - 1 Hz, which would take gigabytes."""
MAX_CHANNELS = 64
"""Most channels; a tensor with more is almost surely (time, channels), the wrong way round."""
LENGTH_TOLERANCE = 0.1
"""Seconds by which lengths of audio that belongs together may differ without a warning."""
BLOCK_SAMPLES = 2**18
"""Samples of all channels that are read and resampled at a time: 1 MiB of float32."""


class AudioWarning(UserWarning):
    """Audio was or may have been padded, cut or shifted; the message says by how much."""


def checked_rate(rate: Any, name: str) -> int:
    """Return a sample rate that the metric can work with.

    Raises:
        AudioError: the rate is not a whole number of Hz from 8000 to 768000.
    """
    is_number = isinstance(rate, numbers.Real)
    is_whole = isinstance(rate, numbers.Integral) or (is_number and float(rate).is_integer())
    if not is_number:
        raise AudioError(f"sample rate of {name} must be a number, such as 44100; got {rate!r}")
    if not is_whole:
        raise AudioError(f"sample rate of {name} must be a whole number of Hz; got {rate}")
    if rate < MIN_SAMPLE_RATE:
        raise AudioError(
            f"{name} has a rate of {int(rate)} Hz, below {MIN_SAMPLE_RATE} Hz, and holds too little of the band that "
            "the metric hears; pass a recording at 16000 Hz or more"
        )
    if rate > MAX_SAMPLE_RATE:
        raise AudioError(
            f"{name} has a rate of {int(rate)} Hz, above {MAX_SAMPLE_RATE} Hz: its header is damaged, or it is not "
            "audio; pass a recording of a lower rate"
        )
    return int(rate)


def check_channels(channels: int, name: str) -> None:
    """Refuse more than 64 channels.

    Raises:
        AudioError: there are more than 64 channels.
    """
    if channels > MAX_CHANNELS:
        raise AudioError(
            f"{name} has {channels} channels, more than {MAX_CHANNELS}; pass (channels, time), not (time, channels)"
        )


def resampled_length(frames: int, rate: int, to_rate: int = SAMPLE_RATE) -> int:
    """Return the length at `to_rate` of `frames` samples at `rate`, rounded up exactly."""
    return -(-frames * to_rate // rate)


def not_finite(name: str) -> AudioError:
    """Return the error about NaN or infinite samples."""
    return AudioError(f"{name} holds NaN or infinite samples; render it again, or replace them")
