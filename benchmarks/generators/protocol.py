"""What a generator is, and what one is made from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ..queries import ConditioningAudio, Query, QueryAudio
from .content import Content
from .folder import Generated


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
