"""The exact running median of 2 B - 1 samples as a network of minima and maxima.

The windows of B consecutive outputs share B samples, which are sorted once. The block of outputs is then halved again
and again. Each half adds the samples that only its own windows share, and keeps the middle ranks that can still be the
median. For 31 samples this takes about 46 minima and maxima per output, each on whole slices of the array. The same
code runs on NumPy and torch, on any device and in any batch shape, and has gradients in torch.
"""

from collections.abc import Iterator

import numpy as np

from ..arrays import AnyArray, namespace

SIZE = 31  # the window of librosa's harmonic-percussive separation


def running_median(values: AnyArray, dim: int, size: int = SIZE) -> AnyArray:
    """Return the median over ``size`` neighbours along ``dim``, with mirrored edges.

    The result equals ``scipy.ndimage.median_filter(values, size, axes=dim, mode="reflect")`` bit for bit, and has
    gradients. NaN is not supported.

    Args:
        values: floating-point array or tensor.
        dim: axis of the neighbours.
        size: number of neighbours, 2 B - 1, where B is a power of two.

    Shape:
        any -> the same.
    """
    xp, length, block = namespace(values), values.shape[dim], (size + 1) // 2
    blocks = -(-length // block)
    padded = _mirror_pad(xp.moveaxis(values, dim, 0), size // 2, (blocks + 2) * block - length - size // 2)
    by_phase = padded.reshape(blocks + 2, block, *padded.shape[1:])  # sample B b + p of the padded input is [b, p]
    samples = [by_phase[k // block : k // block + blocks, k % block] for k in range(size + block - 1)]
    core = _sort(xp, samples[block - 1 : size])
    medians = xp.stack(list(_narrow(xp, samples, size, 0, core)), 1)
    return xp.moveaxis(medians.reshape(blocks * block, *padded.shape[1:])[:length], 0, dim)


def _mirror_pad(values: AnyArray, before: int, after: int) -> AnyArray:
    """Extend the first axis by half-sample mirroring (scipy's "reflect"), repeated as often as needed."""
    xp, length = namespace(values), len(values)
    if length >= max(before, after):
        parts = [xp.flip(values[:before], (0,)), values, xp.flip(values[length - after :], (0,))]
        if xp is np:  # contiguous in memory, even if the values are not
            return np.concatenate(parts, out=np.empty((before + length + after, *values.shape[1:]), values.dtype))
        return xp.concatenate(parts)
    index = np.arange(-before, length + after) % (2 * length)
    return values[np.minimum(index, 2 * length - 1 - index)]


def _narrow(
    xp: AnyArray, samples: list[AnyArray], size: int, first: int, candidates: list[AnyArray]
) -> Iterator[AnyArray]:
    """Yield the medians of as many outputs as there are candidates, from output ``first`` of each block on.

    The candidates are the sorted middle ranks of the samples that these outputs' windows share: n ranks for n outputs.
    """
    count = len(candidates)
    if count == 1:
        yield candidates[0]
        return
    half = count // 2
    only_left = _sort(xp, samples[first + half - 1 : first + count - 1])
    only_right = _sort(xp, samples[first + size : first + size + half])
    middle = range(half + 1, count + 1)
    yield from _narrow(xp, samples, size, first, [_ranked(xp, candidates, only_left, rank) for rank in middle])
    yield from _narrow(xp, samples, size, first + half, [_ranked(xp, candidates, only_right, rank) for rank in middle])


def _ranked(xp: AnyArray, left: list[AnyArray], right: list[AnyArray], rank: int) -> AnyArray:
    """Return the value of a rank, from 1, in the union of two sorted lists: min_i max(left_i, right_{rank - i})."""
    best: AnyArray = None
    for from_left in range(max(0, rank - len(right)), min(rank, len(left)) + 1):
        from_right = rank - from_left
        if from_right == 0:
            highest = left[from_left - 1]
        elif from_left == 0:
            highest = right[from_right - 1]
        else:
            highest = xp.maximum(left[from_left - 1], right[from_right - 1])
        best = highest if best is None else xp.minimum(best, highest)
    assert best is not None  # rank never exceeds both lengths together
    return best


def _sort(xp: AnyArray, values: list[AnyArray]) -> list[AnyArray]:
    """Sort a power-of-two number of arrays elementwise (Batcher's odd-even merge sort)."""
    if len(values) == 1:
        return list(values)
    half = len(values) // 2
    merged = _sort(xp, values[:half]) + _sort(xp, values[half:])
    for low, high in _merge_comparators(0, len(values), 1):
        merged[low], merged[high] = xp.minimum(merged[low], merged[high]), xp.maximum(merged[low], merged[high])
    return merged


def _merge_comparators(start: int, length: int, stride: int) -> Iterator[tuple[int, int]]:
    """Yield the comparators of Batcher's odd-even merge of two sorted halves."""
    step = 2 * stride
    if step >= length:
        yield start, start + stride
        return
    yield from _merge_comparators(start, length, step)
    yield from _merge_comparators(start + stride, length, step)
    yield from ((low, low + stride) for low in range(start + stride, start + length - stride, step))
