"""The two front ends of COCOLA encoders: waveform in, log-mel images out, numerically those of the original code."""

import torch
import torchaudio
from torch import Tensor, nn

from ..audio import SAMPLE_RATE
from .median import SIZE, running_median

N_FFT = 1024
WINDOW_LENGTH = 400
HOP_LENGTH = 160
N_MELS = 64
MEL_RANGE_HZ = (60.0, 7800.0)
POWER_FLOOR = 1e-10
DYNAMIC_RANGE_DB = 80.0


class _FrontEnd(nn.Module):
    """The spectrogram and the mel filterbank; the buffers are constants and stay out of checkpoints."""

    channels: int
    pad_mode: str
    window: Tensor
    filterbank: Tensor

    def __init__(self, mel_scale: str, norm: str | None) -> None:
        super().__init__()
        low, high = MEL_RANGE_HZ
        filterbank = torchaudio.functional.melscale_fbanks(
            N_FFT // 2 + 1, low, high, N_MELS, SAMPLE_RATE, norm=norm, mel_scale=mel_scale
        )
        self.register_buffer("window", torch.hann_window(WINDOW_LENGTH), persistent=False)
        self.register_buffer("filterbank", filterbank.T.contiguous(), persistent=False)

    def _spectrogram(self, waveform: Tensor) -> Tensor:
        return torch.stft(
            waveform,
            N_FFT,
            HOP_LENGTH,
            WINDOW_LENGTH,
            self.window,
            center=True,
            pad_mode=self.pad_mode,
            return_complex=True,
        )


class LogMel(_FrontEnd):
    """Log-mel front end of the paper's models (section 4.2): HTK mels of the power, in dB above 1e-10.

    Shape:
        waveform (B, L) at 16 kHz -> features (B, 1, M, F), M = 64 mels, F = L // 160 + 1 frames.
    """

    channels = 1
    pad_mode = "reflect"

    def __init__(self) -> None:
        super().__init__("htk", None)

    def forward(self, waveform: Tensor) -> Tensor:
        """Return log-mel features in dB."""
        spectrum = torch.view_as_real(self._spectrogram(waveform))
        mel = self.filterbank @ spectrum.square().sum(-1)  # (B, M, F)
        return _decibels(mel).unsqueeze(1)


class HarmonicPercussive(_FrontEnd):
    """Two-channel front end of the released HP model: log-mels of the harmonic and the percussive part.

    Median filtering along time keeps what is steady (harmonic), along frequency what is sudden (percussive); soft
    masks of power 2 share the spectrum between them. Each channel is in dB relative to its own maximum, with a floor
    at -80 dB. Numerically librosa's ``stft``, ``decompose.hpss``, ``feature.melspectrogram`` and ``power_to_db``.

    Shape:
        waveform (B, L) at 16 kHz -> features (B, 2, M, F): harmonic, percussive.
    """

    channels = 2
    pad_mode = "constant"

    def __init__(self) -> None:
        super().__init__("slaney", "slaney")

    def forward(self, waveform: Tensor) -> Tensor:
        """Return harmonic and percussive log-mel features in dB below their maximum."""
        if waveform.device.type == "cpu":  # one clip at a time stays in the cache: twice as fast as a batch of 32
            return torch.cat([self._clips(clip) for clip in torch.split(waveform, 1)])
        return self._clips(waveform)

    def _clips(self, waveform: Tensor) -> Tensor:
        magnitude = modulus(self._spectrogram(waveform))  # (B, N_FFT / 2 + 1, F)
        mel = self.filterbank @ (soft_masks(magnitude, SIZE) * magnitude.unsqueeze(1)).square()  # (B, 2, M, F)
        return relative_decibels(mel)


def modulus(spectrum: Tensor) -> Tensor:
    """Return |z|, with a gradient of 0 where z is subnormal: torch's own can be NaN there."""
    if spectrum.requires_grad:
        spectrum = torch.where(spectrum.abs() < torch.finfo(spectrum.dtype).tiny, 0, spectrum)
    return spectrum.abs()


def soft_masks(magnitude: Tensor, size: int) -> Tensor:
    """Share each cell of a spectrogram between its harmonic and its percussive part, by powers of running medians.

    Args:
        magnitude: of a spectrogram.
        size: of the medians, as for `running_median`.

    Shape:
        (B, N, F) -> (B, 2, N, F): along time, along frequency.
    """
    harmonic = running_median(magnitude, dim=2, size=size).square()
    percussive = running_median(magnitude, dim=1, size=size).square()
    total = harmonic + percussive
    shared = torch.stack([harmonic, percussive], dim=1) / total.clamp(min=torch.finfo(total.dtype).tiny).unsqueeze(1)
    return torch.where((total > 0).unsqueeze(1), shared, 0.5)


def relative_decibels(power: Tensor) -> Tensor:
    """Return the level of each image below its own maximum, with a floor at -80 dB: (B, C, M, F) -> the same."""
    level = _decibels(power)
    return (level - level.amax((2, 3), keepdim=True)).clamp(min=-DYNAMIC_RANGE_DB)


def _decibels(power: Tensor) -> Tensor:
    return 10.0 * torch.log10(power.clamp(min=POWER_FLOOR))
