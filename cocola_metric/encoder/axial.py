"""The backbone of PHALAR: separate residual convolutions along frequency, along time and across channels."""

import torch
from torch import Tensor, nn

LEVELS = 5
FIRST_WIDTH = 8
LAST_WIDTH = 60
PIECE = 150_000  # numbers that the cache of a processor core holds with room to spare
FIRST_SCALE = 0.1  # factor of each residual part before training, so that the network starts near its skip connections


class Scale(nn.Module):
    """A learned factor for each channel: (B, C, R, T) -> the same."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((channels,), FIRST_SCALE))

    def forward(self, maps: Tensor) -> Tensor:
        """Return the scaled maps."""
        return maps * self.weight[:, None, None]


class ResidualPart(nn.Sequential):
    """Maps plus what norm, convolution, SiLU, 1x1 convolution and scale make of them: (B, C, R, T) -> the same."""

    def __init__(self, channels: int, convolution: nn.Conv2d, dropout: float) -> None:
        super().__init__(
            nn.GroupNorm(channels, channels),
            convolution,
            nn.SiLU(),
            nn.Conv2d(convolution.out_channels, channels, 1, bias=False),
            Scale(channels),
            nn.Dropout(dropout),
        )

    def forward(self, maps: Tensor) -> Tensor:
        """Return the maps with what is added to them."""
        norm, convolution, _, narrowing, scale, dropout = self
        heard = convolution(norm(maps))
        heard = nn.functional.silu(heard, inplace=not heard.requires_grad)  # new memory costs more than the function
        added: Tensor = dropout(scale(narrowing(heard)))
        return maps + added

    def add_to(self, maps: Tensor) -> None:
        """Add the same to maps in place, up to rounding, for inference.

        The scale goes into the 1x1 convolution, and the sum into its product. The wide maps across channels are made
        and used a piece at a time, so that they stay in the cache.
        """
        norm, convolution, _, narrowing, scale, _ = self
        assert isinstance(convolution, nn.Conv2d) and convolution.bias is not None
        assert isinstance(narrowing, nn.Conv2d) and isinstance(scale, Scale)
        normed, narrow = norm(maps), narrowing.weight.flatten(1) * scale.weight[:, None]
        if convolution.kernel_size != (1, 1):
            heard = nn.functional.silu(convolution(normed), inplace=True)
            for total, clip in zip(_flat(maps), _flat(heard), strict=True):
                total.addmm_(narrow, clip)
            return
        wide, bias = convolution.weight.flatten(1), convolution.bias[:, None]
        for total, clip in zip(_flat(maps), _flat(normed), strict=True):
            for part, heard in zip(total.split(PIECE // len(wide), 1), clip.split(PIECE // len(wide), 1), strict=True):
                part.addmm_(narrow, nn.functional.silu(torch.addmm(bias, wide, heard), inplace=True))


def _flat(maps: Tensor) -> Tensor:
    """Return a view of maps: (B, C, R, T) -> (B, C, R T)."""
    return maps.view(*maps.shape[:2], -1)


class AxialBlock(nn.Module):
    """Three residual parts: along frequency, along time and across channels. A block that widens halves the frames.

    Shape:
        (B, C, R, T) -> (B, C, R, T), or (B, C', R, ceil(T / 2)) with ``wider`` = C'.
    """

    def __init__(self, channels: int, *, wider: int | None = None, dropout: float = 0.0) -> None:
        super().__init__()
        self.frequency = ResidualPart(channels, nn.Conv2d(channels, channels, (3, 1), padding=(1, 0)), dropout)
        self.time = ResidualPart(channels, nn.Conv2d(channels, channels, (1, 3), padding=(0, 1)), dropout)
        self.across = ResidualPart(channels, nn.Conv2d(channels, 2 * channels, 1), dropout)
        self.compression = (
            nn.Conv2d(channels, wider, (1, 3), stride=(1, 2), padding=(0, 1), bias=False) if wider else nn.Identity()
        )

    def forward(self, maps: Tensor) -> Tensor:
        """Return the block's maps."""
        for part in (self.frequency, self.time, self.across):
            maps = part(maps)
        compressed: Tensor = self.compression(maps)
        return compressed

    def overwrite(self, maps: Tensor) -> Tensor:
        """Return the same, up to rounding, for inference; the maps given are overwritten."""
        for part in (self.frequency, self.time, self.across):
            part.add_to(maps)
        compressed: Tensor = self.compression(maps)
        return compressed


class AxialNetwork(nn.Module):
    """Five levels of two blocks. The first block of a level widens by half and halves the frames, and keeps all rows.

    Shape:
        (B, C, R, F) -> (B, 60, R, F / 32).
    """

    def __init__(self, channels: int, dropout: float) -> None:
        super().__init__()
        self.entry = nn.Conv2d(channels, FIRST_WIDTH, 1, bias=False)
        blocks: list[nn.Module] = []
        width = FIRST_WIDTH
        for _ in range(LEVELS):
            wider = width * 3 // 2
            blocks += [AxialBlock(width, wider=wider, dropout=dropout), AxialBlock(wider, dropout=dropout)]
            width = wider
        self.blocks = nn.Sequential(*blocks)

    def forward(self, features: Tensor) -> Tensor:
        """Return the maps of the last level."""
        maps: Tensor = self.entry(features)
        overwriting = self._may_overwrite(features)
        for block in self.blocks:
            assert isinstance(block, AxialBlock)
            maps = block.overwrite(maps) if overwriting else block(maps)
        return maps

    def _may_overwrite(self, features: Tensor) -> bool:
        """Tell whether inference may take the quick way: on a CPU, where no image is constant.

        The norms magnify the rounding of constant maps, those of digital silence. Embeddings of silence agree with the
        original's only where every layer rounds as its layers do.
        """
        if torch.is_grad_enabled() or self.training or features.device.type != "cpu":
            return False
        if torch.is_autocast_enabled("cpu"):
            return False
        return bool((features.amax((1, 2, 3)) > features.amin((1, 2, 3))).all())
