"""Accuracy among K windows: Eq. 8 over batches of K, averaged; large K separate encoders that K = 2 does not."""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from cocola_metric.checkpoints import PUBLISHED_ACCURACIES

from .classification import Accuracy, accuracy_with_interval
from .markdown import NOTHING, markdown_table

SIZES = (2, 8, 16, 64)
SHUFFLES = 10


def accuracies_among(
    left: Tensor, right: Tensor, track: NDArray[np.int64], *, seed: int = 0
) -> dict[int, Accuracy | None]:
    """Return the accuracy by K, with intervals over tracks; None if there are fewer windows than K.

    The windows of all tracks are shuffled and cut into batches of K, ten times; an incomplete batch is left out. Some
    windows of a batch may be of one track, as in the paper's batches. A tie is not a win.

    Args:
        left: left sides of the similarity, from the conditionings.
        right: right sides of the similarity, from the accompaniments.
        track: number of each window's track.
        seed: seed of the shuffles.

    Shape:
        (n, S), (n, S), (n,) -> one accuracy per K.
    """
    return {size: accuracy_with_interval(wins_among(left, right, size, seed=seed), track, seed=seed) for size in SIZES}


def wins_among(left: Tensor, right: Tensor, size: int, *, seed: int = 0) -> NDArray[np.float64]:
    """Return the share of batches in which each window's own accompaniment scores above the other K - 1.

    Shape:
        (n, S), (n, S) -> (n,), NaN where a window was in no batch.
    """
    count = len(left)
    wins, tests = np.zeros(count), np.zeros(count)
    for order in shuffled_batches(count, size, seed=seed):
        similarities = left[order] @ right[order].transpose(1, 2)  # (batches, K, K)
        own = similarities.diagonal(dim1=1, dim2=2).unsqueeze(2)
        wins[order] += ((similarities >= own).sum(2) == 1).numpy()
        tests[order] += 1
    shares: NDArray[np.float64] = np.divide(wins, tests, out=np.full(count, np.nan), where=tests > 0)
    return shares


def shuffled_batches(count: int, size: int, *, seed: int = 0) -> Iterator[NDArray[np.int64]]:
    """Yield the numbers of ``count`` windows in batches of ``size``, shuffled anew ten times: (batches, size)."""
    rng = np.random.default_rng([seed, size])
    for _ in range(SHUFFLES if count >= size else 0):
        yield rng.permutation(count)[: count // size * size].reshape(-1, size)


def retrieval_markdown(results: Mapping[str, Mapping[str, Mapping[int, Accuracy | None]]]) -> str:
    """Return accuracies among K windows as Markdown.

    Args:
        results: accuracies by encoder, then by test set, then by K.
    """
    tests = list(dict.fromkeys(test for by_test in results.values() for test in by_test))
    rows = [
        [name, *(str(by_test.get(test, {}).get(size) or NOTHING) for test in tests for size in SIZES)]
        for name, by_test in results.items()
    ]
    header = ["accuracy (%)", *(f"{test}, K = {size}" for test in tests for size in SIZES)]
    return markdown_table(header, rows)


def published_accuracies() -> list[dict[str, str | int | float]]:
    """Return the published accuracies among K windows as rows of plain data; they are of other music than ours."""
    return [
        {"encoder": name, "test": test, "K": size, "percent": percent}
        for name, row in PUBLISHED_ACCURACIES.items()
        for (test, size), percent in row.items()
    ]
