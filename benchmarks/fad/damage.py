"""Known damage to a clip, from weak to strong, which a measure of quality should punish more and more."""

import io
from collections.abc import Callable
from functools import partial

import numpy as np
import soundfile
import torch
from torch import Tensor
from torch.nn.functional import pad

from cocola_metric.audio import SAMPLE_RATE

Damage = Callable[[Tensor, np.random.Generator], Tensor]
"""Function of a clip (L,) at 16 kHz and a random generator, which returns the damaged clip (L,)."""
MP3_RATES = (8, 160)
"""kbit/s at 16 kHz (MPEG-2 layer III), to which libsndfile maps its compression levels 1 and 0."""
MP3_DELAY = 576 + 529
"""Samples by which encoder and decoder delay the sound."""


def add_noise(clip: Tensor, generator: np.random.Generator, *, decibels: float) -> Tensor:
    """Add white noise, so many decibels below the clip's RMS."""
    noise = torch.from_numpy(generator.normal(size=len(clip))).to(clip)
    return clip + noise * clip.square().mean().sqrt() * 10 ** (-decibels / 20)


def low_pass(clip: Tensor, _: np.random.Generator, *, hertz: float) -> Tensor:
    """Remove what is above a frequency, with the magnitude of a Butterworth filter of order 4 and no delay."""
    frequencies = torch.fft.rfftfreq(len(clip), 1 / SAMPLE_RATE)
    spectrum = torch.fft.rfft(clip) / (1 + (frequencies / hertz) ** 8).sqrt()
    filtered: Tensor = torch.fft.irfft(spectrum, len(clip))
    return filtered


def through_mp3(clip: Tensor, _: np.random.Generator, *, kilobits: int) -> Tensor:
    """Encode as MP3 at a constant rate in kbit/s, and decode (soundfile 0.13 or later)."""
    low, high = MP3_RATES
    level = min((high - kilobits) / (high - low), 0.99)  # 1 is refused; the encoder takes the nearest rate there is
    file = io.BytesIO()
    soundfile.write(file, clip.numpy(), SAMPLE_RATE, format="MP3", bitrate_mode="CONSTANT", compression_level=level)
    file.seek(0)
    decoded = torch.from_numpy(soundfile.read(file, dtype="float32")[0])
    if len(decoded) > len(clip):  # at low rates the file has no room to say how much of its beginning is delay
        decoded = decoded[MP3_DELAY:]
    return pad(decoded, (0, max(0, len(clip) - len(decoded))))[: len(clip)]


DAMAGES: dict[str, dict[str, Damage]] = {
    "noise": {f"{level} dB SNR": partial(add_noise, decibels=level) for level in (40, 30, 20, 10, 0)},
    "low-pass": {f"{edge} Hz": partial(low_pass, hertz=edge) for edge in (6000, 4000, 2000, 1000, 500)},
    "MP3": {f"{rate} kbit/s": partial(through_mp3, kilobits=rate) for rate in (64, 32, 24, 16, 8)},
}
