"""CompoNet: a ControlNet adapter on AudioLDM2 that makes any subset of stems from any other (section 3.3)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from cocola_metric.errors import UsageError

from .adapter import Adapter
from .unet import Text, decode, encode


class CompoNet(nn.Module):
    """The noise predictor of section 3.3: D(B(E(z_t, s, t) + conv_i(C_i(z_t, s, t, w)))).

    Parameters are named as in the released checkpoints, ``unet.*`` and ``controlnet.*``. By default only the adapter is
    trained, see `select_trained`.

    Args:
        unet: stock U-Net of AudioLDM2; it is not altered.
        zero_init_condition: start of conv_in(w), as for `Adapter`.
    """

    def __init__(self, unet: nn.Module, *, zero_init_condition: bool = True) -> None:
        super().__init__()
        self.controlnet = Adapter(unet, zero_init_condition=zero_init_condition)
        self.unet = unet
        self.recompute = False
        self.select_trained()

    def select_trained(self, *, unet_attentions: bool = False) -> list[nn.Parameter]:
        """Switch gradients on for the adapter alone, and return the parameters to optimise: psi.

        Args:
            unet_attentions: choice of training the attentions of the U-Net too, as for the released Slakh2100
                checkpoint, against the paper's text.
        """
        self.unet.requires_grad_(False)
        self.controlnet.requires_grad_(True)
        for name, parameter in self.unet.named_parameters():
            parameter.requires_grad = unet_attentions and is_attention(name)
        return [parameter for parameter in self.parameters() if parameter.requires_grad]

    def forward(self, latents: Tensor, timestep: Tensor | float, text: Text, condition: Tensor) -> Tensor:
        """Predict the noise epsilon in z_t, given the latents w of the input mix.

        With ``self.recompute`` the activations of blocks are computed again in the backward pass, not kept.

        Shape:
            z_t (B, 8, T, 16), t () or (B,), text of B prompts, w (B, 8, T, 16) -> (B, 8, T, 16).

        Raises:
            UsageError: the latents of input and output differ in shape.
        """
        if condition.shape != latents.shape:
            shapes = f"{tuple(condition.shape)} and {tuple(latents.shape)}"
            raise UsageError(
                f"latents of input and output must have one shape; got {shapes}; encode both at one length"
            )
        residuals = self.controlnet(latents, timestep, text, condition, recompute=self.recompute)
        encoded = encode(self.unet, latents, timestep, text, recompute=self.recompute)
        skips = tuple(own + more for own, more in zip(encoded.skips, residuals.skips, strict=True))
        encoded = encoded._replace(skips=skips, bottleneck=encoded.bottleneck + residuals.bottleneck)
        return decode(self.unet, encoded, text, recompute=self.recompute)


def is_attention(name: str) -> bool:
    """Return whether a parameter of the U-Net belongs to its attentions.

    >>> is_attention("mid_block.attentions.0.proj_in.weight"), is_attention("down_blocks.0.resnets.0.conv1.weight")
    (True, False)
    """
    return ".attentions." in name


@contextmanager
def conditioned(pipeline: Any, componet: CompoNet, condition: Tensor) -> Iterator[Any]:
    """Make a stock AudioLDM2 pipeline generate from input mixes, one for each prompt; its own U-Net is put back after.

    Args:
        pipeline: pipeline of ``componet.unet``; several threads must not use it at once.
        componet: network that predicts the noise.
        condition: latents w, (B, 8, T, 16), for B prompts and one waveform per prompt. Pass the pipeline starting
            ``latents`` of the same shape, and ``guidance_scale=1.0``: no prompt was left out in training.
    """
    stock = pipeline.unet
    pipeline.unet = _Conditioned(componet, condition)
    try:
        yield pipeline
    finally:
        pipeline.unet = stock


class _Conditioned(nn.Module):
    """A stand-in for the pipeline's U-Net."""

    def __init__(self, componet: CompoNet, condition: Tensor) -> None:
        super().__init__()
        self.componet = componet
        self.condition = condition

    @property
    def config(self) -> Any:
        return self.componet.unet.config

    @property
    def dtype(self) -> torch.dtype:
        return next(self.componet.unet.parameters()).dtype

    @property
    def device(self) -> torch.device:
        return next(self.componet.unet.parameters()).device

    def forward(
        self,
        sample: Tensor,
        timestep: Tensor,
        encoder_hidden_states: Tensor,
        encoder_hidden_states_1: Tensor,
        encoder_attention_mask_1: Tensor | None = None,
        return_dict: bool = False,
    ) -> tuple[Tensor]:
        """Predict the noise; with guidance the pipeline repeats its batch, and the input mixes are repeated with it."""
        text = Text(encoder_hidden_states, encoder_hidden_states_1, encoder_attention_mask_1)
        times = max(1, len(sample) // len(self.condition))
        condition = self.condition.to(sample).repeat(times, 1, 1, 1)
        return (self.componet(sample, timestep, text, condition),)
