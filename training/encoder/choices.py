"""Accuracy among more than two (Eq. 8 with K = 16 or 64), without drawing who the others are."""

import torch
from torch import Tensor

CHOICES = (16, 64)
"""K: the right accompaniment and K - 1 others."""


def chances_among(better: Tensor, others: Tensor, count: int) -> Tensor:
    """Return how likely each row's own accompaniment beats all of ``count - 1`` others, drawn without replacement.

    Of n others that b are beaten of, all drawn are beaten with probability C(b, count - 1) / C(n, count - 1).

    Args:
        better: whether the row's own accompaniment scores above each.
        others: which are others to choose from.
        count: K, with the right one.

    Shape:
        (n, J), (n, J) -> (n,); NaN where there are fewer than K - 1 others.

    >>> chances_among(torch.tensor([[True, True, False]]), torch.ones(1, 3, dtype=torch.bool), 3)
    tensor([0.3333])
    """
    beaten, present = (better & others).sum(1), others.sum(1)
    drawn = torch.arange(count - 1)
    shares = (beaten[:, None] - drawn).clamp(min=0) / (present[:, None] - drawn).clamp(min=1)
    return shares.prod(1).masked_fill(present < count - 1, float("nan"))
