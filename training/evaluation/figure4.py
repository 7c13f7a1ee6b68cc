"""Figure 4: cosine against bilinear similarity during training, from the logs of two runs."""

import argparse
import csv
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

from cocola_metric.errors import UsageError
from cocola_metric.plot import SCORE_COLOUR, SIDE_COLOURS, new_figure, save_picture

from ..runs import read_log_lines

VALIDATION_COLUMNS = ("validation_loss", "validation_accuracy", "other_track", "same_track")
COLOURS = {"cosine": SIDE_COLOURS[1], "bilinear": SCORE_COLOUR}
PANELS = (("accuracy", "accuracy (Eq. 8)"), ("loss", "loss (Eq. 3)"))

Rows = list[dict[str, str]]


def read_log(path: Path) -> Rows:
    """Read the lines of a training log.

    Args:
        path: path of ``log.csv``, or of the run's folder.

    Raises:
        UsageError: there is no log, or it has no lines.
    """
    file = path / "log.csv" if path.is_dir() else path
    if not file.is_file():
        raise UsageError(f"{file}: no such log; give the folder of a training run, or its log.csv")
    rows = read_log_lines(file)
    if not rows:
        raise UsageError(f"{file}: no lines with a column step; give the log.csv of a training run")
    return rows


def write_validation(logs: Mapping[str, Rows], out: TextIO) -> None:
    """Write the lines of all logs that hold a validation, as CSV."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["similarity", "step", *VALIDATION_COLUMNS])
    for similarity, rows in logs.items():
        for row in rows:
            if row.get(VALIDATION_COLUMNS[0]):
                writer.writerow([similarity, row["step"], *(row.get(column, "") for column in VALIDATION_COLUMNS)])


def plot_training(file: Path, logs: Mapping[str, Rows]) -> None:
    """Draw accuracy and loss by step: thin on the training batches, thick with dots in validation.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    figure, axes = new_figure(rows=2, height=5.5, heights=(1.0, 1.0))
    for axis, (column, title) in zip(axes, PANELS, strict=True):
        for similarity, rows in logs.items():
            colour = COLOURS.get(similarity)
            axis.plot(*_curve(rows, column), color=colour, linewidth=0.8, alpha=0.4)
            axis.plot(*_curve(rows, f"validation_{column}"), "o-", color=colour, markersize=3, label=similarity)
        axis.set_ylabel(title)
        axis.legend(frameon=False)
    axes[1].sharex(axes[0])
    axes[1].set_xlabel("training step")
    save_picture(figure, file)


def _curve(rows: Rows, column: str) -> tuple[list[int], list[float]]:
    present = [row for row in rows if row.get(column)]
    return [int(row["step"]) for row in present], [float(row[column]) for row in present]


def run(options: argparse.Namespace) -> None:
    """Print the validation columns of two runs as CSV, and draw them."""
    logs = {"cosine": read_log(options.cosine), "bilinear": read_log(options.bilinear)}
    write_validation(logs, sys.stdout)
    if options.plot:
        plot_training(options.plot, logs)
