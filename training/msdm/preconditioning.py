"""EDM's preconditioning of a denoiser and the loss that belongs to it (Karras et al. 2022), for any network."""

from collections.abc import Callable

import torch
from torch import Tensor

from .noise import Noise

Network = Callable[[Tensor, Tensor], Tensor]
"""F(x; c_noise): scaled noisy music (B, C, L) and a time for each item (B,) -> (B, C, L)."""


def precondition(network: Network, x: Tensor, sigma: Tensor | float, sigma_data: float) -> Tensor:
    """Estimate music without its noise: D(x; σ) = c_skip x + c_out F(c_in x; c_noise), Eq. 7.

    The result is clamped to [-1, 1], as MSDM does.

    Args:
        network: network in evaluation mode.
        x: music with Gaussian noise.
        sigma: standard deviation of the noise, one for each item or one for all.
        sigma_data: standard deviation of the music.

    Shape:
        (B, C, L), (B,) -> (B, C, L).
    """
    level = torch.as_tensor(sigma, dtype=x.dtype, device=x.device).expand(len(x))
    wide, variance = level[:, None, None], sigma_data**2
    total = wide.square() + variance
    predicted: Tensor = network(x * total.rsqrt(), level.log() / 4)
    scaled = predicted * (wide * sigma_data * total.rsqrt())
    return torch.addcmul(scaled, x, variance / total).clamp(-1, 1)


def denoising_losses(network: Network, music: Tensor, noise: Noise, sigma_data: float) -> Tensor:
    """Return each item's mean square error of D(x; σ) weighted by 1 / c_out^2.

    That is the error of the network's own output against (sigma music - sigma_data^2 noise) / (sigma_data
    sqrt(sigma^2 + sigma_data^2)), which has variance 1 at every level. The clamp of D to [-1, 1] is left out.

    Shape:
        (B, C, L), noise of B items -> (B,).
    """
    sigma = noise.levels[:, None, None]
    scale = (sigma.square() + sigma_data**2).rsqrt()
    predicted = network((music + sigma * noise.samples) * scale, noise.levels.log() / 4)
    wanted = (sigma * music - sigma_data**2 * noise.samples) * (scale / sigma_data)
    losses: Tensor = (predicted.float() - wanted).square().mean(dim=(1, 2))
    return losses
