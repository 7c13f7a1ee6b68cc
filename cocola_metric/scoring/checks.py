"""Checks of inputs and scores: errors are raised, numbers of audios must agree, and silence causes a warning."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from ..arrays import FloatArray
from ..audio import AudioInput, AudioWarning
from ..blame import warn_caller
from ..errors import AudioError, UsageError

_Result = TypeVar("_Result")


def raised(result: _Result | AudioError) -> _Result:
    """Return the result of an audio, or raise its error."""
    if isinstance(result, AudioError):
        raise result
    return result


def check_counts(conditionings: Sequence[AudioInput], accompaniments: Sequence[AudioInput]) -> None:
    """Raise a UsageError unless there are as many conditionings as accompaniments."""
    if len(conditionings) != len(accompaniments):
        raise UsageError(
            f"{len(conditionings)} conditionings and {len(accompaniments)} accompaniments make no pairs; "
            "pass as many of one as of the other"
        )


def warned_of_silence(scores: FloatArray) -> FloatArray:
    """Return scores unchanged, and warn if some are NaN."""
    unscored = int(np.isnan(scores).sum())
    if unscored:
        message = f"{unscored} of {scores.size} pairs have no window with sound on both sides; their score is NaN"
        warn_caller(message, AudioWarning)
    return scores
