"""Accuracy among K windows: Eq. 8 over batches of K, then the mean over batches."""

import numpy as np
import pytest
import torch

from cocola_metric import functional
from cocola_metric.training.evaluation.retrieval import SHUFFLES, SIZES, accuracies_among, wins_among


def random_sides(count: int, noise: float) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    left = torch.nn.functional.normalize(torch.randn(count, 16, generator=generator), dim=1)
    return left, left + noise * torch.randn(count, 16, generator=generator)


def test_one_batch_is_equation_8() -> None:
    left, right = random_sides(64, 0.5)
    expected = functional.accuracy(left @ right.T).item()
    assert wins_among(left, right, 64).mean() == pytest.approx(expected)


def test_batches_are_averaged() -> None:
    left, right = random_sides(20, 0.5)
    rng = np.random.default_rng([3, 8])
    orders = [rng.permutation(20)[:16].reshape(2, 8) for _ in range(SHUFFLES)]
    expected = [functional.accuracy(left[rows] @ right[rows].T).item() for order in orders for rows in order]
    wins = wins_among(left, right, 8, seed=3)
    tests = np.bincount(np.concatenate([order.ravel() for order in orders]), minlength=20)
    assert (wins * tests).sum() / tests.sum() == pytest.approx(np.mean(expected))


def test_larger_batches_are_harder() -> None:
    found = accuracies_among(*random_sides(200, 0.6), np.arange(200) // 4)
    percents = [found[size].percent for size in SIZES]
    assert percents == sorted(percents, reverse=True) and percents[0] > percents[-1] + 20
    assert all(found[size].low <= found[size].percent <= found[size].high for size in SIZES)


def test_ties_are_wrong_and_chance_is_one_in_k() -> None:
    constant = torch.ones(64, 4)
    assert (wins_among(constant, constant, 8) == 0).all()
    left, right = random_sides(640, 1e4)
    assert wins_among(left, right, 8).mean() == pytest.approx(1 / 8, abs=0.04)


def test_too_few_windows() -> None:
    left, right = random_sides(10, 0.1)
    found = accuracies_among(left, right, np.arange(10))
    assert found[8] is not None and found[16] is None and found[64] is None
