"""From a backbone's maps to one vector: plain averages, or phasors, which keep time."""

import torch
from torch import Tensor, nn

READINGS = 80
COMPONENTS = 8
LEAST_STEPS = 19
TINY = 1e-8


class AveragePooling(nn.Module):
    """The average over rows and time: (B, C, R, T) -> (B, C)."""

    def __init__(self, channels: int, rows: int) -> None:
        super().__init__()
        self.width = channels

    def forward(self, maps: Tensor) -> Tensor:
        """Return the averages."""
        return maps.mean((2, 3))


class SpectralPooling(nn.Module):
    """Fourier series over time of learned readings of the maps; a shift of the music turns their phasors.

    All rows and channels of a time step give 80 numbers. The phasors of 1 to 8 periods per window of each number are
    kept. Their magnitudes are relative to the mean over all.

    Shape:
        (B, C, R, T) -> (B, W), W / 2 = 640 real parts, then as many imaginary ones.
    """

    def __init__(self, channels: int, rows: int) -> None:
        super().__init__()
        self.reading = nn.Linear(rows * channels, READINGS, bias=False)
        self.width = 2 * READINGS * COMPONENTS

    def forward(self, maps: Tensor) -> Tensor:
        """Return the phasors."""
        steps = self.reading(maps.permute(0, 3, 2, 1).flatten(2)).float()  # (B, T, 80), of rows times channels
        missing = max(0, LEAST_STEPS - steps.shape[1])
        padded = nn.functional.pad(steps.transpose(1, 2), (missing // 2, missing - missing // 2))
        phasors = torch.fft.rfft(padded, norm="ortho")[..., 1 : COMPONENTS + 1].flatten(1)
        parts = torch.stack([phasors.real, phasors.imag], 1)  # (B, 2, 640)
        magnitude = parts.square().sum(1, keepdim=True).clamp(min=TINY**2).sqrt().mean(2, keepdim=True)
        return (parts / magnitude.clamp(min=TINY)).flatten(1)
