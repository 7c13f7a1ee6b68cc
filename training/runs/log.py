"""The log of a training run: a CSV file with a line every few steps."""

import csv
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from cocola_metric.errors import UsageError
from cocola_metric.whole_files import written_whole

LOG_FILE = "log.csv"


@dataclass(frozen=True)
class LogFormat:
    """The form of a line of the log.

    Attributes:
        columns: names of the columns.
        means: columns that are means over the steps since the last line, in the order in which a step gives them.
        rate: name of the column with the number of pairs or windows per second.
        digits: number of significant digits.
    """

    columns: tuple[str, ...]
    means: tuple[str, ...] = ("loss",)
    rate: str = "pairs_per_second"
    digits: int = 5


def read_log_lines(path: Path) -> list[dict[str, str]]:
    """Read the lines of a log; those that are cut off, as a killed run leaves its last one, are left out.

    Raises:
        UsageError: it cannot be read, or is no log.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            rows = list(reader)
    except (OSError, ValueError, csv.Error) as error:
        raise UsageError(f"{path}: cannot be read as a log ({error}); give the log.csv of a training run") from error
    if reader.fieldnames is not None and "step" not in reader.fieldnames:
        raise UsageError(f"{path}: no lines with a column step; give the log.csv of a training run")
    return [row for row in rows if None not in row.values() and None not in row and str(row["step"]).isdecimal()]


class Log:
    """A CSV file with a line every few steps; a resumed run removes lines that are later than its checkpoint."""

    def __init__(self, path: Path, form: LogFormat, done: int) -> None:
        kept: list[dict[str, str]] = []
        if path.exists():
            kept = [row for row in read_log_lines(path) if int(row["step"]) <= done]
        with written_whole(path) as unfinished, unfinished.open("w", newline="") as file:
            writer = csv.DictWriter(file, form.columns, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(kept)
        self.path, self.form = path, form
        self._start_over()

    def add(self, values: Tensor, count: int) -> None:
        """Add a step of so many pairs or windows; nothing is fetched from the device before `write`.

        Args:
            values: one value for each of ``form.means``, (n,).
            count: number of pairs or windows.
        """
        self._steps.append(values)
        self._count += count

    def write(self, step: int, measured: Mapping[str, float]) -> dict[str, str]:
        """Write a line with the means since the last one and other measurements; return the line.

        Args:
            step: number of steps made.
            measured: values by column; values without a column in the log are left out.
        """
        means = dict(zip(self.form.means, torch.stack(self._steps).mean(0).tolist(), strict=True))
        rate = self._count / max(time.monotonic() - self._started, 1e-9)
        row = means | {self.form.rate: rate} | {name: measured[name] for name in self.form.columns if name in measured}
        line = {"step": str(step), **{name: f"{value:.{self.form.digits}g}" for name, value in row.items()}}
        with self.path.open("a", newline="") as file:
            csv.DictWriter(file, self.form.columns).writerow(line)
        self._start_over()
        return line

    def _start_over(self) -> None:
        self._steps: list[Tensor] = []
        self._count, self._started = 0, time.monotonic()
