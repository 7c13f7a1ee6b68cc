"""The U-Net of AudioLDM2 in two halves, so that features can be added in between (section 3.3: E and B, then D).

The blocks are those of the stock diffusers model; only the order in which they run is written here.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from cocola_metric.errors import UsageError

from .pipeline import require_diffusers

LARGE: dict[str, Any] = {  # cvssp/audioldm2-large; the place of a width in cross_attention_dim decides its text stream
    "sample_size": 256,
    "in_channels": 8,
    "out_channels": 8,
    "block_out_channels": (128, 256, 384, 640),
    "layers_per_block": 2,
    "down_block_types": ("DownBlock2D", *["CrossAttnDownBlock2D"] * 3),
    "up_block_types": (*["CrossAttnUpBlock2D"] * 3, "UpBlock2D"),
    "cross_attention_dim": ((None, 768, 1024, None),) * 4,
    "transformer_layers_per_block": 2,
    "attention_head_dim": 8,  # heads, in spite of its name
}
_UNUSED = ("class_embedding", "time_embed_act")  # options of the diffusers class that AudioLDM2 leaves off
_MASKED = -10_000.0  # added to the attention logits of padding


class Text(NamedTuple):
    """The prompts s as AudioLDM2 gets them.

    Attributes:
        generated: hidden states that GPT2 appends, (B, G, 768).
        sentence: embeddings by T5, (B, P, 1024).
        mask: 1 for tokens of the sentence and 0 for padding, (B, P).
    """

    generated: Tensor
    sentence: Tensor
    mask: Tensor | None = None


class Encoded(NamedTuple):
    """The features on the way down: the skips of each layer i, the bottleneck, and the embedding of t."""

    skips: tuple[Tensor, ...]
    bottleneck: Tensor
    time: Tensor


def build_unet(config: dict[str, Any]) -> nn.Module:
    """Return an untrained U-Net of AudioLDM2, such as ``LARGE``; on the current default device.

    Raises:
        MissingExtraError: diffusers is not installed.
    """
    unet: nn.Module = require_diffusers().AudioLDM2UNet2DConditionModel(**config)
    return unet


def check_supported(unet: nn.Module) -> None:
    """Raise a UsageError unless a module is a U-Net like AudioLDM2's."""
    parts = ("conv_in", "time_proj", "time_embedding", "down_blocks", "mid_block", "up_blocks", "conv_out")
    lacking = [part for part in parts if not hasattr(unet, part)]
    extra = [part for part in _UNUSED if getattr(unet, part, None) is not None]
    if lacking or extra:
        problem = f"lacks {', '.join(lacking)}" if lacking else f"has {', '.join(extra)}"
        raise UsageError(f"{type(unet).__name__} {problem}; pass the U-Net of an AudioLDM2 pipeline")


def encode(
    encoder: Any,
    latents: Tensor,
    timestep: Tensor | float,
    text: Text,
    *,
    added: Tensor | None = None,
    recompute: bool = False,
) -> Encoded:
    """Run the way down, E, and the bottleneck, B.

    Args:
        encoder: U-Net or adapter.
        latents: noisy latents z_t.
        timestep: step t, one for all items or one for each.
        text: embeddings of the prompts s.
        added: features added to those of the first convolution: conv_in(w).
        recompute: choice of computing activations inside blocks again in the backward pass, instead of keeping them.

    Shape:
        latents (B, 8, T, 16), timestep () or (B,), added (B, C, T, 16) -> features of each skip and of the bottleneck.
    """
    steps = torch.as_tensor(timestep, device=latents.device).expand(len(latents))
    time: Tensor = encoder.time_embedding(encoder.time_proj(steps).to(latents.dtype))
    hidden: Tensor = encoder.conv_in(latents)
    if added is not None:
        hidden = hidden + added
    skips = [hidden]
    for block in encoder.down_blocks:
        hidden, features = _run(block, recompute, hidden_states=hidden, temb=time, **_text_for(block, text, hidden))
        skips += features
    bottleneck: Tensor = _run(encoder.mid_block, recompute, hidden, time, **_attended(text, hidden))
    return Encoded(tuple(skips), bottleneck, time)


def decode(unet: Any, encoded: Encoded, text: Text, *, recompute: bool = False) -> Tensor:
    """Run the way up, D, and return the predicted noise, (B, 8, T, 16)."""
    skips, hidden = list(encoded.skips), encoded.bottleneck
    halves_exactly = all(side % 2**unet.num_upsamplers == 0 for side in skips[0].shape[-2:])
    for block in unet.up_blocks:
        count = len(block.resnets)
        own, skips = tuple(skips[-count:]), skips[:-count]
        hidden = _run(
            block,
            recompute,
            hidden_states=hidden,
            temb=encoded.time,
            res_hidden_states_tuple=own,
            upsample_size=None if halves_exactly or not skips else skips[-1].shape[2:],
            **_text_for(block, text, hidden),
        )
    noise: Tensor = unet.conv_out(unet.conv_act(unet.conv_norm_out(hidden)))
    return noise


def _text_for(block: Any, text: Text, hidden: Tensor) -> dict[str, Tensor | None]:
    return _attended(text, hidden) if getattr(block, "has_cross_attention", False) else {}


def _attended(text: Text, hidden: Tensor) -> dict[str, Tensor | None]:
    """Return the arguments by which a block attends to the text; GPT2's stream has no mask."""
    bias = None if text.mask is None else ((1 - text.mask.to(hidden.dtype)) * _MASKED).unsqueeze(1)
    return {
        "encoder_hidden_states": text.generated,
        "encoder_hidden_states_1": text.sentence,
        "encoder_attention_mask_1": bias,
    }


def _run(block: nn.Module, recompute: bool, *arguments: Any, **keywords: Any) -> Any:
    """Call a block, with checkpointing if asked; diffusers' own (0.42) loses the mask of the text."""
    if recompute and torch.is_grad_enabled():
        return checkpoint(block, *arguments, use_reentrant=False, **keywords)
    return block(*arguments, **keywords)
