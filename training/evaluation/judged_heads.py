"""Heads on the same validation windows, as they are and treated like those of training: accuracies in one table."""

import argparse

from cocola_metric import checkpoints

from ..encoder import judge, load_any
from .ablation import COLUMNS, FURTHER
from .encoders import labelled
from .markdown import NOTHING, markdown_table

TREATMENTS = {"validation": "as they are", "treated": "treated"}


def judged_table(judged: dict[str, dict[str, dict[str, float]]]) -> str:
    """Return a row for each encoder and each treatment of the windows, per cent.

    Args:
        judged: accuracies by encoder, treatment and measure, as `judge` returns them.
    """
    columns = COLUMNS | FURTHER
    rows = [
        [name, TREATMENTS[treatment], *(_percent(measured.get(column)) for column in columns)]
        for name, treatments in judged.items()
        for treatment, measured in treatments.items()
    ]
    return markdown_table(["", "windows", *columns.values()], rows)


def _percent(share: float | None) -> str:
    return NOTHING if share is None or share != share else f"{100 * share:.1f}"


def run(options: argparse.Namespace) -> None:
    """Print the table of the encoders on the command line."""
    trunk = checkpoints.load(options.trunk).model
    judged = {label: judge(load_any(name, trunk), options.maps) for label, name in map(labelled, options.encoders)}
    print(judged_table(judged))
