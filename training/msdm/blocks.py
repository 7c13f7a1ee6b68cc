"""The blocks of MSDM's U-Net: ResNet blocks that the time embedding modulates, and transformers.

Attributes are named as in the released weights.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_MANY_CHANNELS = 64


class Fourier(nn.Module):
    """Time, and sine and cosine of its products with learned frequencies: (B,) -> (B, C + 1)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.randn(channels // 2))

    def forward(self, time: Tensor) -> Tensor:
        """Embed the time of each item."""
        angles = 2 * math.pi * time[:, None] * self.weights
        return torch.cat([time[:, None], angles.sin(), angles.cos()], dim=-1)


class _Modulation(nn.Module):
    """Scale and shift of every channel from the time embedding: (B, F) -> (B, C, 1) twice."""

    def __init__(self, features: int, channels: int) -> None:
        super().__init__()
        self.to_scale_shift = nn.Sequential(nn.SiLU(), nn.Linear(features, 2 * channels))

    def forward(self, mapping: Tensor) -> tuple[Tensor, Tensor]:
        scale, shift = self.to_scale_shift(mapping)[..., None].chunk(2, dim=1)
        return scale + 1, shift


class _Convolution(nn.Module):
    """GroupNorm, modulation if given, SiLU, convolution."""

    def __init__(self, channels: int, out_channels: int, groups: int) -> None:
        super().__init__()
        self.groupnorm = nn.GroupNorm(groups, channels)
        self.project = nn.Conv1d(channels, out_channels, 3, padding=1)

    def forward(self, x: Tensor, modulation: tuple[Tensor, Tensor] | None = None) -> Tensor:
        x = self.groupnorm(x)
        if modulation is not None:
            x = torch.addcmul(modulation[1], x, modulation[0])
        output: Tensor = self.project(F.silu(x))
        return output


class _Pointwise(nn.Conv1d):
    """A convolution of one sample's width.

    Its dilation serves speed alone: on one thread torch leaves only dilated convolutions to oneDNN, which takes half
    the time if there are many channels.
    """

    def __init__(self, channels: int, out_channels: int, *, bias: bool = True) -> None:
        super().__init__(channels, out_channels, 1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        dilation = 2 if x.device.type == "cpu" and self.in_channels >= _MANY_CHANNELS else 1
        return F.conv1d(x, self.weight, self.bias, dilation=dilation)


class ResNet(nn.Module):
    """Two convolutions, the second modulated by the time embedding, and a residual."""

    def __init__(self, channels: int, out_channels: int, features: int, groups: int) -> None:
        super().__init__()
        self.block1 = _Convolution(channels, out_channels, groups)
        self.to_scale_shift = _Modulation(features, out_channels)
        self.block2 = _Convolution(out_channels, out_channels, groups)
        self.to_out = _Pointwise(channels, out_channels) if channels != out_channels else nn.Identity()

    def forward(self, x: Tensor, mapping: Tensor) -> Tensor:
        """Apply the block: (B, C, L), (B, F) -> (B, C', L)."""
        h: Tensor = self.block2(self.block1(x), self.to_scale_shift(mapping)) + self.to_out(x)
        return h


class _Norm(nn.Module):
    """LayerNorm over the last axis, (B, L, C), with a gain alone."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.g = nn.Parameter(torch.ones(shape))

    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, x.shape[-1:], self.g.flatten())


class _ChannelNorm(_Norm):
    """The same over the channels of (B, C, L)."""

    def __init__(self, channels: int) -> None:
        super().__init__(1, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.transpose(1, 2)).transpose(1, 2)


class _Heads(nn.Module):
    """The projection from the heads of attention back to the channels; the norm comes last."""

    def __init__(self, inner: int, channels: int) -> None:
        super().__init__()
        self.to_out = nn.Sequential(nn.Linear(inner, channels, bias=False), _Norm(channels))


class _SelfAttention(nn.Module):
    def __init__(self, channels: int, heads: int, head_channels: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = _Norm(channels)
        self.to_q = nn.Linear(channels, heads * head_channels, bias=False)
        self.to_kv = nn.Linear(channels, 2 * heads * head_channels, bias=False)
        self.attention = _Heads(heads * head_channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(x)
        parts = (self.to_q(x), *self.to_kv(x).chunk(2, dim=-1))
        query, key, value = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in parts)  # (B, H, L, C / H)
        heard = F.scaled_dot_product_attention(query, key, value)
        output: Tensor = self.attention.to_out(heard.transpose(1, 2).flatten(2))
        return output


class Attention(nn.Module):
    """Self-attention on (B, L, C), without a residual; a level of its own, as in the released names."""

    def __init__(self, channels: int, heads: int, head_channels: int) -> None:
        super().__init__()
        self.fn = _SelfAttention(channels, heads, head_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Attend: (B, L, C) -> (B, L, C)."""
        output: Tensor = self.fn(x)
        return output


class Transformer(nn.Module):
    """Self-attention and a feed-forward part, each with a residual."""

    def __init__(self, channels: int, heads: int, head_channels: int, expansion: int) -> None:
        super().__init__()
        inner = channels * expansion
        self.attention = Attention(channels, heads, head_channels)
        self.feed_forward = nn.Sequential(
            _ChannelNorm(channels),
            _Pointwise(channels, inner, bias=False),
            nn.GELU(),
            _ChannelNorm(inner),
            _Pointwise(inner, channels, bias=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Apply both: (B, C, L) -> (B, C, L)."""
        x = self.attention(x.transpose(1, 2)).transpose(1, 2) + x
        output: Tensor = self.feed_forward(x) + x
        return output
