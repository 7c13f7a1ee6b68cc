"""A verdict on one side alone, whether it is noise, and its part of the similarity."""

import torch
from torch import Tensor, nn

PENALTY = 15.0  # what a side that is noise takes off the similarity before training


class NoiseVerdict(nn.Module):
    """A verdict on one side alone: how likely it is noise. Phasors of unit norm have no place for one.

    Shape:
        (B, W) -> (B, 2): a one, and the probability that this side is noise.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.logit = nn.Linear(width, 1)

    def forward(self, readings: Tensor) -> Tensor:
        """Return the verdict."""
        probability = torch.sigmoid(self.logit(readings))
        return torch.cat([torch.ones_like(probability), probability], dim=-1)


class NoiseForm(nn.Module):
    """The form -penalty (p_x + p_y) of two verdicts (1, p): a side that is noise takes the penalty off.

    Shape:
        (..., 2) -> the same: the left side of an inner product with y.
    """

    def __init__(self) -> None:
        super().__init__()
        self.penalty = nn.Parameter(torch.tensor(PENALTY))

    def forward(self, verdict: Tensor) -> Tensor:
        """Return (-penalty p, -penalty)."""
        return -self.penalty * verdict.flip(-1)
