"""Our front end: an image of what sounds at which pitch, and one of what begins when."""

import math

import torch
import torchaudio
from torch import Tensor, nn

from ..audio import SAMPLE_RATE
from .mel import modulus, relative_decibels, soft_masks

HOP_LENGTH = 320
LEAST_FRAMES = 31
ROWS = 128
MEDIAN = 15
PITCH_WINDOW = 4096
LOWEST_PITCH_HZ = 80.0
ROWS_PER_OCTAVE = 24
ONSET_WINDOW = 512
ONSET_N_FFT = 1024
ONSET_RANGE_HZ = (30.0, 7800.0)


class PitchOnset(nn.Module):
    """Two-channel front end that sees semitones and onsets, each through the window that shows it best.

    The windows of 25 ms of the paper's front ends tell onsets apart, but hardly keys: a semitone at 440 Hz is a sixth
    of what such a window resolves. Here the harmonic channel has a window of 256 ms and rows of half a semitone, 80 to
    3,130 Hz; the percussive channel has one of 32 ms and rows in mels. What is steady and what is sudden is told apart
    by running medians over 15 rows or frames within each image, and each is in dB relative to its own maximum, with a
    floor at -80 dB, as in `features.HarmonicPercussive`. The two images take as many cells as the paper's at half the
    frames, so that an encoder costs the same.

    Shape:
        waveform (B, L) at 16 kHz -> features (B, 2, M, F): harmonic, percussive, M = 128 rows, F = L // 320 + 1 frames;
        at least 32 frames, as if silence followed.
    """

    channels = 2
    pitch_window: Tensor
    onset_window: Tensor
    pitch_filterbank: Tensor
    onset_filterbank: Tensor

    def __init__(self) -> None:
        super().__init__()
        onsets = torchaudio.functional.melscale_fbanks(
            ONSET_N_FFT // 2 + 1, *ONSET_RANGE_HZ, ROWS, SAMPLE_RATE, norm="slaney", mel_scale="slaney"
        )
        self.register_buffer("pitch_window", torch.hann_window(PITCH_WINDOW), persistent=False)
        self.register_buffer("onset_window", torch.hann_window(ONSET_WINDOW), persistent=False)
        self.register_buffer("pitch_filterbank", pitch_filterbank(), persistent=False)
        self.register_buffer("onset_filterbank", onsets.T.contiguous(), persistent=False)

    def forward(self, waveform: Tensor) -> Tensor:
        """Return both images in dB below their maximum."""
        if waveform.device.type == "cpu":  # one clip at a time stays in the cache
            return torch.cat([self._clips(clip) for clip in torch.split(waveform, 1)])
        return self._clips(waveform)

    def _clips(self, waveform: Tensor) -> Tensor:
        pitches = self._rows(waveform, PITCH_WINDOW, self.pitch_window, self.pitch_filterbank)
        onsets = self._rows(waveform, ONSET_N_FFT, self.onset_window, self.onset_filterbank)
        harmonic = soft_masks(pitches, MEDIAN)[:, 0] * pitches
        percussive = soft_masks(onsets, MEDIAN)[:, 1] * onsets
        return relative_decibels(torch.stack([harmonic, percussive], dim=1).square())

    def _rows(self, waveform: Tensor, n_fft: int, window: Tensor, filterbank: Tensor) -> Tensor:
        """Return magnitudes by row and frame."""
        missing = max(0, LEAST_FRAMES * HOP_LENGTH - waveform.shape[-1])
        spectrum = torch.stft(
            nn.functional.pad(waveform, (0, missing)),
            n_fft,
            HOP_LENGTH,
            len(window),
            window,
            center=True,
            pad_mode="constant",
            return_complex=True,
        )
        rows: Tensor = filterbank @ modulus(spectrum[:, : filterbank.shape[1]])
        return rows


def pitch_filterbank() -> Tensor:
    """Return triangles around pitches half a semitone apart, at least as wide as a bin: (M, bins up to the last)."""
    centres = LOWEST_PITCH_HZ * 2.0 ** (torch.arange(ROWS, dtype=torch.float64) / ROWS_PER_OCTAVE)
    bins = torch.fft.rfftfreq(PITCH_WINDOW, 1 / SAMPLE_RATE, dtype=torch.float64)
    half_widths = (centres * math.log(2) / ROWS_PER_OCTAVE).clamp(min=SAMPLE_RATE / PITCH_WINDOW)
    triangles = (1 - (bins - centres[:, None]).abs() / half_widths[:, None]).clamp(min=0)
    heard = int(triangles.any(0).nonzero().max()) + 1
    filterbank: Tensor = (triangles / triangles.sum(1, keepdim=True))[:, :heard].float().contiguous()
    return filterbank
