"""Short-time spectra of arrays and tensors; what clips have in common, as windows of one audio do, is computed once."""

import itertools
from collections.abc import Callable, Iterator

import numpy as np

from ..arrays import TOGETHER, AnyArray, FloatArray, frames, pad, rfft

_FRAMES = 6 * TOGETHER  # that go through all steps together, in a cache; SciPy transforms 4 at once


def of_spectra(
    function: Callable[[AnyArray], AnyArray],
    waveforms: AnyArray,
    window: AnyArray,
    n_fft: int,
    hop: int,
    *,
    reflect: bool = False,
) -> AnyArray:
    """Apply a function to the spectra of frames around every hop, which equal those of ``torch.stft``.

    A window shorter than ``n_fft`` lies in the middle of its frame. Rounding in float32 depends on this, and mel images
    show rounding in the silence between loud notes.

    Args:
        function: function of spectra, (..., f, n_fft / 2 + 1) -> (..., f, N), which treats every frame alike; f is a
            multiple of `TOGETHER`.
        waveforms: mono waveforms.
        window: window of a frame, ``n_fft`` samples or fewer.
        n_fft: number of samples of a frame.
        hop: number of samples from one frame to the next.
        reflect: True mirrors waveforms at both ends; False pads them with zeros.

    Shape:
        (B, L) -> (B, F, N), F = L // hop + 1.
    """
    half, missing = n_fft // 2, n_fft - len(window)
    centred = pad(window, missing // 2, missing - missing // 2) if missing else window
    framed = frames(pad(waveforms, half, half, reflect=reflect), n_fft, hop)
    if not isinstance(framed, np.ndarray):
        return function(rfft(framed * centred))
    shifts = [0, *(_shift(before, now, hop) for before, now in itertools.pairwise(waveforms))]
    first, last = -(-half // hop), (waveforms.shape[1] - half) // hop  # frames without padding
    known = [slice(first, max(first, last + 1 - shift)) if shift else slice(0, 0) for shift in shifts]
    return _filled(function, framed, centred, shifts, known)


def _filled(
    function: Callable[[AnyArray], AnyArray],
    framed: FloatArray,
    window: FloatArray,
    shifts: list[int],
    known: list[slice],
) -> FloatArray:
    """Compute the frames that are not known, (B, F, N_FFT) -> (B, F, N), and take over those of the clip before."""
    count = framed.shape[1]
    missing = [
        (clip, span) for clip, kept in enumerate(known) for span in (range(kept.start), range(kept.stop, count)) if span
    ]
    results: FloatArray | None = None
    buffer = np.empty((_FRAMES, framed.shape[-1]), framed.dtype)
    for group in _groups(missing):
        filled = 0
        for clip, start, stop in group:
            np.multiply(framed[clip, start:stop], window, out=buffer[filled : filled + stop - start])
            filled += stop - start
        whole = -(-filled // TOGETHER) * TOGETHER  # so that no frame's result depends on how many there are
        buffer[filled:whole] = 0
        rows = function(rfft(buffer[:whole]))[:filled]
        if results is None:
            results = np.empty((*framed.shape[:2], rows.shape[-1]), rows.dtype)
        for clip, start, stop in group:
            results[clip, start:stop], rows = rows[: stop - start], rows[stop - start :]
    assert results is not None  # the first clip has no known frames
    for clip, (kept, shift) in enumerate(zip(known, shifts, strict=True)):
        if shift:
            results[clip, kept] = results[clip - 1, kept.start + shift : kept.stop + shift]
    return results


def _groups(missing: list[tuple[int, range]]) -> Iterator[list[tuple[int, int, int]]]:
    """Yield groups of `_FRAMES` frames, each a list of clips with their first frame and the one behind the last."""
    group: list[tuple[int, int, int]] = []
    room = _FRAMES
    for clip, span in missing:
        start = span.start
        while start < span.stop:
            stop = min(span.stop, start + room)
            group.append((clip, start, stop))
            room, start = room - (stop - start), stop
            if not room:
                yield group
                group, room = [], _FRAMES
    if group:
        yield group


def _shift(before: FloatArray, now: FloatArray, hop: int) -> int:
    """Return after how many frames of a clip the next begins, if both are the same from there on; else 0."""
    coarse, begin = before[::hop], now[::hop]
    for shift in map(int, np.flatnonzero(coarse == begin[0])):
        overlap = len(before) - shift * hop
        if (
            shift
            and np.array_equal(coarse[shift:], begin[: len(begin) - shift])
            and np.array_equal(before[shift * hop :], now[:overlap])
        ):
            return shift
    return 0
