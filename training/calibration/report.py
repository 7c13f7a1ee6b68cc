"""Calibration in a table, and in a picture: likelihood against frequency on every set of held-out music."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from cocola_metric.plot import SCORE_COLOUR, SIDE_COLOURS, new_figure, save_picture

from ..evaluation import NOTHING, markdown_table
from .known_pairs import LENGTHS
from .measuring import Calibration

SECONDS = {1: "5 s", 2: "7.5 s", 4: "12.5 s", 8: "22.5 s"}
"""Length of the pairs, by number of windows."""
LEAST_SHARE = 0.01
COLOURS = {LENGTHS[0]: SCORE_COLOUR, LENGTHS[-1]: SIDE_COLOURS[1]}
"""Colour of each length in the picture."""


def calibration_table(measured: Mapping[str, Sequence[Calibration]]) -> str:
    """Return the expected calibration error in per cent, by set of music, mode and length, in Markdown."""
    rows = []
    for name, calibrations in measured.items():
        for mode in dict.fromkeys(calibration.mode for calibration in calibrations):
            by_length = {one.windows: one for one in calibrations if one.mode == mode and not one.symmetric}
            tracks = str(by_length[1].tracks) if 1 in by_length else NOTHING
            errors = (f"{100 * by_length[n].error:.1f}" if n in by_length else NOTHING for n in LENGTHS)
            rows.append([name, mode, tracks, *errors])
    return markdown_table(["test", "mode", "tracks", *(SECONDS[length] for length in LENGTHS)], rows)


def plot_calibration(file: Path, measured: Mapping[str, Sequence[Calibration]]) -> None:
    """Draw the share of coherent pairs against the likelihood, one panel a set of music, for the ends of ``LENGTHS``.

    The area of a point is the share of pairs in its bin; bins of fewer than ``LEAST_SHARE`` are left out.
    """
    figure, axes = new_figure(rows=1, height=3.1, heights=(1,), columns=len(measured))
    for axis, (name, calibrations) in zip(axes, measured.items(), strict=True):
        axis.plot((0, 1), (0, 1), color="0.7", linewidth=1)
        for length, colour in COLOURS.items():
            for one in calibrations:
                if (one.mode, one.symmetric, one.windows) == ("both", False, length):
                    bins = zip(one.likelihoods, one.frequencies, one.shares, strict=True)
                    x, y, shares = zip(*(each for each in bins if each[2] >= LEAST_SHARE), strict=True)
                    axis.plot(x, y, color=colour, linewidth=1)
                    axis.scatter(x, y, [400 * share for share in shares], color=colour, alpha=0.6, linewidth=0)
        axis.set(xlim=(-0.06, 1.06), ylim=(-0.06, 1.06), title=name, aspect="equal", xlabel="likelihood")
        axis.set(xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
    axes[0].set_ylabel("share of coherent pairs")
    lines = [
        axes[0].plot([], [], "o-", color=colour, label=f"pairs of {SECONDS[n]}")[0] for n, colour in COLOURS.items()
    ]
    figure.legend(handles=lines, loc="outside lower center", ncols=len(lines), frameon=False)
    save_picture(figure, file)
