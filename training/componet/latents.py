"""Audio to the latents of AudioLDM2 and back: log-mel spectrogram, VAE, vocoder, and lengths."""

import functools
from typing import Any

import torch
import torchaudio
from torch import Tensor

from cocola_metric.errors import UsageError

SAMPLE_RATE = 16_000
ROWS = 8  # latents are a multiple of so many rows, so that the U-Net halves them exactly
N_FFT = 1024
HOP_LENGTH = 160
N_MELS = 64
MEL_RANGE_HZ = (0.0, 8000.0)
MAGNITUDE_FLOOR = 1e-5
FRAMES_PER_ROW = 4  # mel frames that one row of latents stands for


def latent_rows(samples: int, *, multiple: int = 1) -> int:
    """Return T, the number of rows of latents for an audio length, as in the stock pipeline.

    Args:
        samples: length of the audio, in samples at 16 kHz.
        multiple: number of rows that T is rounded up to a multiple of; 8 makes all halvings of the U-Net exact.

    >>> [latent_rows(round(seconds * SAMPLE_RATE)) for seconds in (5.944, 10.23, 10.24, 30)]
    [149, 256, 256, 750]

    Raises:
        UsageError: an argument is below 1.
    """
    if samples < 1 or multiple < 1:
        raise UsageError(f"samples and multiple must be 1 or more; got {samples} samples and multiple {multiple}")
    return -(-samples // (HOP_LENGTH * FRAMES_PER_ROW * multiple)) * multiple


def log_mel(waveform: Tensor) -> Tensor:
    """Return the spectrogram that AudioLDM2's VAE was trained on: natural logarithm of Slaney mels of the magnitude.

    The waveform is taken at its level and clipped to [-1, 1]; magnitudes below 1e-5 count as 1e-5, so silence is
    -11.513.

    Shape:
        (B, L) at 16 kHz -> (B, F, 64), F = L // 160 + 1.

    Raises:
        UsageError: the shape is another one, or L is below 513, too short to be reflected at the ends.
    """
    if waveform.ndim != 2 or waveform.shape[-1] <= N_FFT // 2:
        raise UsageError(f"waveforms must be (B, L) with L above {N_FFT // 2}; got {tuple(waveform.shape)}")
    window = torch.hann_window(N_FFT, dtype=waveform.dtype, device=waveform.device)
    spectrum = torch.stft(waveform.clamp(-1.0, 1.0), N_FFT, HOP_LENGTH, window=window, return_complex=True)
    filterbank = _filterbank().to(waveform)  # (513, 64)
    return (spectrum.abs().mT @ filterbank).clamp(min=MAGNITUDE_FLOOR).log()


def fit_frames(mel: Tensor, frames: int) -> Tensor:
    """Cut a spectrogram to a number of frames, or repeat its last one until there are so many: (B, F, M)."""
    missing = frames - mel.shape[1]
    return torch.cat([mel, mel[:, -1:].expand(-1, missing, -1)], dim=1) if missing > 0 else mel[:, :frames]


def encode_audio(vae: Any, waveform: Tensor, *, generator: torch.Generator | None = None, multiple: int = 1) -> Tensor:
    """Return the scaled latents z = E(m_X) or w = E(m_Y) of sub-mixes.

    Args:
        vae: VAE of the pipeline.
        waveform: mono sub-mixes, at 16 kHz.
        generator: random generator, on the VAE's device, of draws from the posterior, as the released code does in
            training and when it generates; None takes the posterior's mode, the same every time.
        multiple: number of rows, as for `latent_rows`.

    Shape:
        (B, L) -> (B, 8, T, 16).
    """
    rows = latent_rows(waveform.shape[-1], multiple=multiple)
    mel = fit_frames(log_mel(waveform), rows * FRAMES_PER_ROW).unsqueeze(1)  # (B, 1, 4 T, 64)
    posterior = vae.encode(mel.to(vae.dtype)).latent_dist
    latents = posterior.mode() if generator is None else posterior.sample(generator)
    scaled: Tensor = latents * vae.config.scaling_factor
    return scaled


def decode_audio(vae: Any, vocoder: Any, latents: Tensor, *, samples: int) -> Tensor:
    """Return the waveforms of scaled latents, cut to a number of samples at 16 kHz.

    Shape:
        (B, 8, T, 16) -> (B, samples).

    Raises:
        UsageError: the latents are shorter than ``samples``.
    """
    mel = vae.decode(latents.to(vae.dtype) / vae.config.scaling_factor).sample.squeeze(1)
    waveform: Tensor = vocoder(mel.to(vocoder.dtype)).float()
    if waveform.shape[-1] < samples:
        raise UsageError(
            f"{latents.shape[-2]} rows of latents are {waveform.shape[-1]} samples, fewer than samples={samples}"
        )
    return waveform[:, :samples]


@functools.cache
def _filterbank() -> Tensor:
    low, high = MEL_RANGE_HZ
    filterbank: Tensor = torchaudio.functional.melscale_fbanks(
        N_FFT // 2 + 1, low, high, N_MELS, SAMPLE_RATE, norm="slaney", mel_scale="slaney"
    )
    return filterbank
