"""Hand-made cues of two sub-mixes: shortcuts that avoid coherence, and coherence itself by signal processing."""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cocola_metric.audio import SAMPLE_RATE
from cocola_metric.encoder import FrontEndModule
from cocola_metric.errors import UsageError

N_FFT, HOP_LENGTH = 1024, 256  # 16 ms
SUBMIXES_AT_ONCE = 8  # their spectra stay in the cache
CHROMA_N_FFT, CHROMA_HOP_LENGTH = 4096, 2048
CHROMA_RANGE_HZ = (55.0, 4200.0)
POWER_FLOOR = 1e-8
LOW_MELS = 12  # up to about 600 Hz: bass and kick
BANDS = 16
ROLLOFF = 0.85
ACTIVE_DB = 50.0  # below the loudest frame
LAGS = 40  # frames to either side
TOGETHER = 2  # frames, 32 ms, within which onsets fall together
NOW = slice(LAGS - TOGETHER, LAGS + TOGETHER + 1)
TEMPOGRAM_LAGS = slice(8, 130)  # 0.13 to 2.1 s
LEAST_SAMPLES = (TEMPOGRAM_LAGS.start + 1) * HOP_LENGTH  # and more than the spectra of the chroma need
NEARLY_HIGHEST = 0.2
SMOOTHED = 5  # frames, since a beat period is no whole number of them


class SubmixCues(NamedTuple):
    """Measurements of B sub-mixes.

    Attributes:
        loudness: contour of a levelled sub-mix: quantiles of frame levels in dB, share of active frames, crest, (B, 7).
        spectrum: mean level and movement of 16 bands, centroid, bandwidth, roll-off, flatness, (B, 36).
        onsets: rises of the mel spectrum, centred and of unit norm, (B, F).
        low_onsets: the same below about 600 Hz, (B, F).
        chroma: magnitude by pitch class, (B, 12, T).
        tempogram: autocorrelation of the onsets over a beat or so, (B, lags).
    """

    loudness: Tensor
    spectrum: Tensor
    onsets: Tensor
    low_onsets: Tensor
    chroma: Tensor
    tempogram: Tensor

    def rows(self, chosen: NDArray[np.int64]) -> "SubmixCues":
        """Return the cues of some sub-mixes."""
        return SubmixCues(*(values[torch.from_numpy(chosen)] for values in self))


def join_cues(parts: Sequence[SubmixCues]) -> SubmixCues:
    """Return the cues of all parts as those of one batch."""
    return SubmixCues(*(torch.cat(values) for values in zip(*parts, strict=True)))


def measure_cues(waveforms: Tensor) -> SubmixCues:
    """Measure sub-mixes at 16 kHz: (B, L) -> cues of B.

    Raises:
        UsageError: the sub-mixes have less than 0.144 s.
    """
    if waveforms.shape[1] < LEAST_SAMPLES:
        least, found = (samples / SAMPLE_RATE for samples in (LEAST_SAMPLES, waveforms.shape[1]))
        raise UsageError(f"cues need {least:.2f} s of music; got {found:.2f} s; pass longer windows")
    return join_cues([_measure_few(few) for few in torch.split(waveforms, SUBMIXES_AT_ONCE)])


def onset_envelope(mel: Tensor) -> Tensor:
    """Return the rises of the mel spectrum from frame to frame, centred and of unit norm: (B, M, F) -> (B, F - 1)."""
    rises = mel.diff(dim=2).clamp(min=0).mean(1)
    return torch.nn.functional.normalize(rises - rises.mean(1, keepdim=True), dim=1)


def beat_period(waveform: Tensor, slowest: float = 60.0, fastest: float = 180.0) -> float:
    """Estimate the beat period of music in seconds: the lag at which the onset envelope is most like itself.

    The autocorrelation of the rises of the log-mel spectrum (16 ms frames, smoothed), divided by the number of frames
    that overlap, is searched from 60 to 180 bpm. Of the local maxima within a fifth of the highest, the shortest lag is
    taken, so that a beat wins over its double. Too short an estimate does less harm than too long a one: half of twice
    the beat is still a beat. Lags that the music has no room for are left out; where it has room for none, the period
    is that of the fastest beat.

    Shape:
        (L,) -> seconds.
    """
    frames_per_second = SAMPLE_RATE / HOP_LENGTH
    first, last = round(60 / fastest * frames_per_second), round(60 / slowest * frames_per_second)
    if len(waveform) // HOP_LENGTH <= first + SMOOTHED:
        return first / frames_per_second
    mel = 10 * torch.log10(_filterbank() @ _power(waveform[None], N_FFT, HOP_LENGTH) + POWER_FLOOR)
    onsets = torch.nn.functional.avg_pool1d(onset_envelope(mel), SMOOTHED, stride=1)
    correlation = _autocorrelation(onsets)[0] / torch.arange(onsets.shape[1], 0, -1)
    near = correlation[first - 1 : last + 2]
    peaks = (near[1:-1] >= near[:-2]) & (near[1:-1] >= near[2:])
    candidates = near[1:-1].masked_fill(~peaks, float("-inf")) if peaks.any() else near[1:-1]
    best = float(candidates.max())
    return (first + int(torch.nonzero(candidates >= best - NEARLY_HIGHEST * abs(best))[0])) / frames_per_second


def loudness_differences(first: SubmixCues, second: SubmixCues) -> Tensor:
    """Return the absolute differences of the loudness contours: (B, 7)."""
    return (first.loudness - second.loudness).abs()


def spectral_differences(first: SubmixCues, second: SubmixCues) -> Tensor:
    """Return the absolute differences of the spectral shapes: (B, 36)."""
    return (first.spectrum - second.spectrum).abs()


def onsets_together(first: SubmixCues, second: SubmixCues) -> Tensor:
    """Return the largest correlation of the onset envelopes of two sub-mixes at lags up to 32 ms: (B,)."""
    together: Tensor = _cross_correlation(first.onsets, second.onsets)[:, NOW].amax(1)
    return together


def pitchedness(cues: SubmixCues) -> Tensor:
    """Return the deviation of the chroma over its mean, both summed over frames: (B,); noise has 0.1."""
    spread: Tensor = cues.chroma.std(1).sum(1) / cues.chroma.mean(1).sum(1).clamp(min=1e-9)
    return spread


def coherence(first: SubmixCues, second: SubmixCues) -> Tensor:
    """Return nine cues that two sub-mixes belong together: (B, 9).

    Onsets that coincide (all of them; more so than at other lags; low ones), pitch classes in common (over the
    window; more so than after any rotation; frame by frame; changes frame by frame), similar tempograms (also times the
    first).
    """
    onsets = _cross_correlation(first.onsets, second.onsets)
    low = _cross_correlation(first.low_onsets, second.low_onsets)
    together = onsets[:, NOW].amax(1)
    elsewhere = torch.cat([onsets[:, : LAGS - 2 * TOGETHER], onsets[:, LAGS + 2 * TOGETHER + 1 :]], 1).amax(1)
    means = first.chroma.mean(2), second.chroma.mean(2)
    rotated = torch.stack([_cosine(means[0], means[1].roll(step, 1)) for step in range(12)], 1)
    changes = [chroma - mean[:, :, None] for chroma, mean in zip((first.chroma, second.chroma), means, strict=True)]
    tempo = _cosine(*(rows - rows.mean(1, keepdim=True) for rows in (first.tempogram, second.tempogram)))
    return torch.stack(
        [
            together,
            together - elsewhere,
            low[:, NOW].amax(1),
            rotated[:, 0],
            rotated[:, 0] - rotated[:, 1:].amax(1),
            _cosine(first.chroma.flatten(1), second.chroma.flatten(1)),
            _cosine(changes[0].flatten(1), changes[1].flatten(1)),
            tempo,
            tempo * together,
        ],
        1,
    )


def _measure_few(waveforms: Tensor) -> SubmixCues:
    power = _power(waveforms, N_FFT, HOP_LENGTH)  # (B, N_FFT / 2 + 1, F)
    mel = 10 * torch.log10(_filterbank() @ power + POWER_FLOOR)  # (B, M, F)
    onsets, low_onsets = onset_envelope(mel), onset_envelope(mel[:, :LOW_MELS])
    lags = _autocorrelation(onsets)[:, TEMPOGRAM_LAGS]
    chroma = (_pitch_classes() @ _power(waveforms, CHROMA_N_FFT, CHROMA_HOP_LENGTH)).sqrt()
    return SubmixCues(
        _loudness(waveforms, power),
        _spectrum(power, mel),
        onsets,
        low_onsets,
        chroma,
        lags / lags.abs().amax(1, keepdim=True).clamp(min=1e-9),
    )


@functools.cache
def _filterbank() -> Tensor:
    return FrontEndModule("mel").get_buffer("filterbank")


def _power(waveforms: Tensor, n_fft: int, hop_length: int) -> Tensor:
    window = torch.hann_window(n_fft)
    spectrum = torch.stft(waveforms, n_fft, hop_length, window=window, return_complex=True)
    return torch.view_as_real(spectrum).square().sum(-1)


def _loudness(waveforms: Tensor, power: Tensor) -> Tensor:
    levels = 10 * torch.log10(power.sum(1) + POWER_FLOOR)  # (B, F)
    quantiles = torch.quantile(levels, torch.tensor([0.01, 0.05, 0.25, 0.5, 0.95]), dim=1).T
    active = (levels > levels.amax(1, keepdim=True) - ACTIVE_DB).float().mean(1)
    crest = 20 * torch.log10(waveforms.abs().amax(1) / waveforms.square().mean(1).sqrt().clamp(min=1e-9) + 1e-9)
    return torch.cat([quantiles, active[:, None], crest[:, None]], 1)


def _spectrum(power: Tensor, mel: Tensor) -> Tensor:
    frequencies = torch.linspace(0, SAMPLE_RATE / 2, power.shape[1])
    mean = power.mean(2) + POWER_FLOOR  # (B, N_FFT / 2 + 1)
    share = mean / mean.sum(1, keepdim=True)
    centroid = (share * frequencies).sum(1)
    bandwidth = (share * (frequencies - centroid[:, None]).square()).sum(1).sqrt()
    rolloff = frequencies[(share.cumsum(1) < ROLLOFF).sum(1).clamp(max=len(frequencies) - 1)]
    shape = [
        torch.log(centroid),
        torch.log(bandwidth),
        torch.log(rolloff + 1),
        (mean.log().mean(1) - mean.mean(1).log()),
    ]
    bands = mel.reshape(len(mel), BANDS, -1, mel.shape[2])
    return torch.cat([bands.mean((2, 3)), bands.std(3).mean(2), torch.stack(shape, 1)], 1)


@functools.cache
def _pitch_classes() -> Tensor:
    """Return the weight of each frequency of a spectrum in each pitch class: (12, n)."""
    frequencies = torch.linspace(0, SAMPLE_RATE / 2, CHROMA_N_FFT // 2 + 1)
    low, high = CHROMA_RANGE_HZ
    pitch = 12 * torch.log2(frequencies.clamp(min=1.0) / 440.0) + 9  # semitones above C
    distance = (pitch[None, :] - torch.arange(12)[:, None] + 6) % 12 - 6
    audible = (frequencies >= low) & (frequencies <= high)
    weights: Tensor = (1 - distance.abs()).clamp(min=0) * audible
    return weights


def _autocorrelation(rows: Tensor) -> Tensor:
    spectrum = torch.fft.rfft(rows, 2 * rows.shape[1])
    correlation: Tensor = torch.fft.irfft(spectrum * spectrum.conj(), 2 * rows.shape[1])[:, : rows.shape[1]]
    return correlation


def _cross_correlation(first: Tensor, second: Tensor) -> Tensor:
    """Return the correlation of rows at lags of -40 to 40 frames: (B, F), (B, F) -> (B, 81)."""
    size = 2 * first.shape[1]
    product = torch.fft.rfft(first, size) * torch.fft.rfft(second, size).conj()
    correlation = torch.fft.irfft(product, size)
    return torch.cat([correlation[:, -LAGS:], correlation[:, : LAGS + 1]], 1)


def _cosine(first: Tensor, second: Tensor) -> Tensor:
    return torch.nn.functional.cosine_similarity(first, second, dim=1)
