"""The six tasks partition all pairs of stem sets."""

from collections import defaultdict
from fractions import Fraction
from itertools import chain, combinations
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cocola_metric.errors import UsageError
from cocola_metric.training.paper.figure3 import Task, task_of

STEMS = frozenset("abcd")
# What CompoNet's released code trains on: sizes uniform over 1..N, Y and X drawn independently of each other.
TASK_MIX = {
    4: {Task.AG: 15.1, Task.SS: 29.7, Task.EA: 29.7, Task.ER: 15.1, Task.ID: 10.4},
    3: {Task.AG: 14.8, Task.SS: 29.6, Task.EA: 29.6, Task.ER: 7.4, Task.ID: 18.5},
    2: {Task.AG: 12.5, Task.SS: 25.0, Task.EA: 25.0, Task.ID: 37.5},
}


def subsets(size: int, least: int = 1) -> list[frozenset[int]]:
    stems = range(size)
    return [frozenset(some) for some in chain.from_iterable(combinations(stems, k) for k in range(least, size + 1))]


@pytest.mark.parametrize("stems", TASK_MIX)
def test_tasks_have_the_shares_that_the_released_code_trains(stems: int) -> None:
    mix: dict[Task, Fraction] = defaultdict(Fraction)
    for y in subsets(stems):
        for x in subsets(stems):
            chance = Fraction(1, stems * comb(stems, len(y))) * Fraction(1, stems * comb(stems, len(x)))
            mix[task_of({str(s) for s in y}, {str(s) for s in x})] += chance
    assert sum(mix.values()) == 1
    assert {task: round(float(100 * share), 1) for task, share in mix.items()} == TASK_MIX[stems]


@pytest.mark.parametrize(
    ("given", "wanted", "task"),
    [
        ("", "ab", Task.UG),
        ("ab", "cd", Task.AG),
        ("ab", "c", Task.AG),
        ("abc", "a", Task.SS),
        ("abc", "bc", Task.SS),
        ("ab", "abc", Task.EA),
        ("ab", "ac", Task.ER),
        ("abc", "bcd", Task.ER),
        ("ab", "ba", Task.ID),
    ],
)
def test_instances_of_figure_3(given: str, wanted: str, task: Task) -> None:
    assert task_of(given, wanted) is task


@given(st.frozensets(st.sampled_from("abcd")), st.frozensets(st.sampled_from("abcd"), min_size=1))
def test_exactly_one_relation_holds(y: frozenset[str], x: frozenset[str]) -> None:
    relations = {
        Task.UG: not y,
        Task.AG: bool(y) and not y & x,
        Task.SS: x < y,
        Task.EA: bool(y) and y < x,
        Task.ER: bool(y & x) and bool(y - x) and bool(x - y),
        Task.ID: x == y,
    }
    assert [task for task, holds in relations.items() if holds] == [task_of(y, x)]


def test_nothing_wanted_is_no_task() -> None:
    with pytest.raises(UsageError, match="X is empty"):
        task_of("a", "")
