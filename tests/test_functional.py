"""Equations 2, 3, 4 and 8: properties first."""

import doctest
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cocola_metric import functional

batches = st.tuples(st.integers(1, 6), st.integers(1, 8), st.integers(0, 10_000))


def drawn(shape: tuple[int, int, int]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    count, dim, seed = shape
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(*size, generator=generator) for size in ((count, dim), (count, dim), (dim, dim)))


@given(batches)
@settings(deadline=None)
def test_permuting_a_batch_permutes_the_matrix(shape) -> None:
    first, second, weight = drawn(shape)
    order = torch.randperm(len(first))
    expected = functional.similarity_matrix(first, second, weight)[order][:, order]
    assert torch.allclose(functional.similarity_matrix(first[order], second[order], weight), expected, atol=1e-4)


@given(batches)
@settings(deadline=None)
def test_pairs_are_the_diagonal_of_the_matrix(shape) -> None:
    first, second, weight = drawn(shape)
    matrix = functional.similarity_matrix(first, second, weight)
    assert torch.allclose(functional.similarity_pairs(first, second, weight), matrix.diagonal(), atol=1e-4)


@given(batches)
@settings(deadline=None)
def test_swapping_sides_transposes_the_weight(shape) -> None:
    first, second, weight = drawn(shape)
    swapped = functional.similarity_pairs(second, first, weight.T)
    assert torch.allclose(functional.similarity_pairs(first, second, weight), swapped, atol=1e-4)


@given(batches)
@settings(deadline=None)
def test_a_dominant_diagonal_is_always_right(shape) -> None:
    matrix = drawn(shape)[0] @ drawn(shape)[1].T
    dominant = matrix + torch.eye(len(matrix)) * (2 * matrix.abs().max() + 1)
    assert functional.accuracy(dominant) == 1


@given(batches)
@settings(deadline=None)
def test_accuracy_ignores_an_offset_per_row(shape) -> None:
    matrix = torch.randn(shape[0], shape[0], generator=torch.Generator().manual_seed(shape[2])).double()
    offset = torch.arange(len(matrix), dtype=torch.float64)[:, None]
    assert functional.accuracy(matrix + offset) == functional.accuracy(matrix)


def test_accuracy_corner_cases() -> None:
    assert functional.accuracy(torch.tensor([[0.0]])) == 1  # K = 1: nothing to confuse it with
    assert functional.accuracy(torch.ones(3, 3)) == 0  # ties
    assert functional.accuracy(torch.tensor([[math.nan]])) == 0
    assert functional.accuracy(torch.tensor([[1.0, math.nan], [0.0, 1.0]])) == 0.5
    assert functional.accuracy(torch.stack([torch.eye(2), -torch.eye(2)])).tolist() == [1, 0]


def test_loss_is_the_formula() -> None:
    matrix = torch.randn(5, 5, dtype=torch.float64)
    expected = -sum(math.log(matrix[k, k].exp() / matrix[k].exp().sum()) for k in range(5)) / 5
    assert functional.contrastive_loss(matrix).item() == pytest.approx(expected, abs=1e-12)


def test_loss_of_chance_is_log_k() -> None:
    assert functional.contrastive_loss(torch.zeros(32, 32)).item() == pytest.approx(math.log(32), abs=1e-6)


def test_doctests() -> None:
    assert doctest.testmod(functional, extraglobs={"torch": torch}).failed == 0


def test_smoothing_is_that_of_cross_entropy_over_the_columns_there_are() -> None:
    torch.manual_seed(0)
    similarities = torch.randn(4, 6)
    targets = torch.arange(1, 5)
    expected = torch.nn.functional.cross_entropy(similarities, targets, label_smoothing=0.1)
    assert torch.isclose(functional.contrastive_loss(similarities, 1, label_smoothing=0.1), expected)
    absent = torch.cat([similarities, torch.full((4, 1), float("-inf"))], dim=1)
    assert torch.isclose(functional.contrastive_loss(absent, 1, label_smoothing=0.1), expected)
