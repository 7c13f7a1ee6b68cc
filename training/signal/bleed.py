"""Bleed: what leaks of the other stems of a track into one, straight, through the air or through a separator."""

import torch
from torch import Tensor

from cocola_metric.audio import SAMPLE_RATE

N_FFT, HOP_LENGTH = 1024, 256
LATEST = 0.02  # seconds; 20 ms is seven metres of air
MOST_GAIN = 10.0  # a leak that hardly passes is brought up by 20 dB at most
FLOOR = 1e-9
BLEEDS = ("plain", "room", "separator")
DELAYS, CUTOFFS_HZ = (0.001, LATEST), (1000.0, 6000.0)
"""Ranges from which delays (in seconds) and cutoffs of bleed through the air are drawn."""


def bleed_stems(stems: Tensor, levels: Tensor, kind: str = "plain", delays: Tensor | None = None) -> Tensor:
    """Let every stem of a track leak into every other one.

    Args:
        stems: all stems of a track that sound together.
        levels: level of what leaks into each stem, in dB relative to the sum of the others as they are.
        kind: way of the leak, as for `leak`.
        delays: delay and cutoff of each stem's leak, as for `through_air`; for kind "room" alone.

    Shape:
        (N, L), (N,), (N, 2) -> (N, L).
    """
    others = stems.sum(0, keepdim=True) - stems
    return stems + bleed_gains(levels)[:, None] * leak(others, stems, kind, delays)


def leak(others: Tensor, own: Tensor, kind: str, delays: Tensor | None = None) -> Tensor:
    """Return what of other stems can be heard in a stem, at the level that the others have.

    "plain" is the others as they are, as on a bus or in a microphone beside them. "room" is the others late and dull,
    as in a microphone that stands away from them; echoes are not modelled, and all others come from one distance.
    "separator" is what a soft mask lets pass: in each cell of time and frequency the others, times the stem's share of
    the power. Spleeter and open-unmix multiply the mixture by such masks; separators that work on waveforms, as demucs
    does, leak otherwise, and what a mask takes off the stem itself is not modelled.

    Args:
        others: sums of the other stems.
        own: stems that they leak into.
        kind: way of the leak: "plain", "room" or "separator".
        delays: delay and cutoff of each leak, as for `through_air`; for kind "room" alone.

    Shape:
        (B, L), (B, L), (B, 2) -> (B, L).
    """
    if kind == "plain":
        return others
    passed = through_mask(others, own) if kind == "separator" or delays is None else through_air(others, delays)
    change = (others.square().mean(-1) + FLOOR).sqrt() / (passed.square().mean(-1) + FLOOR).sqrt()
    return passed * change.clamp(max=MOST_GAIN)[:, None]


def through_air(waveforms: Tensor, delays: Tensor) -> Tensor:
    """Delay waveforms and take their treble off, by 3 dB at the cutoff and by 6 dB an octave above.

    Args:
        waveforms: waveforms to be delayed; what precedes them counts as silence.
        delays: delay in seconds, at most 20 ms, and cutoff in Hz.

    Shape:
        (B, L), (B, 2) -> (B, L).
    """
    length = waveforms.shape[-1]
    size = length + round(LATEST * SAMPLE_RATE)
    frequencies = torch.fft.rfftfreq(size, 1 / SAMPLE_RATE, device=waveforms.device)
    seconds, cutoffs = delays[:, :1], delays[:, 1:]
    samples = (seconds * SAMPLE_RATE).round()
    turned = torch.exp(-2j * torch.pi * frequencies * samples / SAMPLE_RATE)
    dulled = turned / (1 + 1j * frequencies / cutoffs)
    heard: Tensor = torch.fft.irfft(torch.fft.rfft(waveforms, size) * dulled, size)[..., :length]
    return heard


def through_mask(others: Tensor, own: Tensor) -> Tensor:
    """Return the others as a soft mask for the stem lets them pass: (B, L), (B, L) -> (B, L)."""
    window = torch.hann_window(N_FFT, device=own.device)
    spectra = [torch.stft(part, N_FFT, HOP_LENGTH, window=window, return_complex=True) for part in (others, own)]
    power = [spectrum.abs().square() for spectrum in spectra]
    mask = power[1] / (power[0] + power[1] + FLOOR)
    return torch.istft(spectra[0] * mask, N_FFT, HOP_LENGTH, window=window, length=own.shape[-1])


def bleed_gains(levels: Tensor) -> Tensor:
    """Return the factors of levels in dB."""
    return torch.pow(10.0, levels / 20)
