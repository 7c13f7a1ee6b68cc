"""Effects that recordings have and rendered music lacks: uneven speed, rooms, overdrive. Batched, on any device."""

import math

import torch
from torch import Tensor

from cocola_metric.audio import SAMPLE_RATE

LONGEST_ECHO = 0.8  # seconds
DECAY = math.log(1e3)  # of the amplitude within the time of a reverberation, 60 dB
SPREAD = 1e-9


def play_unevenly(waveforms: Tensor, speeds: Tensor, drifts: Tensor, length: int) -> Tensor:
    """Play waveforms as from a record: faster and higher, or slower and lower, at a speed that drifts.

    Args:
        waveforms: sides of pairs; their last sample goes on beyond their end.
        speeds: factor of each pair's speed; 1 changes nothing.
        drifts: drift of each pair's speed: share, period in seconds, phase in radians.
        length: length of the result, in samples.

    Shape:
        (K, S, L), (K,), (K, 3) -> (K, S, length).
    """
    share, period, phase = (drifts[:, part, None].double() for part in range(3))
    seconds = torch.arange(length, device=waveforms.device, dtype=torch.float64) / SAMPLE_RATE
    swing = share * period / (2 * math.pi) * ((2 * math.pi * seconds / period + phase).sin() - phase.sin())
    places = (speeds.double()[:, None] * (seconds + swing) * SAMPLE_RATE).clamp(1, waveforms.shape[-1] - 3)
    before = places.floor()
    part = (places - before).float()[:, None]
    first = before.long()[:, None].expand(-1, waveforms.shape[1], -1)
    samples = [waveforms.gather(-1, first + step) for step in (-1, 0, 1, 2)]
    rise = (samples[2] - samples[0]) / 2, (samples[3] - samples[1]) / 2
    step = samples[2] - samples[1]
    played: Tensor = samples[1] + part * (
        rise[0] + part * (3 * step - 2 * rise[0] - rise[1] + part * (rise[0] + rise[1] - 2 * step))
    )
    return played


def reverberate(waveforms: Tensor, seconds: Tensor, wet: Tensor, generator: torch.Generator) -> Tensor:
    """Add a room to each waveform: echoes of decaying noise.

    Args:
        waveforms: waveforms that get the echoes.
        seconds: time in which echoes fall by 60 dB, in seconds.
        wet: level of the echoes beside the sound itself.
        generator: random generator of the echoes, on the waveforms' device.

    Shape:
        (B, S, L), (B,), (B,) -> (B, S, L); the S waveforms of a row are in one room.
    """
    length, echoes = waveforms.shape[-1], round(LONGEST_ECHO * SAMPLE_RATE)
    time = torch.arange(echoes, device=waveforms.device) / SAMPLE_RATE
    noise = torch.randn(len(waveforms), echoes, device=waveforms.device, generator=generator)
    echo = noise * (-DECAY * time / seconds[:, None]).exp()
    echo *= (wet / (echo.square().sum(-1) + SPREAD).sqrt())[:, None]
    echo[:, 0] = 1
    size = length + echoes
    spectrum = torch.fft.rfft(waveforms, size) * torch.fft.rfft(echo, size)[:, None]
    heard: Tensor = torch.fft.irfft(spectrum, size)[..., :length]
    return heard


def overdrive(waveforms: Tensor, gain: Tensor) -> Tensor:
    """Saturate each waveform like an amplifier at its limit, from its level divided by ``gain`` on.

    Shape:
        (B, L), (B,) -> (B, L).
    """
    level = (waveforms.square().mean(-1, keepdim=True) + SPREAD).sqrt()
    bent: Tensor = torch.tanh(gain[:, None] * waveforms / level) * level / gain[:, None]
    return bent
