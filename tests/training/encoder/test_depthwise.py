"""Depthwise convolutions in bfloat16 on a CPU: the same values, and gradients at least as exact as torch's own."""

import copy

import pytest
import torch
from torch import Tensor, nn

from cocola_metric.encoder.backbones import StaticPadConv2d
from cocola_metric.training.encoder.depthwise import quicken_depthwise

CONVOLUTIONS = {
    "5 x 5": lambda: nn.Conv2d(8, 8, 5, padding=2, groups=8, bias=False),
    "3 x 3, stride 2": lambda: nn.Conv2d(8, 8, 3, stride=2, padding=1, groups=8, bias=False),
    "5 x 5, stride 2, padded as the original": lambda: StaticPadConv2d(8, 8, 5, stride=2, groups=8, bias=False),
}


def images() -> Tensor:
    torch.manual_seed(0)
    return torch.randn(4, 8, 12, 20).contiguous(memory_format=torch.channels_last)


def gradients(module: nn.Module, *, bfloat16: bool) -> list[Tensor]:
    """Return output, gradient of the images and gradients of the parameters."""
    heard = images().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        convolved = module(heard)
    torch.manual_seed(1)
    convolved.backward(torch.randn(convolved.shape).to(convolved.dtype))
    return [convolved, heard.grad, *(parameter.grad for parameter in module.parameters())]


@pytest.mark.parametrize("kind", CONVOLUTIONS)
def test_gradients_are_at_least_as_exact_as_torchs_in_bfloat16(kind: str) -> None:
    torch.manual_seed(2)
    plain = nn.Sequential(CONVOLUTIONS[kind]())
    quick, exact = copy.deepcopy(plain), copy.deepcopy(plain)
    quicken_depthwise(quick)
    ours, theirs = gradients(quick, bfloat16=True), gradients(plain, bfloat16=True)
    assert torch.equal(ours[0], theirs[0])
    for own, other, true in zip(ours[1:], theirs[1:], gradients(exact, bfloat16=False)[1:], strict=True):
        assert own.dtype == other.dtype == torch.float32
        assert (own - true).norm() <= 1.01 * (other - true).norm() < 0.02 * true.norm()


@pytest.mark.parametrize("kind", CONVOLUTIONS)
def test_float32_stays_as_it_is(kind: str) -> None:
    torch.manual_seed(2)
    plain = nn.Sequential(CONVOLUTIONS[kind]())
    quick = copy.deepcopy(plain)
    quicken_depthwise(quick)
    for own, other in zip(gradients(quick, bfloat16=False), gradients(plain, bfloat16=False), strict=True):
        torch.testing.assert_close(own, other, atol=1e-5, rtol=1e-5)


def test_others_are_left_alone() -> None:
    dense, small = nn.Conv2d(4, 4, 5, padding=2, bias=False), nn.Conv2d(4, 4, 3, padding=1, groups=4, bias=False)
    biased = nn.Conv2d(4, 4, 5, padding=2, groups=4)
    quicken_depthwise(nn.Sequential(dense, small, biased))
    assert not any("_conv_forward" in vars(module) for module in (dense, small, biased))
