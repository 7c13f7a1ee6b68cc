"""The protocol of a generator, and the setting that one is made from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from cocola_metric.training.paper import Task

from ..queries import ConditioningAudio, Query, QueryAudio, task_of_manifest
from .content import Content
from .folder import Generated


class Generator(Protocol):
    """A system that answers queries of a task: an accompaniment to given music, its stems, an edited mix.

    Attributes:
        name: name of its row in Table 3.
        content: content of its audio, as `content_of` has it for the task of the queries.
    """

    @property
    def name(self) -> str:
        """Name of the row."""

    @property
    def content(self) -> Content:
        """Content of the audio."""

    def unsupported(self, query: Query) -> str | None:
        """Return why a query cannot be answered (a tag that the system does not know, …), or None."""

    def recipe(self, query: Query, audio: ConditioningAudio) -> Mapping[str, Any]:
        """Return, as plain data, all that an answer depends on, except for query and seed.

        For example weights by their hash, steps, and ``audio.fingerprint(query)`` of the conditioning that is read.
        As long as the recipe stays the same, nothing is generated again.
        """

    def generate(self, queries: Sequence[Query], audio: ConditioningAudio, rng: np.random.Generator) -> list[Generated]:
        """Answer queries, at any sample rate, each at least as long as its query.

        The task is ``query.task``. Where the content is "stems", an answer has one row for each part of
        ``query.accompaniment``, in the order of its tags, (N, L); otherwise it is the sum of all parts, (L,).

        Args:
            queries: queries of one batch, all supported.
            audio: conditioning of the queries, at any rate, as a sub-mix or stem by stem.
            rng: only source of randomness.
        """


def row_name(system: str, *, released: bool, small: bool) -> str:
    """Return the name of a row of Table 3; published values stand beside the released weights of a system alone.

    >>> row_name("MSDM", released=True, small=False), row_name("MSDM", released=False, small=True)
    ('MSDM', 'MSDM, small, ours')
    """
    return ", ".join([system, *(["small"] if small else []), *([] if released else ["ours"])])


@dataclass(frozen=True)
class Setting:
    """All that generators are made from.

    Attributes:
        audio: audio of the queries.
        queries_sha256: SHA-256 of the manifest's file.
        device: device in torch's words, for generators that compute.
        queries: queries of the manifest.
    """

    audio: QueryAudio
    queries_sha256: str
    device: str = "cpu"
    queries: Sequence[Query] = ()

    @property
    def task(self) -> Task:
        """The task of all queries."""
        return task_of_manifest(self.queries)
