"""The work of the command `reference`."""

import argparse
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from cocola_metric import checkpoints
from cocola_metric.dispatch import require
from cocola_metric.encoder import fold_batch_norm
from cocola_metric.errors import UsageError
from cocola_metric.json_files import json_text
from cocola_metric.reading import REFERENCE_FILE, write_reference
from cocola_metric.whole_files import refuse_unwritable, write_text_whole

from ..evaluation import Encoders, labelled, open_test_set
from .known_pairs import ENCODER, ScoredWindows, score_windows
from .making import make_reference
from .measuring import Calibration, measure_calibration
from .report import calibration_table, plot_calibration


def run(options: argparse.Namespace) -> None:
    """Make a reference, measure it, write it, and print its calibration error.

    Raises:
        UsageError: the encoder is a single file and no --out is given, or two sets of music have one name.
        MissingExtraError: scikit-learn, or matplotlib for a picture, is not installed.
    """
    require("sklearn")
    found = checkpoints.find_encoder(options.model)
    if options.out is None and not found.path.is_dir():
        raise UsageError(f"{options.model} is a single file; pass --out, or convert it to a folder (cocola-convert)")
    out: Path = options.out or found.path / REFERENCE_FILE
    refuse_unwritable(out)
    checkpoint = checkpoints.load_found(found)
    encoders = Encoders({ENCODER: fold_batch_norm(checkpoint.model)}, device=options.device)
    reference = make_reference(checkpoint.sha256, _scored(encoders, options.music, options), seed=options.seed)
    measured = {
        name: measure_calibration(reference, windows, seed=options.seed)
        for name, windows in _scored(encoders, options.test, options).items()
    }
    reference = replace(reference, calibration_error=_stated(measured))
    reference = write_reference(reference, out)
    if options.json:
        values = {name: [dataclasses.asdict(one) for one in found] for name, found in measured.items()}
        content = {
            "weights": checkpoint.sha256,
            "reference": reference.sha256,
            "music": reference.music,
            "tests": values,
        }
        write_text_whole(options.json, json_text(content, indent=1) + "\n")
    if options.plot:
        plot_calibration(options.plot, measured)
    print(calibration_table(measured) if measured else f"{out}: sha256 {reference.sha256}")


def _scored(encoders: Encoders, specs: Sequence[str], options: argparse.Namespace) -> dict[str, ScoredWindows]:
    named = dict(map(labelled, specs))
    if len(named) < len(specs):
        raise UsageError("two sets of music have one name; give each its own, as NAME=CORPUS")
    return {
        name: score_windows(
            encoders,
            open_test_set(spec)[: options.max_tracks],
            seed=options.seed,
            most_windows=options.max_windows,
        )
        for name, spec in named.items()
    }


def _stated(measured: Mapping[str, Sequence[Calibration]]) -> dict[str, float]:
    """Return the error of single windows in the mode of all sound, by set of music."""
    return {
        name: round(one.error, 4)
        for name, calibrations in measured.items()
        for one in calibrations
        if (one.mode, one.symmetric, one.windows) == ("both", False, 1)
    }
