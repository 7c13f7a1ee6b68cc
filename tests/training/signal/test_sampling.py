"""Section 3.1: windows, disjoint sub-mixes, levels."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cocola_metric.training.signal.partitions import SUBSET_LAWS
from cocola_metric.training.signal.sampling import audible, draw_subsets, level_db, mix_at_level, overlap_ratio


@given(st.integers(2, 12), st.integers(0, 10_000))
def test_subsets_are_disjoint_and_not_empty(count: int, seed: int) -> None:
    first, second = draw_subsets(range(count), np.random.default_rng(seed))
    assert first and second
    assert not set(first) & set(second)
    assert set(first) | set(second) <= set(range(count))


def test_every_stem_can_be_on_either_side() -> None:
    draws = [draw_subsets([3, 5, 8], np.random.default_rng(seed)) for seed in range(200)]
    assert {stem for first, _ in draws for stem in first} == {3, 5, 8}
    assert {stem for _, second in draws for stem in second} == {3, 5, 8}
    assert {(len(first), len(second)) for first, second in draws} == {(1, 1), (1, 2), (2, 1)}


SHARES_OF_THREE_STEMS = {
    "in_turn": {(1, 1): 1 / 4, (1, 2): 1 / 4, (2, 1): 1 / 2},
    "even": {(1, 1): 1 / 3, (1, 2): 1 / 3, (2, 1): 1 / 3},
    "single": {(1, 1): 1.0},
}


@pytest.mark.parametrize("law", SUBSET_LAWS)
@pytest.mark.parametrize("count", [2, 3, 5])
def test_sizes_come_as_often_as_the_docstring_says(law: str, count: int) -> None:
    rng, draws = np.random.default_rng(0), 6000
    counted = Counter(tuple(map(len, draw_subsets(range(count), rng, law=law))) for _ in range(draws))
    pairs = [(first, second) for first in range(1, count) for second in range(1, count - first + 1)]
    expected = {
        "in_turn": {(first, second): 1 / (count - 1) / (count - first) for first, second in pairs},
        "even": dict.fromkeys(pairs, 1 / len(pairs)),
        "single": {(1, 1): 1.0},
    }[law]
    assert count != 3 or expected == SHARES_OF_THREE_STEMS[law]
    assert set(counted) == set(expected)
    for sizes, share in expected.items():
        deviation = (share * (1 - share) / draws) ** 0.5
        assert abs(counted[sizes] / draws - share) <= 4 * deviation


@given(st.floats(-40, -6), st.integers(0, 1000))
def test_sub_mixes_have_the_level_asked_for(level: float, seed: int) -> None:
    stems = np.random.default_rng(seed).normal(0, 0.1, (3, 4000)).astype(np.float32)
    mix = mix_at_level(stems, level)
    assert level_db(mix) == pytest.approx(level, abs=1e-3)
    sum_of_stems = stems.sum(0)
    assert np.allclose(
        mix / sum_of_stems.std(), mix.std() / sum_of_stems.std() * sum_of_stems / sum_of_stems.std(), atol=1e-3
    )


def test_what_is_audible() -> None:
    stems = np.stack([np.full(100, 10 ** (level / 20), np.float32) for level in (-10.0, -44.0, -46.0)])
    assert audible(stems).tolist() == [True, True, False]
    assert audible(np.zeros((1, 100), np.float32)).tolist() == [False]


@pytest.mark.parametrize(("second", "expected"), [(0.0, 1.0), (2.5, 0.5), (4.0, 0.2), (5.0, 0.0), (90.0, 0.0)])
def test_overlap(second: float, expected: float) -> None:
    assert overlap_ratio(0.0, second, 5.0) == pytest.approx(expected)
    assert overlap_ratio(second, 0.0, 5.0) == pytest.approx(expected)
