"""COCOLA-guided sampling: each step moves towards a higher score with the input mix (future work of section 6)."""

from typing import Any

import torch
from torch import Tensor, nn

from cocola_metric.encoder import CocolaModel

from .latents import decode_audio
from .network import CompoNet
from .predictions import as_prediction, split_prediction
from .unet import Text
from .vocoder import GriffinLim

LARGEST_SHARE = 0.3  # norm of what guidance adds, relative to the predicted noise: beyond it, samples fall apart
QUICK = {"iterations": 8, "updates": 8}  # of a Griffin-Lim vocoder, whose phases only have to be roughly right


class Guided:
    """A CompoNet whose predicted noise is corrected by the gradient of the COCOLA score; it is called in its place.

    epsilon - scale * sqrt(1 - alpha_bar_t) * grad_(z_t) score(m_Y, D(z_0)): the guidance of a classifier (Dhariwal and
    Nichol 2021) with the score of Eq. 4 for its log-probability. z_0 is predicted from z_t (Eq. 5); the gradient comes
    back through the encoder, the vocoder, the VAE and CompoNet.

    Args:
        componet: network that predicts the noise.
        pipeline: pipeline with VAE, vocoder and schedule.
        encoder: encoder of the score, with any front end.
        given: m_Y, mono at 16 kHz, at the level that the encoder is to get, (B, L).
        scale: scale of the gradient; 0 changes nothing.
    """

    def __init__(self, componet: CompoNet, pipeline: Any, encoder: CocolaModel, given: Tensor, scale: float) -> None:
        self.componet, self.unet = componet, componet.unet
        self.vae, self.encoder, self.given, self.scale = pipeline.vae, encoder, given, scale
        quick = isinstance(pipeline.vocoder, GriffinLim)
        self.vocoder: nn.Module = GriffinLim(**QUICK).to(given.device) if quick else pipeline.vocoder
        self.prediction = pipeline.scheduler.config.prediction_type
        self.alphas = pipeline.scheduler.alphas_cumprod.to(given.device)

    def __call__(self, latents: Tensor, timestep: Tensor | float, text: Text, condition: Tensor) -> Tensor:
        """Return the guided prediction, noise or velocity, for one t: (B, 8, T, 16) -> (B, 8, T, 16)."""
        alpha = self.alphas[torch.as_tensor(timestep, device=self.alphas.device).long()]
        with torch.enable_grad():
            noisy = latents.detach().requires_grad_()
            output = self.componet(noisy, timestep, text, condition)
            noise, predicted = split_prediction(output, noisy, alpha, self.prediction)
            (gradient,) = torch.autograd.grad(self.score(predicted).sum(), noisy)
        noise = noise.detach()
        added = self.scale * (1 - alpha).sqrt() * torch.nan_to_num(gradient)
        share = _norm(added) / (LARGEST_SHARE * _norm(noise)).clamp(min=1e-12)
        return as_prediction(noise - added / share.clamp(min=1.0), latents, alpha, self.prediction)

    def score(self, latents: Tensor) -> Tensor:
        """Return the COCOLA scores (Eq. 4) of the given mixes with latents z_0: (B, 8, T, 16) -> (B,)."""
        with torch.autocast(latents.device.type, enabled=False):
            waveforms = decode_audio(self.vae, self.vocoder, latents.float(), samples=self.given.shape[-1])
            scores: Tensor = self.encoder(self.given, waveforms)
        return scores


def _norm(values: Tensor) -> Tensor:
    norms: Tensor = values.flatten(1).norm(dim=1)
    return norms[:, None, None, None]
