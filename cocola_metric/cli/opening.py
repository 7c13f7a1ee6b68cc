"""The scorer of a command, opened by its options, and what the commands say about a pair."""

import argparse
import math

from ..audio import AudioInput, cancelling_channels
from ..errors import AudioError
from ..scorer import CocolaScorer
from ..scoring import WindowScores
from .program import say


def open_scorer(options: argparse.Namespace) -> CocolaScorer:
    """Open the scorer that the options of a command ask for."""
    return CocolaScorer.from_pretrained(
        options.model,
        mode=options.mode,
        device=options.device,
        window=options.window,
        hop=options.hop,
        batch_size=options.batch_size,
        symmetric=options.symmetric,
        cache=options.cache,
        reference=options.reference,
    )


def say_reused(scorer: CocolaScorer) -> None:
    """Tell how many embeddings came from the cache."""
    if scorer.reused:
        say("cocola-score", f"{scorer.reused} of {scorer.requested} audios were in the cache")


def missing_score(result: WindowScores | AudioError, *sides: AudioInput) -> str | None:
    """Return the reason why there is no score, or None if there is one."""
    if isinstance(result, AudioError):
        return str(result)
    if not math.isnan(result.mean):
        return None
    hint = cancelling_channels(*sides)
    return "in every window one side is silent" + (f"; {hint}" if hint else "")


def report_failure(reason: str | None, subject: object, strict: bool) -> None:
    """Say why something was not scored.

    Raises:
        AudioError: the run is strict.
    """
    if strict:
        raise AudioError(f"{subject}: {reason}; stopped because of --strict")
    say("cocola-score", f"{subject}: {reason}")
