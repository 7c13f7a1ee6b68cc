"""The objective for two predictions: the noise (Eq. 6), or the velocity, for models that train for minutes only.

The velocity is v = sqrt(alpha_bar) epsilon - sqrt(1 - alpha_bar) z (Salimans and Ho 2022). Its squared error is that of
the noise divided by alpha_bar. So it also demands much at steps where z_t is nearly all noise: there Eq. 6 demands
little, and only input mix and prompt tell anything about z.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from . import loss
from .loss import Example, NoiseSchedule

EPSILON, VELOCITY = "epsilon", "v_prediction"  # as diffusers' schedulers call them


def training_loss(
    predictor: Any, example: Example, schedule: NoiseSchedule, prediction: str, generator: torch.Generator
) -> Tensor:
    """Return the loss for t and epsilon drawn anew; ``prediction`` is `EPSILON` (Eq. 6) or `VELOCITY`."""
    if prediction == EPSILON:
        return loss.training_loss(predictor, example, schedule, generator)
    target = example.target
    timesteps = torch.randint(len(schedule.alphas), (len(target),), generator=generator, device=target.device)
    noise = torch.randn(target.shape, generator=generator, device=target.device, dtype=target.dtype)
    return _velocity_loss(predictor, example, schedule, noise, timesteps)


@torch.no_grad()
def validation_loss(
    predictor: Any, examples: Iterable[Example], schedule: NoiseSchedule, prediction: str, *, seed: int = 0
) -> float:
    """Return the mean loss over the same examples, noise and t in every call."""
    if prediction == EPSILON:
        return loss.validation_loss(predictor, examples, schedule, seed=seed)
    generator, losses, last = torch.Generator().manual_seed(seed), [], len(schedule.alphas) - 1
    for example in examples:
        count, device = len(example.target), example.target.device
        places = (torch.randperm(count, generator=generator) + torch.rand(count, generator=generator)) / count
        timesteps = (places * len(schedule.alphas)).long().clamp(max=last).to(device)
        noise = torch.randn(example.target.shape, generator=generator).to(example.target)
        losses += [_velocity_loss(predictor, example, schedule, noise, timesteps).item()] * count
    return sum(losses) / len(losses)


def split_prediction(output: Tensor, noisy: Tensor, alpha: Tensor, prediction: str) -> tuple[Tensor, Tensor]:
    """Return the noise and the z_0 that follow from a prediction for z_t, given alpha_bar_t; all have z_t's shape."""
    if prediction == VELOCITY:
        return alpha.sqrt() * output + (1 - alpha).sqrt() * noisy, alpha.sqrt() * noisy - (1 - alpha).sqrt() * output
    return output, (noisy - (1 - alpha).sqrt() * output) / alpha.sqrt()


def as_prediction(noise: Tensor, noisy: Tensor, alpha: Tensor, prediction: str) -> Tensor:
    """Return the prediction that stands for a noise: the inverse of `split_prediction`."""
    return (noise - (1 - alpha).sqrt() * noisy) / alpha.sqrt() if prediction == VELOCITY else noise


def _velocity_loss(
    predictor: Any, example: Example, schedule: NoiseSchedule, noise: Tensor, timesteps: Tensor
) -> Tensor:
    noisy = schedule.add_noise(example.target, noise, timesteps)
    alpha = schedule.alphas.to(noisy)[timesteps].reshape(-1, 1, 1, 1)
    velocity = alpha.sqrt() * noise - (1 - alpha).sqrt() * example.target
    return mse_loss(predictor(noisy, timesteps, example.text, example.condition).float(), velocity.float())
