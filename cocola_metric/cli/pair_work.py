"""The scoring of pairs, in this process or in workers: the same outcome, wherever it was made."""

import argparse
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from ..addresses import Address
from ..audio import AudioInput, AudioWarning
from ..errors import AudioError, UsageError, WorkersError
from ..remote import fetch_ahead, look_at
from ..scorer import CocolaScorer
from ..scoring import WindowScores
from .contents import content_of, marks_of, sound_files
from .engine import device_of, units_of
from .opening import missing_score, open_scorer

if TYPE_CHECKING:
    from ..ray_pool import RayPool

Sides: TypeAlias = tuple[AudioInput, AudioInput]
AT_ONCE = 16
"""Most pairs that a worker is sent at once; an audio that several of them share is embedded once."""
AT_ONCE_ON_GPU = 64
TOGETHER = 256
"""Files at addresses that one process scores together."""
CHANGED = "a file was changed while it was scored; score the pair again"


@dataclass(frozen=True)
class Outcome:
    """What became of a pair.

    Attributes:
        result: its scores, or the error of one side.
        silence: the reason why it has no score, if one side is silent in every window.
        content: identity of the scored content; None where it was not looked at.
        warnings: warnings about its audio, or that of others scored with it.
    """

    result: WindowScores | AudioError
    silence: str | None = None
    content: str | None = None
    warnings: tuple[str, ...] = ()


def outcomes_here(scorer: CocolaScorer, pairs: Sequence[Sides]) -> Iterator[tuple[int, Outcome]]:
    """Yield the outcome of each pair with its number, in order.

    Each audio is embedded once. Of audio at addresses, of which each takes a request to open, so many are scored
    together; beyond that an audio is embedded again.
    """
    if not any(isinstance(file, Address) for sides in pairs for file in sound_files(*sides)):
        for number, (sides, result) in enumerate(zip(pairs, scorer.iter_scores(pairs), strict=True)):
            yield number, Outcome(result, _silence(result, sides))
        return
    number = 0
    for unit in _units(pairs):
        for outcome in score_unit(scorer, unit):
            yield number, outcome
            number += 1


def outcomes_there(
    pool: "RayPool", scorer: CocolaScorer, options: argparse.Namespace, pairs: Sequence[Sides]
) -> Iterator[tuple[int, Outcome]]:
    """Yield the outcome of each pair with its number, as workers have them ready.

    On CPUs they are those of `outcomes_here` to the last bit, for encoders with a graph.

    Args:
        pool: the workers.
        scorer: scorer of this process, whose signature those of the workers must have.
        options: options of the command, by which every worker opens a scorer of its own.
        pairs: conditioning and accompaniment of each pair.
    """
    opening = argparse.Namespace(**vars(options) | {"device": device_of(pool)})
    at_once = units_of(pool, len(pairs), AT_ONCE_ON_GPU if pool.gpus else AT_ONCE)
    told: set[str] = set()
    for number, outcome in pool.run(PairWork(opening, scorer.signature), pairs, at_once=at_once):
        if isinstance(outcome, WorkersError):
            yield number, Outcome(AudioError(f"no worker survives it ({outcome}); score it alone, in process"))
            continue
        for text in outcome.warnings:
            if text not in told:
                warnings.warn(text, AudioWarning, stacklevel=1)
        told.update(outcome.warnings)
        yield number, outcome


def score_unit(scorer: CocolaScorer, pairs: Sequence[Sides]) -> list[Outcome]:
    """Score some pairs together, and look at what they hold, before and after."""
    files = {file for sides in pairs for file in sound_files(*sides)}
    there = [file for file in files if isinstance(file, Address)]
    if there:
        look_at(there)
        fetch_ahead(there)
    before = {file: marks_of(file) for file in files}
    results = list(scorer.iter_scores(pairs))
    if there:
        look_at(there, fresh=True)
    outcomes = []
    for sides, result in zip(pairs, results, strict=True):
        content = "" if isinstance(result, AudioError) else content_of(*sides)
        if any(marks_of(file) != before[file] for file in sound_files(*sides)):
            result = AudioError(CHANGED)
        outcomes.append(Outcome(result, _silence(result, sides), content))
    return outcomes


def _units(pairs: Sequence[Sides]) -> Iterator[Sequence[Sides]]:
    """Yield neighbouring pairs of up to `TOGETHER` files or so."""
    unit: list[Sides] = []
    files: set[object] = set()
    for sides in pairs:
        unit.append(sides)
        files.update(sound_files(*sides))
        if len(files) >= TOGETHER:
            yield unit
            unit, files = [], set()
    if unit:
        yield unit


@dataclass
class PairWork:
    """What a worker is sent.

    Attributes:
        options: options by which it opens its scorer.
        signature: signature that its scores must have.
    """

    options: argparse.Namespace
    signature: str
    _opened: list[CocolaScorer] = field(default_factory=list)

    def __call__(self, pairs: Sequence[Sides]) -> list[Outcome]:
        """Score some pairs, and look at what they hold, before and after."""
        scorer = self._scorer()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("ignore")
            warnings.simplefilter("always", AudioWarning)
            outcomes = score_unit(scorer, pairs)
        told = tuple(str(warning.message) for warning in caught)
        return [Outcome(first.result, first.silence, first.content, told) for first in outcomes[:1]] + outcomes[1:]

    def _scorer(self) -> CocolaScorer:
        if not self._opened:
            scorer = open_scorer(self.options)
            if scorer.signature != self.signature:
                raise UsageError(
                    f"a worker's scores would be {scorer.signature}, not {self.signature}; install one version of the "
                    "package and of the encoder on every machine"
                )
            self._opened.append(scorer.in_threads(1) if scorer.device == "cpu" else scorer)
        return self._opened[0]


def _silence(result: WindowScores | AudioError, sides: Sides) -> str | None:
    return None if isinstance(result, AudioError) else missing_score(result, *sides)
