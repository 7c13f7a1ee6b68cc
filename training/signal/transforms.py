"""Alterations that make a fitting accompaniment wrong: another key, another tempo, noise in place of notes; filters."""

import math
from fractions import Fraction

import torch
from torch import Tensor

from cocola_metric.audio import SAMPLE_RATE, resample_between

N_FFT = 1024
HOP_LENGTH = 256
SMOOTHING_HZ = 200.0
RISE = 2.0  # of a bin's magnitude within a hop, which makes it an onset
LARGEST_DENOMINATOR = 40  # of the frequency ratio: 18/17 stands for one semitone, 1 cent off


def stretch(waveforms: Tensor, rate: float, length: int) -> Tensor:
    """Play ``rate`` times as fast at the same pitch, with a phase vocoder that keeps onsets sharp.

    Args:
        waveforms: waveforms of at least ``length * rate`` samples; missing samples count as silence.
        rate: factor of the tempo; above 1 is faster.
        length: length of the result, in samples.

    Shape:
        (B, L) -> (B, length).
    """
    window = torch.hann_window(N_FFT, device=waveforms.device)
    needed = math.ceil(length * rate)
    source = torch.nn.functional.pad(waveforms, (0, max(0, needed - waveforms.shape[-1])))[:, :needed]
    spectrum = torch.stft(source, N_FFT, HOP_LENGTH, window=window, return_complex=True)
    return torch.istft(_at_rate(spectrum, rate), N_FFT, HOP_LENGTH, window=window, length=length)


def _at_rate(spectrum: Tensor, rate: float) -> Tensor:
    """Return the frames of a phase vocoder, ``rate`` hops apart: (B, N, F) -> (B, N, ceil(F / rate)).

    A bin's phase runs on at the frequency measured between two frames. At an onset it begins anew with its own phase:
    phases that run on across an onset are unrelated between bins, which smears it over the window, in the same way in
    all parts that sound at that time.
    """
    bins, count = spectrum.shape[-2:]
    times = torch.arange(0, count, rate, dtype=torch.float64, device=spectrum.device)
    before = times.long().clamp(max=count - 1)
    share = (times - before).float()
    magnitudes, angles = (torch.nn.functional.pad(part, (0, 1)) for part in (spectrum.abs(), spectrum.angle()))
    expected = torch.linspace(0, math.pi * HOP_LENGTH, bins, device=spectrum.device)[:, None]
    turned = angles.diff() - expected
    advance = (turned + expected - 2 * math.pi * torch.round(turned / (2 * math.pi)))[..., before]
    run = advance.cumsum(-1) - advance
    own = angles[..., before] + share * advance
    onsets = magnitudes[..., :-1] > RISE * torch.nn.functional.pad(magnitudes[..., :-2], (1, 0))
    latest = torch.where(onsets[..., before], torch.arange(len(times), device=spectrum.device), 0).cummax(-1).values
    phases = run + (own - run).gather(-1, latest)
    return torch.polar(magnitudes[..., before].lerp(magnitudes[..., before + 1], share), phases)


def transpose(waveforms: Tensor, semitones: float) -> Tensor:
    """Raise the pitch at the same tempo: stretch, then resample back to the original length.

    The ratio is the nearest fraction with a denominator of at most 40, which is within 3 cents up to an octave.

    Shape:
        (B, L) -> (B, L).
    """
    ratio = Fraction(2 ** (semitones / 12)).limit_denominator(LARGEST_DENOMINATOR)
    length = waveforms.shape[-1]
    longer = stretch(waveforms, float(1 / ratio), math.ceil(length * ratio))
    transposed: Tensor = resample_between(longer, ratio.numerator, ratio.denominator)[:, :length]
    return transposed


def noise_like(waveforms: Tensor, generator: torch.Generator) -> Tensor:
    """Return noise with the spectrum of each waveform, averaged over 200 Hz: the timbre without notes and rhythm.

    Args:
        waveforms: waveforms to be imitated.
        generator: random generator on the waveforms' device.

    Shape:
        (B, L) -> (B, L).
    """
    length = waveforms.shape[-1]
    bins = 2 * round(SMOOTHING_HZ / 2 * length / SAMPLE_RATE) + 1
    power = torch.fft.rfft(waveforms).abs().square().unsqueeze(1)
    smooth = torch.nn.functional.avg_pool1d(power, bins, 1, bins // 2, count_include_pad=False).squeeze(1)
    white = torch.fft.rfft(torch.randn(waveforms.shape, device=waveforms.device, generator=generator))
    noise: Tensor = torch.fft.irfft(white * smooth.sqrt() / length**0.5, n=length)
    return noise


def equalise(waveforms: Tensor, bells: Tensor, cutoff: Tensor, sample_rate: int) -> Tensor:
    """Filter each waveform with a smooth gain curve and a low-pass, without changing its phases.

    Args:
        waveforms: waveforms to be filtered.
        bells: coefficients in dB of cosines over the octaves, from the slowest on, and their phases in radians.
        cutoff: frequency in Hz at which the low-pass has fallen by 3 dB.
        sample_rate: sample rate, in Hz.

    Shape:
        (B, L), (B, 2, J), (B,) -> (B, L).
    """
    length = waveforms.shape[-1]
    frequencies = torch.fft.rfftfreq(length, 1 / sample_rate, device=waveforms.device)
    octaves = torch.log2(frequencies.clamp(min=40.0) / 40.0) / math.log2(sample_rate / 2 / 40.0)  # 0 to 1
    gains, phases = bells[:, 0, :, None], bells[:, 1, :, None]
    order = torch.arange(1, bells.shape[-1] + 1, device=waveforms.device)[None, :, None]
    decibels: Tensor = (gains * torch.cos(math.pi * order * octaves + phases)).sum(1)
    low_pass = 1 / (1 + (frequencies / cutoff[:, None]) ** 16).sqrt()
    filtered: Tensor = torch.fft.irfft(torch.fft.rfft(waveforms) * 10 ** (decibels / 20) * low_pass, n=length)
    return filtered
