"""What a guide is asked about the sources that a sampler estimates: which of their sums have to fit each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from cocola_metric.training.paper import Task

from ..guides import Bending, Guide
from ..queries import Query, halves
from .guided import Guided


class Pair(NamedTuple):
    """Two sides that have to fit, as sums of K sources.

    Attributes:
        music: music that is part of the conditioning and that no source can change, (L,).
        given: factor of each source in the conditioning, (K,).
        answer: factor of each source in the accompaniment, (K,).
    """

    music: Tensor
    given: Tensor
    answer: Tensor


def pairs_of(query: Query, rows: Sequence[int], music: Tensor, sources: int) -> list[Pair]:
    """Return the pairs of a query.

    - AG: the given music and the sum of all that is asked for.
    - UG: one half of the stems and the other, as they are judged (`halves`).
    - SS: for each stem that is asked for, the mixture without it and the stem.

    Args:
        query: query of one of these tasks.
        rows: source of each part that is asked for, in the order of its tags.
        music: music that is given, (L,); the mixture where it is to be separated.
        sources: number of sources, K.
    """

    def chosen(places: Sequence[int]) -> Tensor:
        factors = torch.zeros(sources, device=music.device)
        factors[list(places)] = 1
        return factors

    if query.task is Task.SS:
        return [Pair(music, -chosen([row]), chosen([row])) for row in sorted(set(rows))]
    if query.task is Task.UG:
        one, other = (chosen([rows[place] for place in half]) for half in halves(query))
        return [Pair(torch.zeros_like(music), one, other)]
    return [Pair(music, torch.zeros(sources, device=music.device), chosen(rows))]


@dataclass(frozen=True)
class SourcePull:
    """The gradient of the scores of pairs in estimated sources.

    Attributes:
        guide: guide that scores the pairs.
        pairs: pairs of each item of the batch.
        lengths: number of samples of each item that are scored: those of the query, at the sources' rate.
        sample_rate: rate of the sources, in Hz.
    """

    guide: Guide
    pairs: Sequence[Sequence[Pair]]
    lengths: Sequence[int]
    sample_rate: int

    def __call__(self, estimate: Tensor) -> Tensor:
        """Return the gradient: (B, K, L) -> (B, K, L)."""
        slopes = torch.zeros_like(estimate)
        for item, (pairs, length) in enumerate(zip(self.pairs, self.lengths, strict=True)):
            sources = estimate[item, :, :length]
            for pair in pairs:
                given, answer = pair.music[:length] + pair.given @ sources, pair.answer @ sources
                pull = self.guide.pull(given[None], answer[None], self.sample_rate, both=bool(pair.given.any()))
                slopes[item, :, :length] += torch.outer(pair.given, pull.given[0])
                slopes[item, :, :length] += torch.outer(pair.answer, pull.answer[0])
        return slopes


def bending(
    guided: Guided, queries: Sequence[Query], pairs: Sequence[Sequence[Pair]], sample_rate: int, sigma_data: float
) -> Bending:
    """Return the guidance of a sampler that draws the sources of some queries."""
    lengths = [round(query.seconds * sample_rate) for query in queries]
    return Bending(SourcePull(guided.guide, pairs, lengths, sample_rate), guided.guidance, sigma_data)
