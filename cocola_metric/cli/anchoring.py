"""Anchors from a user's own pairs: the mean of the true ones is 1, that of the same sides shuffled is 0."""

import hashlib
import math
from collections.abc import Iterable, Sequence

import numpy as np

from ..addresses import Address, Place
from ..audio import AudioInput
from ..errors import AudioError, UsageError
from ..identity import file_sha256
from ..reading import Anchors
from ..remote import remote_bytes
from ..scorer import CocolaScorer
from ..scoring import WindowScores
from ..signature import HASH_DIGITS
from .pairs import Pair, read_pairs

SHUFFLES = 5
"""Number of foreign accompaniments that each conditioning is scored with."""
TRIES = 20
"""Draws of a foreign accompaniment, among which some belong to the conditioning."""
OWN = "own"
"""Name of the anchors in a signature, if they are made of the scored pairs themselves."""


def shuffled_pairs(pairs: Sequence[Pair], group: str | None, *, seed: int = 0) -> list[tuple[AudioInput, AudioInput]]:
    """Return conditionings with accompaniments of other pairs, drawn at random.

    Pairs with one conditioning, with one accompaniment or of one group are never mixed.

    Args:
        pairs: true pairs.
        group: column whose equal values belong together, such as track; None for none.
        seed: seed of the draws.

    Raises:
        UsageError: all pairs belong together.
    """
    rng = np.random.default_rng(seed)
    shuffled: list[tuple[AudioInput, AudioInput]] = []
    for pair in pairs:
        foreign: dict[int, None] = {}
        for drawn in rng.integers(len(pairs), size=TRIES).tolist():
            if _are_strangers(pair, pairs[drawn], group):
                foreign[drawn] = None
        shuffled += [(pair.conditioning, pairs[number].accompaniment) for number in list(foreign)[:SHUFFLES]]
    if not shuffled:
        raise UsageError("anchors need pairs of two pieces of music or more, to shuffle them; add pairs of another")
    return shuffled


def measured_anchors(scorer: CocolaScorer, file: Place, group: str | None) -> Anchors:
    """Return the anchors of a list of pairs that belong together.

    Raises:
        UsageError: the list cannot be read, or its pairs do not score higher than shuffled ones.
    """
    pairs = read_pairs(file)
    shuffled = shuffled_pairs(pairs, group)
    true = [(pair.conditioning, pair.accompaniment) for pair in pairs]
    results = list(scorer.iter_scores([*true, *shuffled], guards=False))
    return anchors_of(scores_in(results[: len(true)]), scores_in(results[len(true) :]))


def anchors_of(true: Sequence[float], shuffled: Sequence[float]) -> Anchors:
    """Return the anchors of scores of true and of shuffled pairs.

    Raises:
        UsageError: there are none of a kind, or true pairs do not score higher.
    """
    if not true or not shuffled:
        raise UsageError("anchors need scores of true and of shuffled pairs; mend the files in the messages above")
    return Anchors(float(np.mean(shuffled)), float(np.mean(true)), len(true), len(shuffled))


def scores_in(results: Iterable[WindowScores | AudioError]) -> list[float]:
    """Return the scores of those results that have one."""
    return [result.mean for result in results if not isinstance(result, AudioError) and not math.isnan(result.mean)]


def anchor_name(file: Place | None) -> str:
    """Return the name of the anchors in a signature: the hash of their list, or that they are of the scored pairs."""
    if file is None:
        return OWN
    try:
        if isinstance(file, Address):
            return hashlib.sha256(remote_bytes(file)).hexdigest()[:HASH_DIGITS]
        return file_sha256(file)[:HASH_DIGITS]
    except OSError as error:
        raise UsageError(
            f"{file}: cannot be read ({error.strerror or error}); --anchor-pairs takes a list of pairs"
        ) from error


def _are_strangers(one: Pair, other: Pair, group: str | None) -> bool:
    if one.conditioning_text == other.conditioning_text or one.accompaniment_text == other.accompaniment_text:
        return False
    return group is None or one.others.get(group) != other.others.get(group)
