"""Scores of embedded audios: window by window for a pair (Eq. 4), averaged over windows for a whole matrix."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .. import functional
from ..arrays import FloatArray
from ..errors import CheckpointError
from .embedded import Embedded, Windows


def window_similarities(conditioning: Windows, accompaniment: Windows) -> FloatArray:
    """Return the similarity of each window with its counterpart at the same time; NaN if a side is silent.

    Shape:
        -> (K,).
    """
    scores: FloatArray = _finite(functional.similarity_pairs(conditioning.left, accompaniment.right))
    return np.where(conditioning.silent | accompaniment.silent, np.float32(np.nan), scores)


def mean_similarities(conditionings: Sequence[Embedded], accompaniments: Sequence[Embedded]) -> FloatArray:
    """Return the mean over the windows of `window_similarities` for every pair; NaN if all are silent.

    Shape:
        n audios, m audios -> (n, m).
    """
    row_lengths = np.asarray([audio.length for audio in conditionings])
    column_lengths = np.asarray([audio.length for audio in accompaniments])
    means = np.empty((len(row_lengths), len(column_lengths)), np.float32)
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
                means[np.ix_(rows, columns)] = block_means(block_rows, block_columns)
    return means


def block_means(rows: Sequence[Windows], columns: Sequence[Windows]) -> FloatArray:
    """Return the mean similarity of every pair of audios with equal numbers of windows, (n, m)."""
    left, left_heard = _flat([(audio.left, audio.silent) for audio in rows])
    right, right_heard = _flat([(audio.right, audio.silent) for audio in columns])
    totals, counts = _finite(left @ right.T), left_heard @ right_heard.T
    means: FloatArray = np.divide(totals, counts, out=np.full_like(totals, np.nan), where=counts > 0)
    return means


def _finite(scores: FloatArray) -> FloatArray:
    """Return scores unchanged, if they are finite.

    Raises:
        CheckpointError: a score is NaN or infinite. (Silence gives finite scores, which are masked later.)
    """
    if not np.isfinite(scores).all():
        raise CheckpointError("the similarity gives NaN or infinite scores: the weights are damaged; fetch them again")
    return scores


def _where(condition: NDArray[np.bool_]) -> list[int]:
    return [int(index) for index in np.flatnonzero(condition)]


def _flat(audios: Sequence[tuple[FloatArray, NDArray[np.bool_]]]) -> tuple[FloatArray, FloatArray]:
    """Join all windows of an audio into one vector, silent ones as zeros: (n, K S) and a mask of sound (n, K)."""
    heard = np.stack([~silent for _, silent in audios]).astype(np.float32)
    sides = np.stack([side for side, _ in audios]) * heard[..., None]
    return sides.reshape(len(audios), -1), heard
