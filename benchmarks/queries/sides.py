"""The two sides of a query, drawn from the parts that sound in a window: what is given and what is asked for.

The sizes of the sets are drawn first, evenly, then the parts in them. What a task needs is the relation between its two
sets (Figure 3).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cocola_metric.training.paper import Task

from .hashed_draws import HashedDraws
from .manifest import Part, Query

Sides = tuple[list[Part], list[Part]]
"""Y and X: the parts that are given, and the parts that are asked for."""


@dataclass(frozen=True)
class SidesOfTask:
    """How the queries of a task are drawn.

    Attributes:
        least: number of parts that have to sound in a window.
        draw: function of the sounding parts that draws both sides.
    """

    least: int
    draw: Callable[[Sequence[Part], HashedDraws], Sides]


def _unconditional(parts: Sequence[Part], draws: HashedDraws) -> Sides:
    """Nothing is given; two parts or more are asked for, so that their coherence can be measured."""
    return [], draws.subset(parts, _between(2, len(parts), draws))


def _accompaniment(parts: Sequence[Part], draws: HashedDraws) -> Sides:
    given = draws.subset(parts, 1 + draws.below(len(parts) - 1))
    rest = _without(parts, given)
    return given, draws.subset(rest, 1 + draws.below(len(rest)))


def _within(parts: Sequence[Part], draws: HashedDraws) -> Sides:
    """Return a set of parts, and a smaller set within it."""
    outer = draws.subset(parts, _between(2, len(parts), draws))
    return outer, draws.subset(outer, _between(1, len(outer) - 1, draws))


def _add(parts: Sequence[Part], draws: HashedDraws) -> Sides:
    wanted, given = _within(parts, draws)
    return given, wanted


def _replace(parts: Sequence[Part], draws: HashedDraws) -> Sides:
    """Some parts are kept, some are given and dropped, some are added: one or more of each."""
    kept = draws.subset(parts, _between(1, len(parts) - 2, draws))
    rest = _without(parts, kept)
    dropped = draws.subset(rest, _between(1, len(rest) - 1, draws))
    rest = _without(rest, dropped)
    added = draws.subset(rest, _between(1, len(rest), draws))
    return _ordered(parts, kept + dropped), _ordered(parts, kept + added)


SIDES: dict[Task, SidesOfTask] = {
    Task.UG: SidesOfTask(2, _unconditional),
    Task.AG: SidesOfTask(2, _accompaniment),
    Task.SS: SidesOfTask(2, _within),
    Task.EA: SidesOfTask(2, _add),
    Task.ER: SidesOfTask(3, _replace),
}
"""The tasks of Figure 3, and how the two sides of their queries are drawn."""


def halves(query: Query) -> tuple[list[int], list[int]]:
    """Return the places of the parts that are asked for, in two sets as equal as can be, drawn from the query's id.

    Where nothing is given, the coherence of an answer is that of these two halves.
    """
    parts = len(query.accompaniment.parts)
    first = HashedDraws("halves", query.id).subset(range(parts), parts // 2)
    return first, [place for place in range(parts) if place not in first]


def _between(least: int, most: int, draws: HashedDraws) -> int:
    return least + draws.below(most - least + 1)


def _without(parts: Sequence[Part], others: Sequence[Part]) -> list[Part]:
    return [part for part in parts if part not in others]


def _ordered(parts: Sequence[Part], chosen: Sequence[Part]) -> list[Part]:
    return [part for part in parts if part in chosen]
