"""Pictures of scores over time (extra [plot])."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .arrays import AnyArray, FloatArray, to_numpy
from .audio import SAMPLE_RATE
from .errors import MissingExtraError, UsageError
from .reading import Lengths
from .scoring import WindowScores
from .whole_files import refuse_unwritable, written_whole

SCORE_COLOUR = "#1f5f8b"
SIDE_COLOURS = ("#7a8b99", "#c06c3e")
MODE_COLOURS = (SCORE_COLOUR, "#a8437c", "#8a6d00")
FAINT_COLOUR = "#6b6b6b"
BANDS = ((True, "#2e8b57", "coherent pairs"), (False, "#b03a2e", "mismatched pairs"))
"""Coherent or not, colour and name of the known pairs behind a curve."""
ENVELOPE_POINTS = 1500


@dataclass(frozen=True)
class Curve:
    """The scores of a pair by one scorer.

    Attributes:
        scores: scores of the windows.
        reference: scores of known pairs in the same mode; None if there are none.
        signature: recipe of the scores.
        mode: mode of the scorer.
    """

    scores: WindowScores
    reference: Lengths | None
    signature: str
    mode: str = "both"

    @property
    def name(self) -> str:
        """Mode and mean, as the picture names the curve."""
        return f"{self.mode}: mean {self.scores.mean:.2f}"


def plot_scores(
    file: Path, conditioning: AnyArray, accompaniment: AnyArray, curves: Sequence[Curve], *, window: float
) -> None:
    """Draw the score of every window above the waveforms of both sides.

    Behind one curve lie the bands of known coherent and mismatched windows (5 to 95 %), if its encoder has a reference.
    Curves of several modes have scales of their own, so they are drawn as anchored scores: 0 is the mean of mismatched
    pairs of that mode, 1 that of coherent ones.

    Args:
        file: PNG, PDF or SVG file to write.
        conditioning: conditioning of the pair, mono at 16 kHz.
        accompaniment: accompaniment of the pair, likewise.
        curves: scores of the pair, one curve for each mode.
        window: length of a window, in seconds.

    Raises:
        MissingExtraError: matplotlib is not installed.
        UsageError: there are several curves, and no reference by which they share a scale.
    """
    if len(curves) > 1 and any(curve.reference is None for curve in curves):
        raise UsageError(
            "scores of several modes have no common scale without a reference; draw one mode, or windows of 5 s every "
            "2.5 s of an encoder with a reference"
        )
    figure, axes = new_figure(rows=3, height=5.4, heights=(2.6, 1, 1))
    first = curves[0].scores
    end = first.starts[-1] + window
    if len(curves) == 1:
        _draw_score(axes[0], curves[0], window, end)
    else:
        _draw_modes(axes[0], curves, window, end)
    sides = zip(axes[1:], ("conditioning", "accompaniment"), (conditioning, accompaniment), SIDE_COLOURS, strict=True)
    for axis, name, audio, colour in sides:
        _draw_envelope(axis, to_numpy(audio), colour)
        axis.set_title(name, loc="left", fontsize="small", pad=2)
        axis.set_yticks([])
        axis.sharex(axes[0])
    for axis in axes[:-1]:
        axis.tick_params(labelbottom=False)
    axes[-1].set_xlabel("time (s)")
    axes[-1].set_xlim(0, end)
    figure.legend(loc="outside upper left", frameon=False, ncols=2, fontsize="small")
    signatures = "\n".join(curve.signature for curve in curves)
    figure.supxlabel(signatures, x=0.99, ha="right", fontsize=6, color=FAINT_COLOUR)
    save_picture(figure, file)


def _draw_score(axis: Any, curve: Curve, window: float, end: float) -> None:
    """Draw the windows of one mode, their mean, and the bands of known pairs behind them."""
    scores = curve.scores
    for coherent, colour, name in BANDS if curve.reference is not None else ():
        assert curve.reference is not None
        low, _, high = curve.reference.band(coherent=coherent)
        axis.axhspan(low, high, color=colour, alpha=0.16, linewidth=0, label=f"{name}: 5 to 95 %")
    for start, value in zip(scores.starts, scores.scores, strict=True):
        axis.hlines(value, start, start + window, color=SCORE_COLOUR, alpha=0.35, linewidth=2)
    centres = np.asarray(scores.starts) + window / 2
    axis.plot(centres, scores.scores, "o-", color=SCORE_COLOUR, label="windows of this pair")
    axis.hlines(scores.mean, 0, end, color="black", linestyle=":", label=f"mean: {scores.mean:.2f}")
    axis.set_ylabel("COCOLA score")


def _draw_modes(axis: Any, curves: Sequence[Curve], window: float, end: float) -> None:
    """Draw the windows of several modes, on the scale of their references."""
    for coherent, colour, name in BANDS:
        level = float(coherent)
        axis.hlines(level, 0, end, color=colour, linewidth=1, label=f"{level:.0f}: mean of {name}")
    for curve, colour in zip(curves, MODE_COLOURS, strict=False):
        assert curve.reference is not None  # plot_scores has seen to it
        values = curve.reference.anchored(curve.scores.scores)
        axis.plot(np.asarray(curve.scores.starts) + window / 2, values, "o-", color=colour, label=curve.name)
    axis.set_ylabel("anchored score")


def draw_reference(axis: Any, values: Sequence[float], reference: Lengths | None, signature: str) -> None:
    """Draw mean scores, one for each step, between the means of known coherent and mismatched pairs."""
    axis.plot(range(1, len(values) + 1), values, "o-", color=SCORE_COLOUR, label="mean score")
    for coherent, colour, name in BANDS if reference is not None else ():
        assert reference is not None
        level = reference.coherent_mean if coherent else reference.mismatched_mean
        axis.axhline(level, color=colour, linewidth=1, label=f"mean of {name}: {level:.2f}")
    axis.set_xlim(0.5, len(values) + 0.5)
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.set_xlabel("step")
    axis.set_ylabel("COCOLA score")
    axis.legend(loc="lower left", bbox_to_anchor=(0, 1.0), frameon=False, ncols=3, fontsize="small")
    axis.figure.supxlabel(signature, x=0.99, ha="right", fontsize=6, color=FAINT_COLOUR)


def save_picture(figure: Any, file: Path) -> None:
    """Write a figure, whole or not at all, in the format of the file's suffix.

    Raises:
        OutputError: the file cannot be written.
    """
    with written_whole(file) as temporary:
        figure.savefig(temporary, dpi=150, format=_format(file))


def check_picture(file: Path) -> None:
    """Refuse a picture that could not be written, before any work is done.

    Raises:
        MissingExtraError: matplotlib is not installed.
        UsageError: the suffix is not one of a format that matplotlib writes.
        OutputError: the file cannot be written.
    """
    figure, _ = new_figure(rows=1, height=1, heights=(1,))
    kinds = figure.canvas.get_supported_filetypes()
    if _format(file) not in kinds:
        raise UsageError(f"--plot must end in .png, .pdf or .svg; got {file}")
    refuse_unwritable(file)


def _format(file: Path) -> str:
    return file.suffix.lower().removeprefix(".")


def new_figure(*, rows: int, height: float, heights: tuple[float, ...], columns: int = 1) -> tuple[Any, Any]:
    """Return a figure outside matplotlib's global state, and its axes from top to bottom, row by row."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("drawing needs matplotlib; run pip install 'cocola-metric[plot]'") from error
    figure = Figure(figsize=(8, height), layout="constrained")
    axes = np.atleast_1d(figure.subplots(rows, columns, height_ratios=heights)).ravel()
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _draw_envelope(axis: Any, waveform: FloatArray, colour: str) -> None:
    step = max(1, len(waveform) // ENVELOPE_POINTS)
    peaks = np.abs(waveform[: len(waveform) // step * step].reshape(-1, step)).max(1)
    time = np.arange(len(peaks)) * step / SAMPLE_RATE
    axis.fill_between(time, -peaks, peaks, color=colour, linewidth=0)
