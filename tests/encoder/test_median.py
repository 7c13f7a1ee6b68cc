"""The running median against scipy, bit for bit."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import median_filter

from cocola_metric.encoder.median import SIZE, running_median

LENGTHS = [1, 3, 7, 15, 16, 17, 30, 31, 32, 33, 47, 48, 49, 501, 513]


def scipy_median(values: np.ndarray, axis: int, length: int = SIZE) -> np.ndarray:
    size = [1] * values.ndim
    size[axis] = length
    return median_filter(values, size=size, mode="reflect")


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("kind", ["random", "tied", "constant"])
def test_equals_scipy_on_every_length(length: int, kind: str) -> None:
    rng = np.random.default_rng(length)
    values = {
        "random": rng.standard_normal((3, length)),
        "tied": rng.integers(0, 3, (3, length)),
        "constant": np.full((3, length), 0.25),
    }[kind].astype(np.float32)
    assert np.array_equal(running_median(torch.from_numpy(values), 1).numpy(), scipy_median(values, 1))


def test_equals_the_definition_on_two_samples() -> None:
    """Scipy 1.17 reads uninitialised memory here, so the definition is the oracle."""
    values = np.asarray([0.0, 1.0], np.float32)
    mirrored = np.pad(values, SIZE // 2, mode="symmetric")
    expected = [np.median(mirrored[start : start + SIZE]) for start in range(2)]
    assert running_median(torch.from_numpy(values), 0).tolist() == expected


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_equals_scipy_along_every_axis(axis: int) -> None:
    values = np.random.default_rng(axis).standard_normal((20, 33, 40)).astype(np.float32)
    assert np.array_equal(running_median(torch.from_numpy(values), axis).numpy(), scipy_median(values, axis))


@pytest.mark.parametrize("size", [3, 7, 15, 63])
def test_other_sizes(size: int) -> None:
    values = np.random.default_rng(size).standard_normal((3, 150)).astype(np.float32)
    assert np.array_equal(running_median(torch.from_numpy(values), 1, size).numpy(), scipy_median(values, 1, size))


@settings(max_examples=30, deadline=None)
@given(arrays(np.float32, st.integers(3, 120), elements=st.floats(-1e3, 1e3, width=32)))
def test_equals_scipy_on_whatever_comes(values: np.ndarray) -> None:
    assert np.array_equal(running_median(torch.from_numpy(values), 0).numpy(), scipy_median(values, 0))


def test_gradients_are_right() -> None:
    values = torch.randn(2, 40, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: running_median(x, 1), values)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_arrays_take_the_same_way(axis: int) -> None:
    values = np.random.default_rng(axis).standard_normal((20, 33, 40)).astype(np.float32)
    assert np.array_equal(running_median(values, axis), scipy_median(values, axis))
