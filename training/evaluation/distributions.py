"""A picture of the distributions of scores of coherent and of mismatched pairs."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cocola_metric.plot import SCORE_COLOUR, SIDE_COLOURS, new_figure, save_picture

Scores = NDArray[np.float32]


def plot_distributions(file: Path, scores: Mapping[str, tuple[Scores, Scores]]) -> None:
    """Draw, per corpus, histograms of the scores of coherent and of mismatched pairs."""
    figure, axes = new_figure(rows=len(scores), height=0.8 + 2.0 * len(scores), heights=(1.0,) * len(scores))
    everything = np.concatenate([side for sides in scores.values() for side in sides])
    low, high = np.percentile(everything, [0.2, 99.8])
    bins = np.linspace(float(low), float(high), 60).tolist()
    for axis, (corpus, (coherent, mismatched)) in zip(axes, scores.items(), strict=True):
        axis.hist(mismatched, bins, density=True, color=SIDE_COLOURS[1], alpha=0.6, label="mismatched")
        axis.hist(coherent, bins, density=True, color=SCORE_COLOUR, alpha=0.6, label="coherent")
        axis.set_title(corpus, loc="left")
        axis.set_yticks([])
        axis.legend(frameon=False)
    axes[-1].set_xlabel("COCOLA score of a window")
    save_picture(figure, file)
