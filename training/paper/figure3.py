"""Figure 3: the tasks between the stems that are given, Y, and those that are asked for, X."""

from collections.abc import Collection
from enum import StrEnum

from cocola_metric.errors import UsageError


class Task(StrEnum):
    """What is asked of a system that is given the stems Y and has to make the stems X; X is never empty."""

    UG = "unconditional generation"  # Y empty
    AG = "accompaniment generation"  # Y and X have nothing in common
    SS = "source separation"  # X strictly within Y
    EA = "editing: add"  # Y strictly within X
    ER = "editing: replace"  # they share stems, and each has stems of its own
    ID = "reconstruction"  # Y = X: trained by CompoNet's code, not in Figure 3


def task_of(given: Collection[object], wanted: Collection[object]) -> Task:
    """Return the task that asks for the stems ``wanted``, X, of one who hears the stems ``given``, Y (Figure 3).

    >>> task_of({"bass"}, {"drums"}).name, task_of({"bass", "drums"}, {"drums"}).name
    ('AG', 'SS')

    Raises:
        UsageError: nothing is wanted.
    """
    y, x = frozenset(given), frozenset(wanted)
    if not x:
        raise UsageError("X is empty: a task asks for one stem or more")
    if not y:
        return Task.UG
    if y == x:
        return Task.ID
    if not y & x:
        return Task.AG
    if x < y:
        return Task.SS
    return Task.EA if y < x else Task.ER
