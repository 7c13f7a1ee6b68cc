"""A vocoder without weights for AudioLDM2's log-mel spectrogram: magnitudes by least squares, phases by Griffin-Lim."""

from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from .latents import HOP_LENGTH, MAGNITUDE_FLOOR, N_FFT, N_MELS, SAMPLE_RATE, _filterbank

LOUDEST = 6.0  # of the logarithm of a mel of audio in [-1, 1]; what a decoder puts above it is no audio


class GriffinLim(nn.Module):
    """A stand-in for AudioLDM2's HiFi-GAN, for a pipeline that was not trained with one.

    The magnitudes of the 513 bins are non-negative values whose mels are close to the given ones (multiplicative
    updates). The phases are fitted to them by fast Griffin-Lim (Perraudin et al. 2013), always from the same random
    start.

    Args:
        iterations: number of iterations of Griffin-Lim.
        updates: number of updates of the magnitudes.
        momentum: momentum of Griffin-Lim; 0 is the plain algorithm.
    """

    filterbank: Tensor
    window: Tensor

    def __init__(self, *, iterations: int = 64, updates: int = 40, momentum: float = 0.99) -> None:
        super().__init__()
        self.iterations, self.updates, self.momentum = iterations, updates, momentum
        self.register_buffer("filterbank", _filterbank().clone(), persistent=False)  # (513, 64)
        self.register_buffer("window", torch.hann_window(N_FFT), persistent=False)
        self.config = SimpleNamespace(
            sampling_rate=SAMPLE_RATE, model_in_dim=N_MELS, upsample_rates=[5, 4, 2, 2, 2], hop_length=HOP_LENGTH
        )

    @property
    def dtype(self) -> torch.dtype:
        """Data type of the computation."""
        return torch.float32

    @property
    def device(self) -> torch.device:
        """Device of the computation."""
        return self.filterbank.device

    def forward(self, mel: Tensor) -> Tensor:
        """Return waveforms at 16 kHz, with gradients to the magnitudes alone: (B, F, 64) -> (B, 160 F)."""
        with torch.autocast(mel.device.type, enabled=False):
            mel = torch.cat([mel, mel[:, -1:]], dim=1).float().clamp(max=LOUDEST)
            magnitudes = self.magnitudes(mel)
            spectrum = magnitudes * self._phases(magnitudes.detach())
            return torch.istft(spectrum, **self._transform(), length=self._length(magnitudes))

    def magnitudes(self, mel: Tensor) -> Tensor:
        """Return the magnitudes of the bins: (B, F, 64) -> (B, 513, F)."""
        wanted = (mel.exp() - MAGNITUDE_FLOOR).clamp(min=0.0)
        filters = self.filterbank
        numerator = wanted @ filters.mT  # (B, F, 513)
        gram = filters @ filters.mT
        bins = numerator / gram.sum(0).clamp(min=1e-8)
        for _ in range(self.updates):
            bins = bins * numerator / (bins @ gram).clamp(min=1e-10)
        return bins.mT

    @torch.no_grad()
    def _phases(self, magnitudes: Tensor) -> Tensor:
        generator = torch.Generator().manual_seed(0)
        angles = 2 * torch.pi * torch.rand(magnitudes.shape[-2:], generator=generator).to(magnitudes.device)
        phases = torch.polar(torch.ones_like(angles), angles).expand(magnitudes.shape)
        before = torch.zeros_like(phases)
        for _ in range(self.iterations):
            waveform = torch.istft(magnitudes * phases, **self._transform(), length=self._length(magnitudes))
            heard = torch.stft(waveform, **self._transform(), return_complex=True)
            phases = heard + self.momentum * (heard - before)
            phases = phases / phases.abs().clamp(min=1e-12)
            before = heard
        return phases

    def _transform(self) -> dict[str, Any]:
        return {"n_fft": N_FFT, "hop_length": HOP_LENGTH, "window": self.window}

    def _length(self, magnitudes: Tensor) -> int:
        return (magnitudes.shape[-1] - 1) * HOP_LENGTH
