"""The bias of a FAD: its value for two samples of one Gaussian, whose true distance is 0."""

import argparse

import numpy as np
from numpy.typing import NDArray

from cocola_metric.fad import TrackSet, infinity, split_half_floor

CASES = (  # clips, embeddings a clip, D, embedding values per e-fold of the falling spectrum (None: flat)
    (200, 1, 128, None),
    (1000, 1, 128, None),
    (200, 1, 512, None),
    (200, 1, 512, 33.0),
    (200, 3, 128, 20.0),
)


def draw(clips: int, windows: int, dimension: int, fall: float | None, rng: np.random.Generator) -> TrackSet:
    """Draw clips from a Gaussian of total variance 1; the windows of a clip differ by a tenth of it."""
    variances = np.ones(dimension) if fall is None else np.exp(-np.arange(dimension) / fall)
    scale: NDArray[np.float64] = np.sqrt(variances / variances.sum())
    centres = scale * rng.standard_normal((clips, 1, dimension))
    return TrackSet(list(centres + 0.1 * (windows > 1) * scale * rng.standard_normal((clips, windows, dimension))))


def run(options: argparse.Namespace) -> None:
    """Print FAD, FAD-infinity and floor of each case as Markdown."""
    print("| clips | D | FAD | FAD-infinity | floor |\n|---|---|---|---|---|")
    for clips, windows, dimension, fall in CASES:
        rows = []
        for seed in range(options.repeats):
            rng = np.random.default_rng(seed)
            generated, reference = (draw(clips, windows, dimension, fall, rng) for _ in range(2))
            limit = infinity(generated, reference, paired=False, seed=seed)
            floor = split_half_floor(reference, seed=seed)
            if limit is None or floor is None:
                raise AssertionError("every case has enough clips")
            rows.append((generated.all().distance(reference.all()), limit.value, floor))
        spectrum = "" if fall is None else f", falling spectrum (e-fold every {fall:g})"
        each = "" if windows == 1 else f", {windows} windows each"
        values = " | ".join(f"{value:.3f}" for value in np.mean(rows, axis=0))
        print(f"| {clips}{each} | {dimension}{spectrum} | {values} |")
