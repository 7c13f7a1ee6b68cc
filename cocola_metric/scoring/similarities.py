"""Scores of embedded audios: window by window for a pair (Eq. 4), averaged over windows for a whole matrix."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..encoder import Similarity
from ..errors import CheckpointError
from .embedding import Embedded


def window_similarities(similarity: Similarity, conditioning: Embedded, accompaniment: Embedded) -> Tensor:
    """Return the similarity of every window of the common part; NaN where a side is silent.

    Shape:
        -> (K,).
    """
    length = min(conditioning.length, accompaniment.length)
    (left, left_silent), (right, right_silent) = conditioning.up_to(length), accompaniment.up_to(length)
    with torch.inference_mode():
        scores = _finite(similarity.pairs(left, right))
    return scores.masked_fill(left_silent | right_silent, torch.nan)


def mean_similarities(
    similarity: Similarity, conditionings: Sequence[Embedded], accompaniments: Sequence[Embedded]
) -> Tensor:
    """Return the mean over the windows of `window_similarities` for every pair; NaN where all are silent.

    Shape:
        -> (n, m).
    """
    row_lengths = np.asarray([audio.length for audio in conditionings])
    column_lengths = np.asarray([audio.length for audio in accompaniments])
    means = torch.empty(len(row_lengths), len(column_lengths), dtype=torch.float32, device="cpu")
    for length in np.unique(np.minimum.outer(row_lengths, column_lengths)).tolist():
        # The pairs whose common part is this long: one side ends here, and the other does not end before.
        blocks = (
            (_where(row_lengths == length), _where(column_lengths >= length)),
            (_where(row_lengths > length), _where(column_lengths == length)),
        )
        for rows, columns in blocks:
            if rows and columns:
                block_rows = [conditionings[row].up_to(length) for row in rows]
                block_columns = [accompaniments[column].up_to(length) for column in columns]
                means[np.ix_(rows, columns)] = _block_means(similarity, block_rows, block_columns)
    return means


def _finite(scores: Tensor) -> Tensor:
    """Return scores as they are.

    Raises:
        CheckpointError: They are NaN or infinite, which silence is not: those of silent windows are masked later.
    """
    if not torch.isfinite(scores).all():
        raise CheckpointError("the similarity gives NaN or infinite scores: the weights are damaged or unfit")
    return scores


def _where(condition: NDArray[np.bool_]) -> list[int]:
    return [int(index) for index in np.flatnonzero(condition)]


def _block_means(
    similarity: Similarity, rows: Sequence[tuple[Tensor, Tensor]], columns: Sequence[tuple[Tensor, Tensor]]
) -> Tensor:
    with torch.inference_mode():
        left, left_heard = _flat(rows, similarity.left)
        right, right_heard = _flat(columns, similarity.right)
        return _finite(left @ right.T) / (left_heard @ right_heard.T)  # 0 / 0 is NaN: nothing was heard


def _flat(audios: Sequence[tuple[Tensor, Tensor]], side: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    """Join all windows of an audio into one vector, silent ones as zeros: (n, K D) and which were heard (n, K)."""
    heard = torch.stack([~silent for _, silent in audios]).float()
    embeddings = side(torch.stack([embedded for embedded, _ in audios]))  # (n, K, D)
    return (embeddings * heard.unsqueeze(-1)).flatten(1), heard
