"""The ControlNet adapter C_psi of CompoNet (section 3.3): a copy of the U-Net's encoder that reads the input mix."""

import copy
from typing import Any, NamedTuple

from torch import Tensor, nn

from .unet import Text, check_supported, encode


class Residuals(NamedTuple):
    """The features that the adapter adds to those of the U-Net: conv_i(C_i), for each skip and for the bottleneck."""

    skips: tuple[Tensor, ...]
    bottleneck: Tensor


class Adapter(nn.Module):
    """A trainable copy of the encoder and the bottleneck of a U-Net, behind zero-initialised convolutions.

    The parameters have the names of the released checkpoints. Paper and released code differ in two points. The paper's
    conv_in(w) starts at zero, the code's at random (``zero_init_condition=False``). The paper's formula sums the
    features of the encoder; the code, and this module, also sum those of the bottleneck.

    Args:
        unet: stock U-Net of AudioLDM2; its weights are copied.
        zero_init_condition: start of conv_in(w): zero, or random. Either way the adapter adds nothing before its first
            step.
    """

    def __init__(self, unet: Any, *, zero_init_condition: bool = True) -> None:
        super().__init__()
        check_supported(unet)
        for part in ("conv_in", "time_proj", "time_embedding", "down_blocks", "mid_block"):
            setattr(self, part, copy.deepcopy(getattr(unet, part)))
        first = unet.conv_in
        self.controlnet_cond_embedding = nn.Conv2d(first.in_channels, first.out_channels, 3, padding=1).to(first.weight)
        if zero_init_condition:
            _set_to_zero(self.controlnet_cond_embedding)
        channels = _skip_channels(unet)
        self.controlnet_down_blocks = nn.ModuleList([_zero_convolution(width, first.weight) for width in channels])
        self.controlnet_mid_block = _zero_convolution(channels[-1], first.weight)
        self.requires_grad_(True)

    def forward(
        self, latents: Tensor, timestep: Tensor | float, text: Text, condition: Tensor, *, recompute: bool = False
    ) -> Residuals:
        """Return the features to add to the U-Net, from the noisy latents z_t and the latents w of the input mix.

        Shape:
            (B, 8, T, 16), () or (B,), text of B prompts, (B, 8, T, 16) -> features of each skip and of the bottleneck.
        """
        added = self.controlnet_cond_embedding(condition)
        encoded = encode(self, latents, timestep, text, added=added, recompute=recompute)
        convolved = zip(self.controlnet_down_blocks, encoded.skips, strict=True)
        skips = tuple(convolution(features) for convolution, features in convolved)
        return Residuals(skips, self.controlnet_mid_block(encoded.bottleneck))


def _skip_channels(unet: Any) -> list[int]:
    """Return the width of each skip: one for conv_in, one for each ResNet, one for each downsampler."""
    channels = [unet.conv_in.out_channels]
    for block in unet.down_blocks:
        channels += [layer.out_channels for layer in (*block.resnets, *(block.downsamplers or ()))]
    return channels


def _zero_convolution(channels: int, like: Tensor) -> nn.Conv2d:
    return _set_to_zero(nn.Conv2d(channels, channels, 1)).to(like)


def _set_to_zero(convolution: nn.Conv2d) -> nn.Conv2d:
    for parameter in convolution.parameters():
        nn.init.zeros_(parameter)
    return convolution
