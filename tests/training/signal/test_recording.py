"""What recordings have and rendered music lacks: tempo, rooms, overdrive."""

import math

import pytest
import torch

from cocola_metric.audio import SAMPLE_RATE
from cocola_metric.training.signal.recording import overdrive, play_unevenly, reverberate

LENGTH = SAMPLE_RATE
EVEN = torch.tensor([[0.0, 5.0, 0.0]])


def sine(hertz: float, seconds: float) -> torch.Tensor:
    return torch.sin(2 * math.pi * hertz * torch.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE)


@pytest.mark.parametrize("speed", [0.8, 1.25])
def test_a_faster_record_is_higher_and_both_sides_stay_together(speed: float) -> None:
    both = torch.stack([sine(400, 1.5), -sine(400, 1.5)])[None]
    played = play_unevenly(both, torch.tensor([speed]), EVEN, LENGTH)
    assert played.shape == (1, 2, LENGTH)
    torch.testing.assert_close(played[0, 0], -played[0, 1])
    assert played[0, 0].sign().diff().ne(0).sum() / 2 == pytest.approx(400 * speed, abs=1)
    torch.testing.assert_close(played[0, 0, 5:], sine(400 * speed, 1)[5:], atol=2e-3, rtol=0)


def test_at_its_own_speed_a_record_stays_as_it_is() -> None:
    waveforms = torch.randn(2, 2, LENGTH + 10, generator=torch.Generator().manual_seed(0))
    played = play_unevenly(waveforms, torch.ones(2), EVEN.expand(2, -1), LENGTH)
    torch.testing.assert_close(played[..., 2:], waveforms[..., 2:LENGTH], atol=1e-4, rtol=0)


def test_a_record_that_drifts_comes_back() -> None:
    ramp = torch.arange(3 * LENGTH, dtype=torch.float32).expand(1, 1, -1)
    drifting = play_unevenly(ramp, torch.ones(1), torch.tensor([[0.02, 0.5, 0.3]]), 2 * LENGTH)[0, 0]
    late = drifting - ramp[0, 0, : 2 * LENGTH]
    assert late.abs().max() > 10
    assert abs(late[LENGTH]) < 1  # two whole periods


def test_a_room_adds_what_comes_later() -> None:
    click = torch.zeros(1, 2, LENGTH)
    click[..., 100] = 1.0
    wet = 0.5
    heard = reverberate(click, torch.tensor([0.3]), torch.tensor([wet]), torch.Generator().manual_seed(0))
    torch.testing.assert_close(heard[0, 0], heard[0, 1])  # one room
    assert heard[..., :100].abs().max() < 1e-4
    assert heard[0, 0, 100] == pytest.approx(1, abs=1e-4)
    assert heard[0, 0, 101:].square().sum().sqrt() == pytest.approx(wet, rel=0.05)


def test_overdrive_bends_what_is_loud_and_keeps_what_is_not() -> None:
    waveforms = sine(200, 1).expand(2, -1)
    mild, hard = overdrive(waveforms, torch.tensor([0.01, 3.0]))
    torch.testing.assert_close(mild, waveforms[0], atol=1e-3, rtol=0)
    assert hard.abs().max() < 0.3
