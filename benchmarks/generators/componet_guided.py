"""CompoNet, guided: the gradient of a score comes back through vocoder, VAE and network to the latents of a step."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from cocola_metric.training.componet import GriffinLim, as_prediction, decode_audio, split_prediction

from ..guides import Guidance, bend

QUICK = {"iterations": 8, "updates": 8}
"""Settings of a Griffin-Lim vocoder whose waveforms are only judged: its phases have to be roughly right."""


class GuidedPredictor:
    """A CompoNet whose predicted noise is bent by the gradient of a score; it is called in its place.

    The latents z_0 that a step predicts (Eq. 5) are decoded. The gradient of the score in the samples is taken back to
    z_t, and `bend` applies it with the noise level sqrt(1 - alpha_bar_t).

    Args:
        componet: network that predicts the noise.
        scheduler: schedule of the pipeline.
        decode: differentiable function from latents z_0, (B, 8, T, 16), to waveforms, (B, L).
        pull: function of waveforms, (B, L), that returns the gradient of the score in them.
        guidance: weight, schedule and limit.
    """

    def __init__(
        self,
        componet: Any,
        scheduler: Any,
        decode: Callable[[Tensor], Tensor],
        pull: Callable[[Tensor], Tensor],
        guidance: Guidance,
    ) -> None:
        self.componet, self.unet = componet, componet.unet
        self.decode, self.pull, self.guidance = decode, pull, guidance
        self.prediction = scheduler.config.prediction_type
        self.alphas = scheduler.alphas_cumprod

    def __call__(self, latents: Tensor, timestep: Tensor | float, text: Any, condition: Tensor) -> Tensor:
        """Return the guided prediction, noise or velocity, for one t: (B, 8, T, 16) -> (B, 8, T, 16)."""
        alpha = self.alphas[torch.as_tensor(timestep, device=self.alphas.device).long()].to(latents)
        with torch.enable_grad():
            noisy = latents.detach().requires_grad_()
            output = self.componet(noisy, timestep, text, condition)
            noise, clean = split_prediction(output, noisy, alpha, self.prediction)
            with torch.autocast(latents.device.type, enabled=False):
                waveforms = self.decode(clean.float())
                (slope,) = torch.autograd.grad(waveforms, noisy, self.pull(waveforms.detach()))
        share = float(1 - alpha)
        bent = bend(noise.detach(), slope, level=share**0.5, share=share, guidance=self.guidance)
        return as_prediction(bent, latents, alpha, self.prediction)


def quick_decoder(pipeline: Any, samples: int) -> Callable[[Tensor], Tensor]:
    """Return a differentiable function from latents to so many samples: with few iterations where phases are fitted."""
    vocoder = pipeline.vocoder
    if isinstance(vocoder, GriffinLim):
        vocoder = GriffinLim(**QUICK).to(vocoder.device)

    def decode(latents: Tensor) -> Tensor:
        return decode_audio(pipeline.vae, vocoder, latents, samples=samples)

    return decode
