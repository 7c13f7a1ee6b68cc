"""The sub-mixes on which encoders are compared: drawn once per test set, read once, the same for every encoder."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cocola_metric.audio import WINDOW

from ..corpora import Track, index_stem_folder, open_corpora, read_window, reader_of, split_folder
from ..signal import PARTITIONS, audible, draw_subsets, mix_at_level

LEVEL_DBFS = -20.0  # of every sub-mix, so that loudness gives nothing away
HOP = 5.0
"""Time from the start of one window to the start of the next, in seconds: windows of 5 s do not overlap."""

Sides = tuple[list[int], list[int]]
"""The stems of conditioning and accompaniment."""
WINDOWS_AT_ONCE = 16


def open_test_set(spec: str) -> list[Track]:
    """List the tracks to test on.

    Args:
        spec: reader and folder, "musdb18hq:/data/musdb18hq", with a name of ``corpora.CORPORA``, for the test split of
            that corpus; a folder that holds ``test/``, for the tracks in there; or any other folder, for all of its
            tracks.

    Raises:
        AudioError: there is no usable track.
    """
    if reader_of(spec):
        return open_corpora([spec], "test")
    folder = Path(spec).expanduser()
    return index_stem_folder(folder, "test" if split_folder(folder, "test") else None)


def window_starts(seconds: float, *, hop: float = HOP, margin: float = 0.0, most: int | None = None) -> list[float]:
    """Return the starts of a track's windows, in seconds; if there are more than ``most``, evenly spread ones.

    Args:
        seconds: length of the track, in seconds.
        hop: time from one start to the next, in seconds.
        margin: time that the track must go on before and behind each window, in seconds.
        most: largest number of windows; None for no limit.
    """
    count = max(0, int((seconds - WINDOW - 2 * margin) / hop + 1e-6) + 1) if seconds >= WINDOW + 2 * margin else 0
    chosen = range(count) if most is None or count <= most else np.linspace(0, count - 1, most).round().astype(int)
    return [margin + int(number) * hop for number in chosen]


def draw_split(track: Track, number: int, seed: int) -> Sides:
    """Draw the two subsets of a track's stems; they depend on the seed and the number of the track only."""
    return draw_subsets(range(len(track.stems)), np.random.default_rng([seed, number]))


def sounding_sides(sides: Sides, sounding: NDArray[np.bool_]) -> Sides | None:
    """Return the sides without stems that are silent in a window; None if a whole side is silent."""
    first, second = ([stem for stem in side if sounding[stem]] for side in sides)
    return (first, second) if first and second else None


def read_submixes(
    track: Track,
    number: int,
    *,
    partitions: Sequence[str] = PARTITIONS,
    hop: float = HOP,
    seed: int = 0,
    most: int | None = None,
) -> Iterator[dict[str, NDArray[np.float32]]]:
    """Read the windows of a track one by one, and mix two disjoint sub-mixes of each, at one level.

    Args:
        track: track with two stems or more.
        number: number of the track in its test set; part of the seed.
        partitions: times of splitting stems: "track" splits them once, so that no negative of the same track shares a
            stem with its conditioning; "window" splits them anew in every window, as the paper does.
        hop: time from one window's start to the next, in seconds.
        seed: seed of the draws.
        most: largest number of windows of the track; None for no limit.

    Yields:
        Sub-mixes of one window, (2, L), by partition; a partition is absent if a side would be silent.
    """
    whole = draw_split(track, number, seed)
    for start in window_starts(track.seconds, hop=hop, most=most):
        window = read_window(track, start, WINDOW)
        sounding = audible(window)
        heard: dict[str, Sides | None] = {"track": sounding_sides(whole, sounding), "window": None}
        if sounding.sum() >= 2:
            rng = np.random.default_rng([seed, number, round(1000 * start)])
            heard["window"] = draw_subsets(np.flatnonzero(sounding).tolist(), rng)
        yield {
            partition: np.stack([mix_at_level(window[side], LEVEL_DBFS) for side in sides])
            for partition in partitions
            if (sides := heard[partition])
        }


def in_batches(windows: Iterator[dict[str, NDArray[np.float32]]]) -> Iterator[tuple[str, Tensor]]:
    """Gather some windows of a partition at a time: (n, 2, L)."""
    waiting: dict[str, list[NDArray[np.float32]]] = {}
    for window in windows:
        for partition, sides in window.items():
            waiting.setdefault(partition, []).append(sides)
            if len(waiting[partition]) == WINDOWS_AT_ONCE:
                yield partition, torch.from_numpy(np.stack(waiting.pop(partition)))
    for partition, rest in waiting.items():
        yield partition, torch.from_numpy(np.stack(rest))
