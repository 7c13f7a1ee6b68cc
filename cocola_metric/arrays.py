"""One interface to NumPy arrays and torch tensors, so that code works on both and needs no torch."""

import sys
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from . import fourier

if TYPE_CHECKING:
    from torch import Tensor
    from typing_extensions import TypeIs

AnyArray: TypeAlias = Any
"""A floating-point NumPy array or torch tensor; a function returns the kind that it was given."""
FloatArray: TypeAlias = NDArray[np.float32]
_ONE_THREAD = 2**18
"""Most multiplications of a matrix product that OpenBLAS does in the calling thread. For more it wakes its own threads,
whose waiting for work costs more than the product."""
_ROWS = 32  # of a filterbank that go through one product
_STEPS = 64  # of time whose products with one band would stay below `_ONE_THREAD`
TOGETHER = 8
"""Steps of time in one product. All of them go the same way through BLAS, whose last bits depend on a row's place among
more than 8; so a step's result does not depend on the steps around it."""


def is_tensor(value: object) -> "TypeIs[Tensor]":
    """Tell whether a value is a torch tensor, without importing torch."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def namespace(values: AnyArray) -> Any:
    """Return the module whose functions take these values: numpy or torch."""
    return np if isinstance(values, np.ndarray) else sys.modules["torch"]


def to_numpy(values: AnyArray) -> FloatArray:
    """Return values as a float32 array; they may be a tensor of any device, dtype and strides, an array or a list."""
    if is_tensor(values):
        values = values.detach().float().cpu().numpy()
    return np.ascontiguousarray(values, dtype=np.float32)


def pad(values: AnyArray, before: int, after: int, *, reflect: bool = False) -> AnyArray:
    """Extend the last axis by zeros, or by its mirror image around the first and the last sample.

    Shape:
        (..., L) -> (..., before + L + after).
    """
    xp = namespace(values)
    if reflect:
        left = xp.flip(values[..., 1 : before + 1], (-1,))
        right = xp.flip(values[..., values.shape[-1] - after - 1 : values.shape[-1] - 1], (-1,))
        return xp.concatenate([left, values, right], -1)
    if xp is np:
        padded = np.zeros((*values.shape[:-1], before + values.shape[-1] + after), values.dtype)
        padded[..., before : before + values.shape[-1]] = values
        return padded
    return xp.nn.functional.pad(values, (before, after))


def frames(values: AnyArray, size: int, hop: int) -> AnyArray:
    """Cut the last axis into overlapping frames that share its memory.

    Shape:
        (..., L) -> (..., (L - size) // hop + 1, size).
    """
    if isinstance(values, np.ndarray):
        return sliding_window_view(values, size, axis=-1)[..., ::hop, :]
    return values.unfold(-1, size, hop)


def rfft(values: AnyArray) -> AnyArray:
    """Return the Fourier transform of real values along the last axis: (..., N) -> (..., N / 2 + 1)."""
    if isinstance(values, np.ndarray):
        return fourier.rfft(values)
    return namespace(values).fft.rfft(values)


def ifft(values: AnyArray) -> AnyArray:
    """Return the inverse Fourier transform along the last axis: (..., N) -> the same."""
    if isinstance(values, np.ndarray):
        return fourier.ifft(values)
    return namespace(values).fft.ifft(values)


class Filterbank:
    """A matrix (M, N) of filters, each zero outside a narrow band, for products in the calling thread alone."""

    def __init__(self, matrix: FloatArray) -> None:
        self.shape = matrix.shape
        self.rows = len(matrix)
        self._bands: list[tuple[slice, slice, FloatArray]] = []
        first = 0
        while first < self.rows:
            count = _ROWS
            while True:
                rows = slice(first, min(first + count, self.rows))
                used = np.flatnonzero(matrix[rows].any(0))
                band = slice(int(used[0]), int(used[-1]) + 1) if len(used) else slice(0, 1)
                if count == 1 or count * (band.stop - band.start) * _STEPS <= _ONE_THREAD:
                    break
                count //= 2
            self._bands.append((rows, band, np.ascontiguousarray(matrix[rows, band].T)))
            first += count

    def __call__(self, values: FloatArray) -> FloatArray:
        """Return the output of each filter: (..., F, N) -> (..., F, M)."""
        filtered = np.empty((*values.shape[:-1], self.rows), values.dtype)
        whole = values.shape[-2] // TOGETHER * TOGETHER
        blocks, results = (_blocks(each[..., :whole, :]) for each in (values, filtered))
        for rows, band, weights in self._bands:
            np.matmul(blocks[..., band], weights, out=results[..., rows])
            filtered[..., whole:, rows] = values[..., whole:, band] @ weights
        return filtered


def _blocks(values: FloatArray) -> FloatArray:
    """Return a view of steps in blocks: (..., F, N) -> (..., F / 8, 8, N)."""
    *before, steps, size = values.shape
    return values.reshape(*before, steps // TOGETHER, TOGETHER, size)


def filtered(values: AnyArray, filterbank: Any) -> AnyArray:
    """Return the output of each filter of a `Filterbank` or a tensor (M, N): (..., F, N) -> (..., F, M)."""
    return filterbank(values) if isinstance(filterbank, Filterbank) else values @ filterbank.T


def product(values: AnyArray, matrix: FloatArray) -> AnyArray:
    """Return a product with a small matrix, (..., F, N) @ (N, M) -> (..., F, M), in the calling thread if it can."""
    if not isinstance(values, np.ndarray):
        torch = namespace(values)
        return values @ torch.from_numpy(matrix).to(values.device, values.dtype)
    steps, matrix = max(1, _ONE_THREAD // matrix.size), matrix.astype(values.dtype, copy=False)
    products = np.empty((*values.shape[:-1], matrix.shape[1]), values.dtype)
    for start in range(0, values.shape[-2], steps):
        rows = slice(start, start + steps)
        part = values[..., rows, :]
        if part.strides[-2] < part.shape[-1] * part.itemsize:  # frames that overlap: BLAS takes no such matrix
            part = np.ascontiguousarray(part)
        np.matmul(part, matrix, out=products[..., rows, :])
    return products
