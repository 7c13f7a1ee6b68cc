"""MSDM's 1-D U-Net over the waveforms of several stems, with the parameter names of its released weights.

The network is that of audio-diffusion-pytorch 0.0.43, as MSDM configures it: ResNet blocks that a time embedding
modulates, transformers in the deepest levels, and samples folded into channels before all else.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cocola_metric.errors import UsageError

from .blocks import Attention, Fourier, ResNet, Transformer

SKIP_SCALE = 2**-0.5


@dataclass(frozen=True)
class UNetConfig:
    """Sizes of the U-Net; the defaults are those of the released weights, 405,497,700 parameters.

    Attributes:
        stems: number of channels of audio, one per stem.
        channels: width of the first level; the time embedding is four times as wide.
        multipliers: multiples of ``channels``, at the input and below each level.
        factors: factors of downsampling, one per level.
        blocks: numbers of ResNet blocks, one per level.
        attentions: flags of the levels that have a transformer; the bottleneck always has attention.
        heads: number of heads of attention.
        head_channels: width of each head.
        expansion: factor of the width in the transformers' feed-forward part.
        patch: number of samples folded into channels.
        groups: number of groups of GroupNorm.
    """

    stems: int = 4
    channels: int = 256
    multipliers: tuple[int, ...] = (1, 2, 4, 4, 4, 4, 4)
    factors: tuple[int, ...] = (4, 4, 4, 2, 2, 2)
    blocks: tuple[int, ...] = (2, 2, 2, 2, 2, 2)
    attentions: tuple[bool, ...] = (False, False, False, True, True, True)
    heads: int = 8
    head_channels: int = 128
    expansion: int = 2
    patch: int = 16
    groups: int = 8

    def __post_init__(self) -> None:
        levels = len(self.factors)
        if not len(self.multipliers) - 1 == len(self.blocks) == len(self.attentions) == levels:
            raise UsageError(
                f"{levels} factors need as many blocks and attentions and one multiplier more; got {len(self.blocks)}, "
                f"{len(self.attentions)} and {len(self.multipliers)}"
            )
        widths = [self.channels * multiplier for multiplier in self.multipliers]
        if self.channels % self.patch or any(width % self.groups for width in widths[1:]):
            raise UsageError(
                f"the first width must be a multiple of patch={self.patch}, "
                f"the others of groups={self.groups}; got {widths}"
            )
        patch_groups = min(self.patch, self.stems)
        if self.stems % patch_groups or self.channels // self.patch % patch_groups:
            raise UsageError(f"channels must be a multiple of {self.patch * patch_groups}; got {self.channels}")

    @property
    def stride(self) -> int:
        """Number of samples that a length must be a multiple of."""
        return self.patch * math.prod(self.factors)


class UNet(nn.Module):
    """The network F of the preconditioned denoiser; see `msdm.MSDM`."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        widths = [config.channels * multiplier for multiplier in config.multipliers]
        features = 4 * config.channels
        self.config = config
        self.to_mapping = nn.Sequential(
            nn.Linear(features, features), nn.GELU(), nn.Linear(features, features), nn.GELU()
        )
        embedding = nn.Sequential(Fourier(config.channels), nn.Linear(config.channels + 1, features))
        self.to_time = nn.Sequential(embedding, nn.GELU())
        inner = config.channels // config.patch
        self.to_in = _Patcher(ResNet(config.stems, inner, features, min(config.patch, config.stems)))
        levels = list(zip(widths[:-1], widths[1:], range(len(config.factors)), strict=True))
        self.downsamples = nn.ModuleList(_Down(upper, lower, level, features, config) for upper, lower, level in levels)
        self.bottleneck = _Bottleneck(widths[-1], features, config)
        self.upsamples = nn.ModuleList(
            _Up(lower, upper, level, features, config) for upper, lower, level in reversed(levels)
        )
        self.to_out = _Patcher(ResNet(inner, config.stems, features, min(config.patch, config.stems)))

    def forward(self, x: Tensor, time: Tensor, condition: Tensor | None = None) -> Tensor:
        """Apply the network.

        Args:
            x: noisy stems, scaled.
            time: time of each item; for MSDM a quarter of the logarithm of its noise level.
            condition: embedding that is added to that of the time, as GMSDI does for tags.

        Shape:
            (B, N, L), (B,), (B, 4 ``config.channels``) -> (B, N, L), L a multiple of ``config.stride``.
        """
        embedded = self.to_time(time)
        mapping = self.to_mapping(embedded if condition is None else embedded + condition)
        patches = _fold(self.to_in(x, mapping), self.config.patch)  # (B, C, L / patch)
        h, skips = patches, []
        for down in self.downsamples:
            h, made = down(h, mapping)
            skips.append(made)
        h = self.bottleneck(h, mapping)
        for up in self.upsamples:
            h = up(h, skips.pop(), mapping)
        output: Tensor = self.to_out(_unfold(h + patches, self.config.patch), mapping)
        return output


def _fold(x: Tensor, patch: int) -> Tensor:
    """(B, C, L) -> (B, C * patch, L / patch); the samples of one channel stay next to each other."""
    batch, channels, length = x.shape
    return x.view(batch, channels, length // patch, patch).transpose(2, 3).reshape(batch, channels * patch, -1)


def _unfold(x: Tensor, patch: int) -> Tensor:
    """The inverse of `_fold`."""
    batch, channels, length = x.shape
    return x.view(batch, channels // patch, patch, length).transpose(2, 3).reshape(batch, channels // patch, -1)


class _Patcher(nn.Module):
    """The one ResNet block before folding, or after unfolding; its names are nested as in the released weights."""

    def __init__(self, block: ResNet) -> None:
        super().__init__()
        nested = nn.ModuleDict({"block": block})
        self.module_list = nn.ModuleList([nested])

    def forward(self, x: Tensor, mapping: Tensor) -> Tensor:
        (nested,) = self.module_list
        output: Tensor = nested.get_submodule("block")(x, mapping)
        return output


class _Bottleneck(nn.Module):
    def __init__(self, channels: int, features: int, config: UNetConfig) -> None:
        super().__init__()
        self.pre_block = ResNet(channels, channels, features, config.groups)
        self.attention = Attention(channels, config.heads, config.head_channels)
        self.post_block = ResNet(channels, channels, features, config.groups)

    def forward(self, x: Tensor, mapping: Tensor) -> Tensor:
        x = self.attention(self.pre_block(x, mapping).transpose(1, 2)).transpose(1, 2)
        output: Tensor = self.post_block(x, mapping)
        return output


class _Down(nn.Module):
    """A level on the way down; it also returns the skips to the level of the same depth on the way up."""

    def __init__(self, channels: int, out_channels: int, level: int, features: int, config: UNetConfig) -> None:
        super().__init__()
        factor = config.factors[level]
        self.downsample = nn.Conv1d(channels, out_channels, 2 * factor + 1, stride=factor, padding=factor)
        self.blocks = nn.ModuleList(
            ResNet(out_channels, out_channels, features, config.groups) for _ in range(config.blocks[level])
        )
        self.transformer = (
            Transformer(out_channels, config.heads, config.head_channels, config.expansion)
            if config.attentions[level]
            else None
        )

    def forward(self, x: Tensor, mapping: Tensor) -> tuple[Tensor, list[Tensor]]:
        x, skips = self.downsample(x), []
        for block in self.blocks:
            x = block(x, mapping)
            skips.append(x)
        if self.transformer is not None:
            x = self.transformer(x)
            skips.append(x)
        return x, skips


class _Up(nn.Module):
    def __init__(self, channels: int, out_channels: int, level: int, features: int, config: UNetConfig) -> None:
        super().__init__()
        factor, attends = config.factors[level], config.attentions[level]
        self.blocks = nn.ModuleList(
            ResNet(2 * channels, channels, features, config.groups) for _ in range(config.blocks[level] + attends)
        )
        self.transformer = (
            Transformer(channels, config.heads, config.head_channels, config.expansion) if attends else None
        )
        self.upsample: nn.Module = (
            nn.Conv1d(channels, out_channels, 3, padding=1)
            if factor == 1
            else nn.ConvTranspose1d(
                channels,
                out_channels,
                2 * factor,
                stride=factor,
                padding=factor // 2 + factor % 2,
                output_padding=factor % 2,
            )
        )

    def forward(self, x: Tensor, skips: Sequence[Tensor], mapping: Tensor) -> Tensor:
        for block, skip in zip(self.blocks, reversed(skips), strict=True):
            x = block(torch.cat([x, SKIP_SCALE * skip], dim=1), mapping)
        if self.transformer is not None:
            x = self.transformer(x)
        output: Tensor = self.upsample(x)
        return output
