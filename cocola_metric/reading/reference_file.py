"""The file of a reference: strict reading, and the hash that binds it to its weights."""

import math
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ..errors import CheckpointError
from ..identity import file_sha256
from ..json_files import json_text, read_json
from ..whole_files import write_text_whole
from .distributions import LEVELS, Lengths, PairScores
from .references import ScoreReference

REFERENCE_FILE = "reference.json"
"""Name of the file in the folder of an encoder."""
FORMAT = 1
MOST_KNOTS = 1000
REMEDY = "make it again (python -m cocola_metric.training reference), or remove the file"


def find_reference(place: Path, weights_sha256: str) -> ScoreReference | None:
    """Read the reference in the folder of an encoder; None if it has none, or is a single file.

    Raises:
        CheckpointError: the file is damaged, or was made for other weights.
    """
    file = place / REFERENCE_FILE
    return read_reference(file, weights_sha256) if file.is_file() else None


def read_reference(file: Path, weights_sha256: str) -> ScoreReference:
    """Read a reference for an encoder with these weights.

    Raises:
        CheckpointError: the file cannot be read, is damaged, or was made for other weights.
    """
    values = read_json(file, error=CheckpointError, remedy=REMEDY)
    if values.get("format") != FORMAT:
        raise CheckpointError(
            f"{file}: not a reference of this version: format must be {FORMAT}; got {values.get('format')!r:.40}; "
            f"{REMEDY}"
        )
    made_for = str(values.get("weights_sha256"))
    if made_for != weights_sha256:
        raise CheckpointError(
            f"{file}: made for other weights ({made_for[:8]!a}) than those of the encoder ({weights_sha256[:8]}); "
            f"{REMEDY}"
        )
    try:
        return _reference(values, file_sha256(file))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(f"{file}: damaged ({type(error).__name__}: {error}); {REMEDY}") from error


def write_reference(reference: ScoreReference, file: Path) -> ScoreReference:
    """Write a reference, whole or not at all; return it with the hash of its file.

    Raises:
        OutputError: the file cannot be written.
    """
    values = {"format": FORMAT, **asdict(reference)}
    del values["sha256"]
    parts = ",\n".join(f"  {json_text(part)}" for part in values.pop("parts"))
    head = json_text(values, indent=1).removesuffix("\n}")
    write_text_whole(file, f'{head},\n "parts": [\n{parts}\n ]\n}}\n')
    return replace(reference, sha256=file_sha256(file))


def copy_reference(reference: ScoreReference, folder: Path, weights_sha256: str) -> None:
    """Write the reference of an encoder beside a copy of its weights, and bind it to the copy.

    Raises:
        OutputError: the file cannot be written.
    """
    write_reference(replace(reference, weights_sha256=weights_sha256), folder / REFERENCE_FILE)


def drop_reference(folder: Path, weights_sha256: str) -> None:
    """Delete the reference of weights that were replaced; that of these weights stays.

    Raises:
        OSError: the file cannot be deleted.
    """
    try:
        find_reference(folder, weights_sha256)
    except CheckpointError:
        (folder / REFERENCE_FILE).unlink(missing_ok=True)


def _reference(values: Mapping[str, Any], sha256: str) -> ScoreReference:
    parts = tuple(_part(part) for part in values["parts"])
    if not parts:
        raise ValueError("no parts")
    return ScoreReference(
        weights_sha256=values["weights_sha256"],
        window=_number(values["window"]),
        hop=_number(values["hop"]),
        protocol=str(values["protocol"]),
        music={str(name): int(tracks) for name, tracks in values["music"].items()},
        parts=parts,
        calibration_error={str(name): _number(error) for name, error in values["calibration_error"].items()},
        sha256=sha256,
    )


def _part(values: Mapping[str, Any]) -> Lengths:
    lengths = tuple(_length(length) for length in values["lengths"])
    counts = [length.windows for length in lengths]
    if counts[:1] != [1] or counts != sorted(set(counts)):
        raise ValueError(f"lengths must rise from 1 window; got {counts[:10]}")
    part = Lengths(
        str(values["mode"]),
        bool(values["symmetric"]),
        _number(values["coherent_mean"]),
        _number(values["mismatched_mean"]),
        lengths,
    )
    if part.coherent_mean <= part.mismatched_mean:
        raise ValueError("coherent pairs score no higher than mismatched ones")
    return part


def _length(values: Mapping[str, Any]) -> PairScores:
    coherent, mismatched, scores, likelihoods = (
        tuple(map(_number, values[name])) for name in ("coherent", "mismatched", "scores", "likelihoods")
    )
    if not len(coherent) == len(mismatched) == len(LEVELS) or not 2 <= len(scores) == len(likelihoods) <= MOST_KNOTS:
        raise ValueError("a list of the wrong length")
    if any(list(rising) != sorted(rising) for rising in (coherent, mismatched, scores, likelihoods)):
        raise ValueError("a list that does not rise")
    if not 0 <= likelihoods[0] <= likelihoods[-1] <= 1:
        raise ValueError("a likelihood outside 0 to 1")
    return PairScores(int(values["windows"]), int(values["pairs"]), coherent, mismatched, scores, likelihoods)


def _number(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError("a number that is not finite")
    return number
