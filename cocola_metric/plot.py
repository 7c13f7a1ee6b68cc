"""Pictures of scores over time (extra [plot])."""

from pathlib import Path
from typing import Any

import numpy as np

from .arrays import FloatArray, to_numpy
from .audio import SAMPLE_RATE, AudioInput, read_audio
from .errors import MissingExtraError, UsageError
from .scoring import WindowScores
from .whole_files import refuse_unwritable, written_whole

SCORE_COLOUR = "#1f5f8b"
SIDE_COLOURS = ("#7a8b99", "#c06c3e")
ENVELOPE_POINTS = 1500


def plot_scores(
    file: Path, conditioning: AudioInput, accompaniment: AudioInput, scores: WindowScores, *, window: float
) -> None:
    """Draw the score of every window above the waveforms of both sides.

    Args:
        file: PNG, PDF or SVG file to write.
        conditioning: conditioning of the pair.
        accompaniment: accompaniment of the pair.
        scores: scores of the pair.
        window: length of a window, in seconds.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    figure, axes = new_figure(rows=3, height=5.0, heights=(2.2, 1, 1))
    top = axes[0]
    for start, value in zip(scores.starts, scores.scores, strict=True):
        top.hlines(value, start, start + window, color=SCORE_COLOUR, alpha=0.35, linewidth=2)
    centres = np.asarray(scores.starts) + window / 2
    top.plot(centres, scores.scores, "o-", color=SCORE_COLOUR, label="window")
    top.axhline(scores.mean, color="black", linestyle=":", label=f"mean {scores.mean:.2f}")
    top.set_ylabel("COCOLA score")
    top.legend(loc="lower right", frameon=False, ncols=2)
    sides = zip(axes[1:], ("conditioning", "accompaniment"), (conditioning, accompaniment), SIDE_COLOURS, strict=True)
    for axis, name, audio, colour in sides:
        _draw_envelope(axis, to_numpy(read_audio(audio)), colour)
        axis.set_ylabel(name)
        axis.set_yticks([])
        axis.sharex(top)
    axes[-1].set_xlabel("time (s)")
    axes[-1].set_xlim(0, scores.starts[-1] + window)
    save_picture(figure, file)


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
