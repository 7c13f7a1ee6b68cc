"""The VAE of the small model: log-mel spectrograms of sub-mixes to latents of unit variance, and back."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from ..latents import FRAMES_PER_ROW, fit_frames, latent_rows, log_mel

KL_WEIGHT = 1e-3
MEAN_LOG_MEL, SPREAD_LOG_MEL = -5.0, 3.0  # roughly, of music; only where training starts


class Autoencoding(nn.Module):
    """The objective: mean absolute error of the log-mel, and a little of the divergence from a unit Gaussian."""

    def __init__(self, vae: Any) -> None:
        super().__init__()
        self.vae = vae

    def forward(self, mel: Tensor, noise: Tensor) -> Tensor:
        """Return the loss of spectrograms: (B, 1, F, 64), and noise for the posterior, (B, 8, F / 4, 16)."""
        posterior = self.vae.encode(mel).latent_dist
        mean, log_variance = posterior.mean.float(), posterior.logvar.float()
        latents = mean + noise * (0.5 * log_variance).exp()
        decoded = self.vae.decode(latents.to(mel.dtype)).sample
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()
        loss: Tensor = (decoded.float() - mel.float()).abs().mean() + KL_WEIGHT * divergence
        return loss


def start_at_the_mean(vae: Any) -> None:
    """Scale an untrained VAE's input and output to usual log-mels, which saves its first steps."""
    with torch.no_grad():
        vae.encoder.conv_in.weight /= SPREAD_LOG_MEL
        vae.decoder.conv_out.weight *= SPREAD_LOG_MEL
        vae.decoder.conv_out.bias.fill_(MEAN_LOG_MEL)


def spectrograms(waveforms: Tensor, *, multiple: int = 1) -> Tensor:
    """Return the spectrograms that the VAE takes: (B, L) -> (B, 1, 4 T, 64), T as for `latent_rows`."""
    rows = latent_rows(waveforms.shape[-1], multiple=multiple)
    return fit_frames(log_mel(waveforms), rows * FRAMES_PER_ROW).unsqueeze(1)


@torch.no_grad()
def normalise_latents(vae: Any, batches: Iterable[Tensor]) -> None:
    """Give every channel of the latents mean 0 and variance 1 by the VAE's 1x1 convolutions; its output stays the same.

    Args:
        vae: VAE whose ``scaling_factor`` is 1, and stays so.
        batches: batches of `spectrograms`.
    """
    latents = torch.cat([vae.encode(mel).latent_dist.mean.float().movedim(1, -1).flatten(0, -2) for mel in batches])
    mean, spread = latents.mean(0), latents.std(0).clamp(min=1e-4)
    count = len(mean)
    into, back = vae.quant_conv, vae.post_quant_conv
    into.weight[:count] /= spread[:, None, None, None]
    into.bias[:count] = (into.bias[:count] - mean) / spread
    into.bias[count:] -= 2 * spread.log()
    back.bias += back.weight[:, :, 0, 0] @ mean
    back.weight *= spread[None, :, None, None]
