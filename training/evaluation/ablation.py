"""The worth of each part of a training recipe: runs that leave one out, beside the run with all parts."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cocola_metric.errors import UsageError

from ..encoder import CHOICES, TrainingConfig
from .figure4 import read_log
from .markdown import NOTHING, markdown_table

COLUMNS = {
    "other_track": "other track",
    "same_track": "same track",
    "shift": "late or early",
    "transpose": "transposed",
    "stretch": "stretched",
    "noise": "noise",
}
FURTHER = {f"among_{count}": f"K = {count}" for count in CHOICES} | {"below": "others above noise"}
"""Columns that only the logs of heads have."""


def ablation_table(runs: Sequence[Path]) -> str:
    """Return the last validation of every run (K = 2, in percent), and the settings in which it differs from the first.

    Args:
        runs: folders with ``training.json`` and ``log.csv``.

    Raises:
        UsageError: a run has no settings, no log, or was never validated.
    """
    settings = [_read_settings(run) for run in runs]
    lasts = [_last_validation(run) for run in runs]
    columns = COLUMNS | {name: title for name, title in FURTHER.items() if any(last.get(name) for last in lasts)}
    rows = []
    for own, last in zip(settings, lasts, strict=True):
        changes = [f"`{key} = {json.dumps(value)}`" for key, value in own.items() if value != settings[0].get(key)]
        values = [f"{100 * float(last[column]):.1f}" if last.get(column) else NOTHING for column in columns]
        rows.append([", ".join(changes) or "all parts", last["step"], *values])
    return markdown_table(["", "steps", *columns.values()], rows)


def _last_validation(run: Path) -> dict[str, str]:
    validated = [row for row in read_log(run) if row.get("other_track")]
    if not validated:
        raise UsageError(f"{run}: never validated; let it train to its end")
    return validated[-1]


def _read_settings(run: Path) -> dict[str, Any]:
    """Return the resolved settings as ``table.key``; an inner table with keys of its own is one value.

    A setting that is newer than the run has its default.
    """
    try:
        nested = json.loads((run / "training.json").read_text())
    except (OSError, ValueError) as error:
        raise UsageError(f"{run}: no settings of a training run ({error}); give its folder") from error
    return _flat(dataclasses.asdict(TrainingConfig())) | _flat(nested)


def _flat(nested: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        if isinstance(value, dict):
            flat |= {f"{key}.{inner}": deeper for inner, deeper in value.items()}
        else:
            flat[key] = value
    return flat
