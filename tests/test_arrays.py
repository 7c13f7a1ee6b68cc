"""The few operations that NumPy and torch name differently."""

import numpy as np
import pytest
import torch

from cocola_metric import arrays


@pytest.mark.parametrize("reflect", [False, True])
def test_padding(reflect: bool) -> None:
    values = np.arange(12, dtype=np.float32).reshape(2, 6)
    expected = np.pad(values, ((0, 0), (3, 2)), mode="reflect" if reflect else "constant")
    assert np.array_equal(arrays.pad(values, 3, 2, reflect=reflect), expected)
    assert np.array_equal(arrays.pad(torch.from_numpy(values), 3, 2, reflect=reflect), expected)


def test_frames_share_memory() -> None:
    values = np.arange(11, dtype=np.float32)
    frames = arrays.frames(values, 4, 3)
    assert frames.tolist() == arrays.frames(torch.from_numpy(values), 4, 3).tolist()
    assert frames.shape == (3, 4) and np.shares_memory(frames, values)


@pytest.mark.parametrize("rows", [1, 7, 64])
def test_a_filterbank_is_its_matrix(rows: int) -> None:
    rng = np.random.default_rng(rows)
    matrix = rng.random((rows, 300)).astype(np.float32) * (rng.random((rows, 300)) < 0.1)
    matrix[rows // 2] = 0
    values = rng.random((2, 600, 300)).astype(np.float32)
    product = arrays.filtered(values, arrays.Filterbank(matrix))
    assert product.dtype == np.float32 and np.allclose(product, values @ matrix.T, rtol=1e-5, atol=1e-5)
    assert np.allclose(
        arrays.filtered(torch.from_numpy(values), torch.from_numpy(matrix)), product, rtol=1e-5, atol=1e-5
    )


def test_any_tensor_becomes_float32() -> None:
    tensor = torch.arange(6, dtype=torch.float64).reshape(2, 3).T.requires_grad_()
    array = arrays.to_numpy(tensor)
    assert array.dtype == np.float32 and array.flags.c_contiguous and array.tolist() == tensor.tolist()
