"""Comparing two systems on the same pairs: exact small cases, and how often chance is taken for a difference."""

import math

import numpy as np
import pytest
from scipy import stats

from cocola_metric.comparison import compare_scores
from cocola_metric.errors import UsageError


def test_counts_and_means() -> None:
    found = compare_scores([1, 2, 3, 4], [2, 2, 2, 6], resamples=100)
    assert (found.pairs, found.groups, found.wins, found.ties, found.losses) == (4, 4, 2, 1, 1)
    assert (found.mean_baseline, found.mean_system, found.difference) == (2.5, 3.0, 0.5)
    assert found.effect_size == pytest.approx(0.5 / np.std([1, 0, -1, 2], ddof=1))


def test_the_same_scores_do_not_differ() -> None:
    found = compare_scores([1.0, 2.0, 5.0], [1.0, 2.0, 5.0])
    assert (found.difference, found.interval, found.p_bootstrap, found.p_randomization) == (0, (0, 0), 1, 1)


def test_randomisation_agrees_with_all_swaps() -> None:
    """Twelve pairs have 4,096 swaps: the share of those that differ as much is the exact p-value."""
    rng = np.random.default_rng(0)
    first, second = rng.normal(0, 1, 12), rng.normal(0.6, 1, 12)
    exact = stats.permutation_test(
        (first, second), lambda a, b, axis: np.mean(a - b, axis=axis), permutation_type="samples", n_resamples=np.inf
    ).pvalue
    assert compare_scores(first, second, resamples=50_000).p_randomization == pytest.approx(exact, abs=0.01)


def test_the_interval_is_scipys() -> None:
    rng = np.random.default_rng(1)
    differences = rng.normal(1, 2, 60)
    expected = stats.bootstrap((differences,), np.mean, n_resamples=50_000, method="BCa", random_state=2)
    found = compare_scores(np.zeros(60), differences, resamples=50_000)
    assert found.interval == pytest.approx(tuple(expected.confidence_interval), abs=0.03)


def test_pairs_of_a_track_are_no_independent_evidence() -> None:
    """Ten tracks, each with one difference repeated fifty times, are ten observations and not five hundred."""
    rng = np.random.default_rng(3)
    by_track = rng.normal(0.3, 1, 10)
    differences, tracks = np.repeat(by_track, 50), [track for track in range(10) for _ in range(50)]
    alone, grouped = (compare_scores(np.zeros(500), differences, groups) for groups in (None, tracks))
    assert alone.p_randomization < 0.02 and grouped.p_randomization > 0.3
    assert grouped.groups == 10 and np.ptp(grouped.interval) > 4 * np.ptp(alone.interval)
    assert grouped.p_randomization == pytest.approx(compare_scores(np.zeros(10), by_track).p_randomization, abs=0.02)


def test_chance_is_called_a_difference_as_often_as_it_says() -> None:
    rng = np.random.default_rng(4)
    found = [compare_scores(*rng.normal(size=(2, 30)), resamples=400, seed=seed) for seed in range(300)]
    for name in ("p_bootstrap", "p_randomization"):
        assert 0.02 < np.mean([getattr(one, name) < 0.05 for one in found]) < 0.09
    assert 0.9 < np.mean([one.interval[0] <= 0 <= one.interval[1] for one in found]) < 0.98


def test_the_order_of_the_systems_only_turns_the_sign() -> None:
    rng = np.random.default_rng(5)
    first, second = rng.normal(size=(2, 40))
    there, back = compare_scores(first, second), compare_scores(second, first)
    assert there.difference == -back.difference and there.p_randomization == back.p_randomization
    assert there.interval == pytest.approx((-back.interval[1], -back.interval[0]))


def test_one_pair_has_no_interval() -> None:
    found = compare_scores([1.0], [2.0])
    assert all(map(math.isnan, (*found.interval, found.effect_size)))


@pytest.mark.parametrize(
    ("first", "second", "groups", "message"),
    [
        ([1.0], [1.0, 2.0], None, "must be two lists of the same length"),
        ([], [], None, "no pair has a score of both systems"),
        ([1.0, float("nan")], [1.0, 2.0], None, "NaN or infinity"),
        ([1.0, 2.0], [1.0, 2.0], ["a"], "groups must be one for each of 2 pairs; got 1"),
    ],
)
def test_wrong_use_is_explained(first, second, groups, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        compare_scores(first, second, groups)
