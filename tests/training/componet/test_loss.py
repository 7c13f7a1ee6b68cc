"""Noise as AudioLDM2's scheduler adds it, a loss that falls, a validation loss that repeats itself."""

import pytest
import torch
from tiny_audioldm2 import diffusers, random_latents, random_text, small_unet

from cocola_metric.training.componet.loss import Example, NoiseSchedule, training_loss, validation_loss
from cocola_metric.training.componet.network import CompoNet
from cocola_metric.training.componet.pipeline import SCHEDULER


@pytest.fixture(scope="module")
def schedule() -> NoiseSchedule:
    return NoiseSchedule(diffusers.DDIMScheduler(**SCHEDULER).alphas_cumprod)


def example(batch: int = 2) -> Example:
    return Example(random_latents(batch), random_latents(batch, seed=8), random_text(batch))


def test_noise_is_added_as_the_scheduler_does(schedule: NoiseSchedule) -> None:
    latents, noise, steps = random_latents(3), random_latents(3, seed=1), torch.tensor([0, 500, 999])
    theirs = diffusers.DDIMScheduler(**SCHEDULER).add_noise(latents, noise, steps)
    torch.testing.assert_close(schedule.add_noise(latents, noise, steps), theirs, rtol=0, atol=1e-6)
    assert len(schedule.alphas) == 1000


def test_the_schedule_starts_and_ends_where_audioldm2s_does(schedule: NoiseSchedule) -> None:
    assert schedule.alphas[0].item() == pytest.approx(1 - 0.0015, abs=1e-6)
    assert schedule.alphas[[895, 996]].sqrt().tolist() == pytest.approx([0.031, 0.012], abs=5e-4)


def test_the_loss_is_the_mean_square_of_what_is_missed(schedule: NoiseSchedule) -> None:
    componet = CompoNet(small_unet())
    componet.forward = lambda noisy, *_: torch.zeros_like(noisy)
    value = training_loss(componet, example(8), schedule, torch.Generator().manual_seed(1))
    assert value.item() == pytest.approx(1.0, abs=0.05)


def test_training_is_seeded_and_lowers_the_loss(schedule: NoiseSchedule) -> None:
    componet, batch = CompoNet(small_unet()), example()
    optimizer = torch.optim.Adam(componet.select_trained(), lr=3e-3)
    before = validation_loss(componet, [batch], schedule)
    seeded = [training_loss(componet, batch, schedule, torch.Generator().manual_seed(3)).item() for _ in range(2)]
    assert seeded[0] == seeded[1]
    generator = torch.Generator().manual_seed(4)
    for _ in range(12):
        optimizer.zero_grad()
        training_loss(componet, batch, schedule, generator).backward()
        optimizer.step()
    assert validation_loss(componet, [batch], schedule) < before - 0.01


def test_the_validation_loss_has_noise_of_its_own(schedule: NoiseSchedule) -> None:
    componet = CompoNet(small_unet())
    values = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        values.append(validation_loss(componet, [example(), example(3)], schedule))
    assert values[0] == values[1]
    assert values[0] != validation_loss(componet, [example(), example(3)], schedule, seed=1)


def test_validation_steps_lie_evenly_over_the_schedule(schedule: NoiseSchedule) -> None:
    componet, steps = CompoNet(small_unet()), []
    componet.forward = lambda noisy, timesteps, *_: steps.extend(timesteps.tolist()) or noisy
    validation_loss(componet, [example(10)], schedule)
    assert sorted(step // 100 for step in steps) == list(range(10))
