"""The paper's equations, one function each, on tensors and on NumPy arrays; no files, no devices, no state."""

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor


def similarity_matrix(first: Any, second: Any, weight: Any = None) -> Any:
    """Return sim(h_1^k, h_2^j) = (h_1^k)^T W h_2^j for every k and j (Eq. 2).

    Args:
        first: embeddings of the conditioning sub-mixes.
        second: embeddings of the accompaniment sub-mixes.
        weight: matrix W of the bilinear form; None stands for the identity.

    Shape:
        (K, D), (J, D), (D, D) -> (K, J).

    >>> similarity_matrix(np.eye(2), np.asarray([[1.0, 2.0]]))
    array([[1.],
           [2.]])
    """
    return (first if weight is None else first @ weight) @ second.T


def contrastive_loss(similarities: "Tensor", first: int = 0, *, label_smoothing: float = 0.0) -> "Tensor":
    """Return the multi-class cross entropy of picking each row's own column, averaged over rows (Eq. 3).

    Row k's own column is ``first + k``; columns that belong to no row are more negatives.

    The paper writes a sum over the batch; the mean is the same loss at a learning rate that does not depend on K.

    Args:
        similarities: similarity of every row with every column; minus infinity excludes a column from a row.
        first: column of row 0.
        label_smoothing: share of the target that is spread evenly over all columns of a row; 0 in the paper.

    Shape:
        (K, J) -> (), J >= first + K.

    >>> import torch
    >>> contrastive_loss(torch.zeros(4, 4)).exp()
    tensor(4.)
    """
    import torch

    targets = torch.arange(first, first + len(similarities), device=similarities.device)
    loss = torch.nn.functional.cross_entropy(similarities, targets)
    if not label_smoothing:
        return loss
    present = similarities.isfinite()
    logarithms = similarities.log_softmax(dim=1).masked_fill(~present, 0)
    spread = -(logarithms.sum(1) / present.sum(1)).mean()
    return (1 - label_smoothing) * loss + label_smoothing * spread


def similarity_pairs(conditioning: Any, accompaniment: Any, weight: Any = None) -> Any:
    """Return the COCOLA score sim(h_y, h_x) of each pair (Eq. 4): the diagonal of Eq. 2, without the rest.

    Shape:
        (B, D), (B, D), (D, D) -> (B,).

    >>> similarity_pairs(np.eye(2), np.asarray([[3.0, 0.0], [0.0, 4.0]]))
    array([3., 4.])
    """
    projected = conditioning if weight is None else conditioning @ weight
    return (projected * accompaniment).sum(-1)


def accuracy(similarities: Any, first: int = 0) -> Any:
    """Return the share of rows whose own column is the largest (Eq. 8).

    A tie is not a win, so a constant encoder scores 0 and not 1; neither is a NaN. Row k's own column is ``first + k``.

    Shape:
        (..., K, J) -> (...): one accuracy per batch; J >= first + K.

    >>> float(accuracy(np.asarray([[2.0, 1.0], [3.0, 1.0]])))
    0.5
    >>> float(accuracy(np.ones((2, 2))))
    0.0
    """
    rows, columns = similarities.shape[-2:]
    own = similarities.diagonal(first, -2, -1)[..., None]
    others: Any = ~np.eye(rows, columns, first, dtype=bool)
    if not isinstance(similarities, np.ndarray):
        import torch

        others = torch.from_numpy(others).to(similarities.device)
    wins = (own > similarities) | (~others & (own == own))  # NaN never wins, and differs from itself
    return (wins.all(-1) * 1.0).mean(-1)
