"""The two sides that are scored, and the mixture that is embedded: of the answers to queries, and of real music.

| task | sides of the COCOLA score | mixture of the distance |
|---|---|---|
| AG | conditioning, answer | both together |
| UG | one half of the generated stems, the other half | all stems |
| EA, ER | the kept parts, the answer without them | the answer |
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cocola_metric.errors import AudioError, UsageError
from cocola_metric.identity import file_sha256
from cocola_metric.training.corpora import Track
from cocola_metric.training.paper import Task

from ..generators import Generated, GeneratedFolder, accompaniment_of, mix_of
from ..queries import ConditioningAudio, Query, QueryAudio, Submix, halves, limit_band, resample_to
from .removal import remove_part

Samples = NDArray[np.float32]
EDITS = (Task.EA, Task.ER)
WHOLE = (Task.UG, *EDITS)
"""Tasks whose answer is the mixture, without anything beside it."""


class RememberingAudio(QueryAudio):
    """Audio of queries; each fingerprint is computed once for all generators and columns of a run."""

    def __init__(self, tracks: Sequence[Track], *, band: float | None = None) -> None:
        """Give access to tracks, as `QueryAudio` does."""
        super().__init__(tracks, band=band)
        self._taken: dict[tuple[Submix, float | None], str] = {}

    def _fingerprint(self, submix: Submix, seconds: float | None = None) -> str:
        if (submix, seconds) not in self._taken:
            self._taken[submix, seconds] = super()._fingerprint(submix, seconds)
        return self._taken[submix, seconds]


class Accompaniments(Protocol):
    """Accompaniments to the conditioning of queries: answers of a generator, or the real ones."""

    def identity(self, query: Query) -> str:
        """Return a hash of all that the audio of both sides depends on."""

    def pair(self, query: Query, sample_rate: int) -> tuple[Samples, Samples]:
        """Return conditioning and accompaniment alone, (L,) each."""

    def mix(self, query: Query, sample_rate: int) -> Samples:
        """Return both together, (L,)."""


@dataclass(frozen=True)
class Answers:
    """The answers of a generator beside the conditioning they were made for.

    Attributes:
        folder: folder of the answers.
        audio: audio of the queries; its band limits the answers too.
    """

    folder: GeneratedFolder
    audio: QueryAudio

    @property
    def whole(self) -> ConditioningAudio:
        """The conditioning as generators were given it, without a limit."""
        return self.audio if self.audio.band is None else ConditioningAudio(self.audio.tracks)

    def identity(self, query: Query) -> str:
        """Return a hash of the file, its content, the conditioning, the band, and the task unless it is AG."""
        path = self.folder.path(query)
        if path is None:
            raise AudioError(f"{self.folder.root}: no {query.id}.wav; generate it")
        heard = self.audio.fingerprint(query)
        return hash_of(
            [file_sha256(path), heard, self.folder.content, self.audio.band, query.seconds, *_other_task(query)]
        )

    def pair(self, query: Query, sample_rate: int) -> tuple[Samples, Samples]:
        """Return conditioning and answer; the conditioning is subtracted from a full mix, at the rate of its file."""
        generated = self.folder.read(query)
        if query.task is Task.UG:
            return self._halves(query, generated, sample_rate)
        if query.task in EDITS:
            kept, answer = _cut(self.audio.kept(query, sample_rate), self._heard(generated, sample_rate))
            return kept, remove_part(answer, kept, sample_rate)
        alone = generated.mix
        if self.folder.content == "full_mix":
            given = self.whole.conditioning(query, generated.sample_rate)
            alone = accompaniment_of(alone, given, self.folder.content)
        return self._beside(query, Generated(alone, generated.sample_rate), sample_rate)

    def mix(self, query: Query, sample_rate: int) -> Samples:
        """Return conditioning and answer together; the answer alone where it holds all that is asked for."""
        generated = self.folder.read(query)
        if query.task in WHOLE:
            return self._heard(generated, sample_rate)
        given, answer = self._beside(query, generated, sample_rate)
        return mix_of(answer, given, self.folder.content)

    def _halves(self, query: Query, generated: Generated, sample_rate: int) -> tuple[Samples, Samples]:
        if self.folder.content != "stems":
            raise UsageError(
                f"{self.folder.root}: no stems to compare with each other; write one channel for each stem, and "
                '"content": "stems" into its generated.json'
            )
        one, other = (
            self._heard(Generated(generated.samples[places], generated.sample_rate), sample_rate)
            for places in halves(query)
        )
        return one, other

    def _beside(self, query: Query, generated: Generated, sample_rate: int) -> tuple[Samples, Samples]:
        return _cut(self.audio.conditioning(query, sample_rate), self._heard(generated, sample_rate))

    def _heard(self, generated: Generated, sample_rate: int) -> Samples:
        """Resample an answer once, from its own rate."""
        answer = resample_to(generated.mix, generated.sample_rate, sample_rate)
        return answer if self.audio.band is None else limit_band(answer, sample_rate, self.audio.band)


@dataclass(frozen=True)
class RealMusic:
    """The real accompaniments: the reference of sub-FAD."""

    audio: QueryAudio

    def identity(self, query: Query) -> str:
        """Return a hash of both sides and the band, and the task unless it is AG."""
        given, target = self.audio.fingerprint(query), self.audio.target_fingerprint(query)
        return hash_of(["real", given, target, self.audio.band, query.seconds, *_other_task(query)])

    def pair(self, query: Query, sample_rate: int) -> tuple[Samples, Samples]:
        """Return conditioning and target."""
        return self.audio.conditioning(query, sample_rate), self.audio.target(query, sample_rate)

    def mix(self, query: Query, sample_rate: int) -> Samples:
        """Return both together; the target alone where it is all that is asked for."""
        given, target = self.pair(query, sample_rate)
        return target if query.task in WHOLE else given + target


def hash_of(content: Sequence[Any]) -> str:
    """Return a hash of plain data."""
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _other_task(query: Query) -> list[str]:
    """Return the task, for keys; nothing for AG, whose keys are older than the other tasks."""
    return [] if query.task is Task.AG else [query.task.name]


def _cut(one: Samples, other: Samples) -> tuple[Samples, Samples]:
    """Cut both to one length: two rates may round it differently by a sample."""
    length = min(len(one), len(other))
    return one[:length], other[:length]
