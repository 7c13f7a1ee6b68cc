"""Figure 3: the tasks between the stems that are given, Y, and those that are asked for, X."""

from collections.abc import Collection
from enum import StrEnum

from cocola_metric.errors import UsageError


class Task(StrEnum):
    """A task: the stems Y are given, and the stems X are to be made; X is never empty."""

    UG = "unconditional generation"  # Y empty
    AG = "accompaniment generation"  # Y and X have nothing in common
    SS = "source separation"  # X strictly within Y
    EA = "editing: add"  # Y strictly within X
    ER = "editing: replace"  # they share stems, and each has stems of its own
    ID = "reconstruction"  # Y = X: trained by CompoNet's code, not in Figure 3


def task_of(given: Collection[object], wanted: Collection[object]) -> Task:
    """Return the task in which the stems ``given``, Y, lead to the stems ``wanted``, X (Figure 3).

    >>> task_of({"bass"}, {"drums"}).name, task_of({"bass", "drums"}, {"drums"}).name
    ('AG', 'SS')

    Raises:
        UsageError: ``wanted`` is empty.
    """
    y, x = frozenset(given), frozenset(wanted)
    if not x:
        raise UsageError("X is empty; ask for one stem or more")
    if not y:
        return Task.UG
    if y == x:
        return Task.ID
    if not y & x:
        return Task.AG
    if x < y:
        return Task.SS
    return Task.EA if y < x else Task.ER
