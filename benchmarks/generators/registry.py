"""Generators that answer queries: real music, folders of anybody's WAVs, and the best of several answers of any."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from cocola_metric.errors import AudioError, UsageError
from cocola_metric.identity import file_sha256

from ..queries import ConditioningAudio, Query, QueryAudio
from .componet import make_componet
from .controls import Echo, Noise, Swapped
from .degraded import make_degraded
from .folder import Content, Generated, accompaniment_of, fit_length, open_generated
from .msdm import make_msdm


class Generator(Protocol):
    """A system that plays an accompaniment to what it hears.

    Attributes:
        name: of its row in Table 3.
        content: what its audio holds, "accompaniment" or "full_mix".
    """

    @property
    def name(self) -> str:
        """Name of the row."""

    @property
    def content(self) -> Content:
        """What the audio holds."""

    def unsupported(self, query: Query) -> str | None:
        """Say why a query cannot be answered (a tag the system has never heard of, …), or None."""

    def recipe(self, query: Query, audio: ConditioningAudio) -> Mapping[str, Any]:
        """Return, as plain data, all that an answer depends on but query and seed.

        Weights by their hash, steps, ``audio.fingerprint(query)`` of the conditioning (over what is heard).
        As long as it stays the same, nothing is generated again.
        """

    def generate(self, queries: Sequence[Query], audio: ConditioningAudio, rng: np.random.Generator) -> list[Generated]:
        """Answer queries, at any sample rate, each at least as long as its query.

        Args:
            queries: one batch, all supported.
            audio: the conditioning, at any rate, as a sub-mix or stem by stem.
            rng: the only source of randomness.
        """


@dataclass(frozen=True)
class GroundTruth:
    """What was really played: the upper bound of the COCOLA score (section 5.2)."""

    audio: QueryAudio
    name: str = "Ground Truth"
    content: Content = "accompaniment"

    def unsupported(self, query: Query) -> None:
        """Every query has an answer."""

    def recipe(self, query: Query, audio: ConditioningAudio) -> Mapping[str, Any]:
        """Depend on the target."""
        return {"target": self.audio.target_fingerprint(query)}

    def generate(self, queries: Sequence[Query], audio: ConditioningAudio, rng: np.random.Generator) -> list[Generated]:
        """Return m_X at the rate of its files."""
        rates = [self.audio.target_rate(query) for query in queries]
        return [Generated(self.audio.target(query, rate), rate) for query, rate in zip(queries, rates, strict=True)]


@dataclass(frozen=True)
class Random:
    """A random sub-mix of another track: real music that does not fit (section 5.2).

    The manifest names the donor of every query, so that it is the same everywhere.
    """

    audio: QueryAudio
    name: str = "Random"
    content: Content = "accompaniment"

    def unsupported(self, query: Query) -> None:
        """Every query has an answer."""

    def recipe(self, query: Query, audio: ConditioningAudio) -> Mapping[str, Any]:
        """Depend on the donor."""
        return {"donor": self.audio.donor_fingerprint(query)}

    def generate(self, queries: Sequence[Query], audio: ConditioningAudio, rng: np.random.Generator) -> list[Generated]:
        """Return the donor's sub-mix at the rate of its files."""
        rates = [self.audio.donor_rate(query) for query in queries]
        return [Generated(self.audio.donor(query, rate), rate) for query, rate in zip(queries, rates, strict=True)]


class Folder:
    """Somebody else's system: WAV or FLAC files named after the queries, made elsewhere."""

    def __init__(self, root: Path, queries_sha256: str) -> None:
        """Open a folder that answers the queries of a manifest.

        Args:
            root: holds ``<query id>.wav`` and ``generated.json``, which ``export_queries`` prepares.
            queries_sha256: of the manifest's file.

        Raises:
            UsageError: the folder does not belong to the manifest.
        """
        self.folder = open_generated(root, queries_sha256)
        self.name = str(self.folder.about.get("generator") or root.name)
        self.content = self.folder.content

    def unsupported(self, query: Query) -> str | None:
        """Take the word of ``generated.json``, {"unsupported": {query id: reason}}; other files have to be there.

        Raises:
            AudioError: there is neither a file nor a reason.
        """
        reason = dict(self.folder.about.get("unsupported") or {}).get(query.id)
        if reason is None and self.folder.path(query) is None:
            raise AudioError(
                f"{self.folder.root}: no {query.id}.wav; generate it, or give the reason in generated.json: "
                f'{{"unsupported": {{"{query.id}": "…"}}}}'
            )
        return None if reason is None else str(reason)

    def recipe(self, query: Query, audio: ConditioningAudio) -> Mapping[str, Any]:
        """Depend on the file."""
        path = self.folder.path(query)
        return {"file": file_sha256(path) if path else None, "content": self.content}

    def generate(self, queries: Sequence[Query], audio: ConditioningAudio, rng: np.random.Generator) -> list[Generated]:
        """Read the files."""
        return [self.folder.read(query) for query in queries]


class BestOf:
    """Any generator asked several times: of its answers the one with the largest L2 norm is taken.

    MSDM tends to play silence, so the paper takes the best of 12 of its answers (section 5.2), and of no other system.
    The norm is that of the accompaniment alone, within the query's window; all norms are kept.
    """

    def __init__(self, generator: Generator, candidates: int) -> None:
        """Wrap a generator.

        Raises:
            UsageError: not even one candidate.
        """
        if candidates < 1:
            raise UsageError(f"{candidates} candidates: pass one or more")
        self.generator, self.candidates = generator, candidates
        self.name, self.content = generator.name, generator.content

    def unsupported(self, query: Query) -> str | None:
        """Ask the generator."""
        return self.generator.unsupported(query)

    def recipe(self, query: Query, audio: ConditioningAudio) -> Mapping[str, Any]:
        """Add the number of candidates."""
        return {**self.generator.recipe(query, audio), "candidates": self.candidates}

    def generate(self, queries: Sequence[Query], audio: ConditioningAudio, rng: np.random.Generator) -> list[Generated]:
        """Return the loudest answer to each query; each candidate has randomness of its own."""
        rounds = [self.generator.generate(queries, audio, child) for child in rng.spawn(self.candidates)]
        return [
            self._loudest(query, answers, audio)
            for query, answers in zip(queries, zip(*rounds, strict=True), strict=True)
        ]

    def _loudest(self, query: Query, answers: Sequence[Generated], audio: ConditioningAudio) -> Generated:
        norms = [self._norm(query, answer, audio) for answer in answers]
        best = answers[int(np.argmax(norms))]
        return Generated(best.samples, best.sample_rate, tuple(norms))

    def _norm(self, query: Query, answer: Generated, audio: ConditioningAudio) -> float:
        part = fit_length(answer.samples, query, answer.sample_rate, f"{self.name}: the answer")
        if self.content == "full_mix":
            part = accompaniment_of(part, audio.conditioning(query, answer.sample_rate), self.content)
        return float(np.linalg.norm(part.astype(np.float64)))


@dataclass(frozen=True)
class Setting:
    """What generators are made from.

    Attributes:
        audio: of the queries.
        queries_sha256: of the manifest's file.
        device: as torch names it, for generators that compute.
        queries: of the manifest.
    """

    audio: QueryAudio
    queries_sha256: str
    device: str = "cpu"
    queries: Sequence[Query] = ()


def _make_folder(argument: str, setting: Setting) -> Generator:
    if not argument:
        raise UsageError("the generator folder needs a folder: write folder:DIR")
    return Folder(Path(argument).expanduser(), setting.queries_sha256)


def _make_swapped(argument: str, setting: Setting) -> Generator:
    if not argument:
        raise UsageError("the generator swapped needs answers to the same queries: write swapped:DIR")
    return Swapped(Path(argument).expanduser(), setting.queries, setting.queries_sha256)


GENERATORS: dict[str, Callable[[str, Setting], Generator]] = {
    "ground_truth": lambda argument, setting: GroundTruth(setting.audio),
    "random": lambda argument, setting: Random(setting.audio),
    "degraded": lambda argument, setting: make_degraded(argument, setting.audio),
    "noise": lambda argument, setting: Noise(setting.audio),
    "echo": lambda argument, setting: Echo(),
    "folder": _make_folder,
    "swapped": _make_swapped,
    "msdm": lambda argument, setting: make_msdm(argument, setting.device),
    "componet": lambda argument, setting: make_componet(argument, setting.device),
}
"""Name -> make(argument, setting); the argument is what follows the colon in "folder:DIR"."""


def open_generator(spec: str, setting: Setting, *, candidates: int = 1) -> Generator:
    """Make a generator from "name" or "name:argument".

    Args:
        spec: with a name of `GENERATORS`.
        setting: what it is made from.
        candidates: how often it answers each query; see `BestOf`.

    Raises:
        UsageError: there is no such generator, or its argument is no good.
    """
    name, _, argument = spec.partition(":")
    if name not in GENERATORS:
        raise UsageError(f"no generator {name!r}: pass {', '.join(GENERATORS)}")
    generator = GENERATORS[name](argument, setting)
    return generator if candidates == 1 else BestOf(generator, candidates)
