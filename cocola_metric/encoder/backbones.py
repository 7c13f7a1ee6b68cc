"""The networks between a front end's images and the projection of an encoder (section 4.2)."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from .axial import LAST_WIDTH, AxialNetwork
from .noise_verdict import NoiseVerdict
from .phasor_sizes import NARROW, VERDICT_WIDTH, WIDE, PhasorSizes
from .phasors import PitchPhasors, TimePhasors


class StaticPadConv2d(nn.Conv2d):
    """A stride-2 convolution padded on the right and bottom only, as the original backbone pads it.

    The original computes its padding once, for a 224 x 224 image, and keeps it for every input size.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Pad by (k - 2) // 2 before and (k - 1) // 2 after on both axes, then convolve."""
        before, after = (self.kernel_size[0] - 2) // 2, (self.kernel_size[0] - 1) // 2
        return super().forward(nn.functional.pad(input, (before, after, before, after)))


class ProductSiLU(nn.SiLU):
    """SiLU as the original rounds it: the sigmoid, then the product with it.

    torch's own function rounds once; after the 49 of this network, embeddings differ by up to 1.3e-5. Training, which
    would keep both factors for the gradient, uses torch's.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return x sigmoid(x)."""
        if self.training or torch.compiler.is_compiling():  # graphs keep torch's own
            return super().forward(input)
        return input * input.sigmoid() if input.requires_grad else input.sigmoid().mul_(input)


class TrunkMaps(NamedTuple):
    """The maps of an EfficientNet-B0 on images, from which heads read.

    Attributes:
        quarter: map at 1/4 of the resolution, (B, 24, 32, F / 4); on `pitch_onset` images one step is 80 ms.
        eighth: map at 1/8 of the resolution, (B, 40, 16, F / 8).
        last: map at 1/32 of the resolution, (B, 320, 4, F / 32).
        average: features averaged over the whole image, (B, 1280).
    """

    quarter: Tensor
    eighth: Tensor
    last: Tensor
    average: Tensor


class PlacedEfficientNet(nn.Module):
    """EfficientNet-B0 whose output also tells the time and the pitch of its features.

    The paper's encoder keeps only the average over the whole image, which hardly tells one beat or one key from
    another. Three more readings of the same network's maps keep time and pitch:

    - time: the map at 1/8 of the resolution, all rows together, as a Fourier series over time, up to 3 Hz;
    - pitch: the same map, averaged over time, row by row;
    - both: the last map, row by row, as a Fourier series up to 0.6 Hz.

    The series are taken at fixed frequencies, so that their size does not depend on the length of a window. The images
    must be those of `pitch_onset`, which have 128 rows and frames of 20 ms.

    Shape:
        (B, C, 128, F) -> (B, W).
    """

    seconds_per_frame = 0.02
    rows = 128
    time_channels, pitch_channels, both_channels = 24, 48, 24
    lowest_hz = 0.2
    time_harmonics, both_harmonics = 15, 3

    def __init__(self, network: Any) -> None:
        """Take a timm EfficientNet-B0."""
        super().__init__()
        self.network = network
        rows = self.rows // 8
        self.time = _reading(40, self.time_channels, (rows, 1))
        self.pitch = _reading(40, self.pitch_channels, (1, 1))
        self.both = _reading(320, self.both_channels, (1, 1))
        self.width = (
            network.num_features
            + self.time_channels * (2 * self.time_harmonics + 1)
            + self.pitch_channels * rows
            + self.both_channels * (2 * self.both_harmonics + 1) * rows // 4
        )
        self.norm = nn.BatchNorm1d(self.width)

    def forward(self, images: Tensor) -> Tensor:
        """Return the average and the three readings."""
        return self.read(images, self.maps(images))

    def maps(self, images: Tensor) -> TrunkMaps:
        """Return the maps of images."""
        network = self.network
        quarter = network.bn1(network.conv_stem(images))
        for stage in network.blocks[:2]:
            quarter = stage(quarter)
        eighth = network.blocks[2](quarter)
        last = eighth
        for stage in network.blocks[3:]:
            last = stage(last)
        return TrunkMaps(quarter, eighth, last, network.global_pool(network.bn2(network.conv_head(last))))

    def read(self, images: Tensor, maps: TrunkMaps) -> Tensor:
        """Return the output, from images and their maps."""
        return self.readings(images, maps)

    def readings(self, images: Tensor, maps: TrunkMaps) -> Tensor:
        """Return the average and the three readings, from images and their maps: (B, W)."""
        time = self._series(self.time(maps.eighth).float(), 8, self.time_harmonics)
        pitch = self.pitch(maps.eighth).float().mean(-1)
        both = self._series(self.both(maps.last).float(), 32, self.both_harmonics)
        readings = [maps.average.float(), time.flatten(1), pitch.flatten(1), both.flatten(1)]
        normed: Tensor = self.norm(torch.cat(readings, dim=1))
        return normed

    def _series(self, values: Tensor, stride: int, harmonics: int) -> Tensor:
        """Return the Fourier coefficients of a map over time: (B, C, R, T) -> (B, C, R, 2 H + 1)."""
        frames = torch.arange(values.shape[-1], dtype=values.dtype, device=values.device)
        seconds = (frames + 0.5) * stride * self.seconds_per_frame
        hertz = self.lowest_hz * torch.arange(1, harmonics + 1, dtype=values.dtype, device=values.device)
        angles = 2 * math.pi * seconds[:, None] * hertz
        waves = torch.cat([torch.ones_like(seconds)[:, None], angles.cos(), angles.sin()], dim=1)
        with torch.autocast(values.device.type, enabled=False):
            return values @ waves / values.shape[-1]


class PhasorEfficientNet(PlacedEfficientNet):
    """EfficientNet-B0 whose output ends in phasors over time and pitch; see `phasors.py`.

    Shape:
        (B, C, 128, F) -> (B, W + P): W numbers for the projection, then P numbers of phasors, before them two of a
        verdict on noise if there is one; the projection leaves these as they are.

    Attributes:
        phasor_width: P, the number of real numbers that the projection leaves.
        sizes: numbers of channels of the phasors.
        verdict: verdict on noise, or None.
    """

    def __init__(
        self,
        network: Any,
        *,
        places: bool = False,
        pitch: bool = True,
        sizes: PhasorSizes = NARROW,
        noise: bool = False,
    ) -> None:
        """Take a timm EfficientNet-B0.

        Args:
            network: EfficientNet-B0 of timm.
            places: True adds the readings of `PlacedEfficientNet`.
            pitch: True adds phasors over pitch.
            sizes: numbers of channels of the phasors.
            noise: True adds a verdict on noise.
        """
        super().__init__(network)
        self.places = places
        if not places:
            del self.time, self.pitch, self.both
            self.width = network.num_features
            self.norm = nn.BatchNorm1d(self.width)
        self.sizes = sizes
        self.time_phasors = TimePhasors(sizes)
        self.pitch_phasors = PitchPhasors(sizes) if pitch else None
        self.verdict = NoiseVerdict(self.width) if noise else None
        self.phasor_width = sizes.time.width + (sizes.pitch.width if pitch else 0) + (VERDICT_WIDTH if noise else 0)

    def read(self, images: Tensor, maps: TrunkMaps) -> Tensor:
        """Return the average, readings if there are any, verdict and phasors, from images and their maps."""
        return self.complete(self.readings(images, maps), images, maps.quarter)

    def readings(self, images: Tensor, maps: TrunkMaps) -> Tensor:
        """Return the average, and the readings if there are any, from images and their maps: (B, W)."""
        normed: Tensor = super().readings(images, maps) if self.places else self.norm(maps.average.float())
        return normed

    def complete(self, readings: Tensor, images: Tensor, quarter: Tensor) -> Tensor:
        """Return readings, the verdict on noise if there is one, phasors over time, and over pitch if there are any."""
        parts = [readings]
        if self.verdict is not None:
            parts.append(self.verdict(readings))
        parts.append(self.time_phasors(images, quarter))
        if self.pitch_phasors is not None:
            parts.append(self.pitch_phasors(images))
        return torch.cat(parts, dim=1)


def _reading(channels: int, kept: int, kernel: tuple[int, int]) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, kept, kernel, bias=False), nn.BatchNorm2d(kept), nn.SiLU())


def _create(channels: int, drop_connect: float) -> Any:
    import timm  # takes two seconds to import

    return timm.create_model(
        "efficientnet_b0", in_chans=channels, num_classes=0, drop_path_rate=drop_connect, bn_eps=1e-3, bn_momentum=0.01
    )


def _efficientnet_b0(channels: int, drop_connect: float) -> tuple[nn.Module, int]:
    network = _create(channels, drop_connect)
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and module.stride == (2, 2):
            module.__class__ = StaticPadConv2d
            module.padding = (0, 0)
        elif isinstance(module, nn.SiLU):
            module.__class__ = ProductSiLU
    width: int = network.num_features
    return network, width


def _placed_efficientnet_b0(channels: int, drop_connect: float) -> tuple[nn.Module, int]:
    network = PlacedEfficientNet(_create(channels, drop_connect))
    return network, network.width


def _phasor_efficientnet_b0(channels: int, drop_connect: float, **choices: Any) -> tuple[nn.Module, int]:
    network = PhasorEfficientNet(_create(channels, drop_connect), **choices)
    return network, network.width


def _axial(channels: int, dropout: float) -> tuple[nn.Module, int]:
    return AxialNetwork(channels, dropout), LAST_WIDTH


BACKBONES: dict[str, Callable[[int, float], tuple[nn.Module, int]]] = {
    "efficientnet_b0": _efficientnet_b0,
    "placed_efficientnet_b0": _placed_efficientnet_b0,
    "phasor_efficientnet_b0": _phasor_efficientnet_b0,
    "time_phasor_efficientnet_b0": partial(_phasor_efficientnet_b0, pitch=False),
    "placed_phasor_efficientnet_b0": partial(_phasor_efficientnet_b0, places=True),
    "wide_phasor_efficientnet_b0": partial(_phasor_efficientnet_b0, sizes=WIDE),
    "placed_wide_phasor_efficientnet_b0": partial(_phasor_efficientnet_b0, places=True, sizes=WIDE),
    "placed_wide_phasor_noise_efficientnet_b0": partial(_phasor_efficientnet_b0, places=True, sizes=WIDE, noise=True),
    "axial": _axial,
}
"""Name -> function of a number of channels that returns a network and the width of its output for the projection.

A network whose output ends in phasors has their number, with that of a verdict on noise, in ``phasor_width``.
"""
IMAGES: dict[str, tuple[int, float]] = {
    name: (PlacedEfficientNet.rows, PlacedEfficientNet.seconds_per_frame)
    for name in BACKBONES
    if name.endswith("_efficientnet_b0")
}
"""Name -> rows, and seconds per frame, of the images that a network needs; the others take any."""
