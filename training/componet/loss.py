"""The objective of CompoNet: noise is added (Eq. 5) and predicted (Eq. 6), in training and under fixed noise."""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from .network import CompoNet
from .unet import Text


class Example(NamedTuple):
    """A batch of pairs of sub-mixes as latents: z = E(m_X) to be made, w = E(m_Y) given, and the prompts s."""

    target: Tensor
    condition: Tensor
    text: Text


class NoiseSchedule(NamedTuple):
    """Eq. 5: the cumulated products alpha_bar_t, (S,)."""

    alphas: Tensor

    def add_noise(self, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """Return z_t (Eq. 5): (B, C, T, W), the same, (B,) -> (B, C, T, W)."""
        alpha = self.alphas.to(latents)[timesteps].reshape(-1, 1, 1, 1)
        return alpha.sqrt() * latents + (1 - alpha).sqrt() * noise


def training_loss(
    componet: CompoNet, example: Example, schedule: NoiseSchedule, generator: torch.Generator | None = None
) -> Tensor:
    """Return the loss of Eq. 6, a mean over all entries, for t and epsilon drawn anew.

    Args:
        componet: noise predictor epsilon_(phi, psi).
        example: batch of latents.
        schedule: schedule of the noise.
        generator: random generator on the latents' device.
    """
    device = example.target.device
    timesteps = torch.randint(len(schedule.alphas), (len(example.target),), generator=generator, device=device)
    noise = torch.randn(example.target.shape, generator=generator, device=device, dtype=example.target.dtype)
    return _loss(componet, example, schedule, noise, timesteps)


@torch.no_grad()
def validation_loss(
    componet: CompoNet, examples: Iterable[Example], schedule: NoiseSchedule, *, seed: int = 0
) -> float:
    """Return the mean loss over the same examples, noise and t in every call.

    The steps t lie evenly over the schedule and are drawn by the seed, so that only the weights change the value.
    The noise is drawn on the CPU: it is the same on every device.
    """
    generator = torch.Generator().manual_seed(seed)
    losses = []
    for example in examples:
        count, device = len(example.target), example.target.device
        places = (torch.randperm(count, generator=generator) + torch.rand(count, generator=generator)) / count
        timesteps = (places * len(schedule.alphas)).long().clamp(max=len(schedule.alphas) - 1)
        noise = torch.randn(example.target.shape, generator=generator).to(example.target)
        losses += [_loss(componet, example, schedule, noise, timesteps.to(device)).item()] * count
    return sum(losses) / len(losses)


def _loss(componet: CompoNet, example: Example, schedule: NoiseSchedule, noise: Tensor, timesteps: Tensor) -> Tensor:
    noisy = schedule.add_noise(example.target, noise, timesteps)
    return mse_loss(componet(noisy, timesteps, example.text, example.condition).float(), noise.float())
