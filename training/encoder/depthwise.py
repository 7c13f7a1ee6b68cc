"""Depthwise convolutions in bfloat16 on a CPU, whose gradients torch computes many times slower than in float32."""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.amp import custom_bwd, custom_fwd
from torch.nn import functional
from torch.nn.grad import conv2d_input, conv2d_weight


class _DepthwiseConvolution(torch.autograd.Function):
    """A depthwise convolution; gradients that are slow in bfloat16 are computed in float32."""

    @staticmethod
    @custom_fwd(device_type="cpu", cast_inputs=torch.bfloat16)  # type: ignore[untyped-decorator]
    def forward(ctx: Any, images: Tensor, weight: Tensor, stride: tuple[int, int], padding: tuple[int, int]) -> Tensor:
        ctx.save_for_backward(images, weight)
        ctx.options = {"stride": stride, "padding": padding, "groups": len(weight)}
        return functional.conv2d(images, weight, **ctx.options)

    @staticmethod
    @custom_bwd(device_type="cpu")  # type: ignore[untyped-decorator]
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None, None]:
        images, weight = ctx.saved_tensors
        exact = gradients[0].float()
        of_weight = conv2d_weight(images.float(), weight.shape, exact, **ctx.options)
        if ctx.options["stride"] == (1, 1):
            of_images = conv2d_input(images.shape, weight, gradients[0], **ctx.options)
        else:
            of_images = conv2d_input(images.shape, weight.float(), exact, **ctx.options).to(images.dtype)
        return of_images, of_weight, None, None


def quicken_depthwise(model: nn.Module) -> None:
    """Let the depthwise convolutions of a model on a CPU compute their gradients in the faster type.

    Values stay those of the model's precision. Convolutions of 3 x 3 without a stride are fast in both; those of this
    package have no bias.
    """
    for module in model.modules():
        depthwise = isinstance(module, nn.Conv2d) and module.groups == module.in_channels == module.out_channels > 1
        if depthwise and module.bias is None and (module.kernel_size, module.stride) != ((3, 3), (1, 1)):
            # what torch's Conv2d calls, behind the padding of a subclass
            module._conv_forward = partial(_convolve, module)


def _convolve(module: nn.Conv2d, images: Tensor, weight: Tensor, _: None) -> Tensor:
    convolved: Tensor = _DepthwiseConvolution.apply(images, weight, module.stride, module.padding)
    return convolved
