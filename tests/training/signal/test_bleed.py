"""Bleed: the level as asked for, the way it leaks, and nothing else."""

import math

import pytest
import torch

from cocola_metric.audio import SAMPLE_RATE
from cocola_metric.training.signal import BLEEDS, bleed_stems, leak
from cocola_metric.training.signal.bleed import MOST_GAIN, through_air, through_mask

LENGTH = SAMPLE_RATE


def noises(count: int) -> torch.Tensor:
    return 0.1 * torch.randn(count, LENGTH, generator=torch.Generator().manual_seed(0))


def tone(hertz: float) -> torch.Tensor:
    return 0.1 * torch.sin(2 * math.pi * hertz * torch.arange(LENGTH) / SAMPLE_RATE)


def power_db(waveforms: torch.Tensor) -> torch.Tensor:
    return 10 * waveforms.square().mean(-1).log10()


def test_plain_bleed_is_the_others_quieter() -> None:
    first, second, third = stems = noises(3)
    bled = bleed_stems(stems, torch.tensor([-20.0, -6.0, -200.0]))
    torch.testing.assert_close(bled[0], first + 0.1 * (second + third))
    torch.testing.assert_close(bled[1], second + 10 ** (-6 / 20) * (first + third))
    torch.testing.assert_close(bled[2], third)


@pytest.mark.parametrize("kind", BLEEDS)
def test_what_leaks_has_the_level_asked_for(kind: str) -> None:
    stems, levels = noises(4), torch.tensor([-30.0, -20.0, -10.0, -3.0])
    delays = torch.tensor([[0.005, 2000.0]]).expand(4, -1)
    leaked = bleed_stems(stems, levels, kind, delays) - stems
    others = stems.sum(0) - stems
    torch.testing.assert_close(power_db(leaked) - power_db(others), levels, atol=0.01, rtol=0)


def test_air_delays_and_dulls() -> None:
    click = torch.zeros(2, LENGTH)
    click[:, 100] = 1.0
    heard = through_air(click, torch.tensor([[0.01, 1e9], [0.02, 1e9]]))
    assert heard.argmax(-1).tolist() == [100 + 160, 100 + 320]
    assert heard[:, :100].abs().max() < 1e-4
    tones = torch.stack([tone(250), tone(4000)])
    heard = through_air(tones, torch.tensor([[0.001, 1000.0]]).expand(2, -1))
    lost = (power_db(heard[:, 2000:]) - power_db(tones[:, 2000:])).tolist()
    assert lost == pytest.approx([-10 * math.log10(1 + 1 / 16), -10 * math.log10(17)], abs=0.1)


def test_a_mask_lets_pass_what_lies_under_the_stem() -> None:
    """Of two tones the stem covers one; the other does not pass."""
    low, high = tone(400), tone(3000)
    passed = through_mask((low + high)[None], 10 * low[None])[0]
    inside = slice(2000, -2000)
    torch.testing.assert_close(passed[inside], low[inside], atol=2e-3, rtol=0)
    assert not through_mask(low[None], torch.zeros(1, LENGTH)).any()


def test_a_leak_that_hardly_passes_stays_quiet() -> None:
    low, high = tone(400)[None], tone(3000)[None]
    assert power_db(leak(low, high, "separator")) < power_db(low) - 10
    passed = through_mask(low, high)
    torch.testing.assert_close(leak(low, high, "separator"), MOST_GAIN * passed, rtol=1e-3, atol=1e-6)
