"""Accuracy among K = 8, 16 or 64 accompaniments (Eq. 8), exact over all draws of the others."""

import torch
from torch import Tensor

CHOICES = (8, 16, 64)
"""Values of K: the right accompaniment and K - 1 others."""


def chances_among(better: Tensor, others: Tensor, count: int) -> Tensor:
    """Return the probability that each row's own accompaniment beats ``count - 1`` others, drawn without replacement.

    If b of n others are beaten, all that are drawn are beaten with probability C(b, count - 1) / C(n, count - 1).

    Args:
        better: flags of the accompaniments that the row's own one beats.
        others: flags of the accompaniments that count as others.
        count: K, the number of accompaniments with the right one.

    Shape:
        (n, J), (n, J) -> (n,); NaN where there are fewer than K - 1 others.

    >>> chances_among(torch.tensor([[True, True, False]]), torch.ones(1, 3, dtype=torch.bool), 3)
    tensor([0.3333])
    """
    beaten, present = (better & others).sum(1), others.sum(1)
    drawn = torch.arange(count - 1)
    shares = (beaten[:, None] - drawn).clamp(min=0) / (present[:, None] - drawn).clamp(min=1)
    return shares.prod(1).masked_fill(present < count - 1, float("nan"))
