"""The clustered bootstrap: groups are drawn as wholes, limits are BCa and, where that is not defined, percentiles."""

import math
import warnings

import numpy as np
import pytest
from scipy import stats

from cocola_metric import intervals
from cocola_metric.intervals import by_cluster, clustered_interval, percentiles, ratio_bootstrap, redraw


def efron(numerators: np.ndarray, denominators: np.ndarray, drawn: np.ndarray) -> list[float]:
    """Return the BCa limits of a ratio, written out from Efron and Tibshirani (1993), equations 14.9 to 14.15."""
    ratio = numerators.sum() / denominators.sum()
    redrawn = numerators[drawn].sum(1) / denominators[drawn].sum(1)
    bias = stats.norm.ppf(((redrawn < ratio).mean() + (redrawn <= ratio).mean()) / 2)
    without = (numerators.sum() - numerators) / (denominators.sum() - denominators)
    influence = without.mean() - without
    acceleration = (influence**3).sum() / (6 * (influence**2).sum() ** 1.5)
    shifted = bias + stats.norm.ppf([0.025, 0.975])
    return np.quantile(redrawn, stats.norm.cdf(bias + shifted / (1 - acceleration * shifted))).tolist()


def test_the_limits_are_bca_of_means_of_drawn_groups() -> None:
    values, groups = np.array([1.0, 2.0, 6.0, 3.0, 0.5]), ["a", "b", "b", "c", "d"]
    drawn = np.random.default_rng(5).integers(4, size=(400, 4))
    expected = efron(np.array([1.0, 8.0, 3.0, 0.5]), np.array([1, 2, 1, 1]), drawn)
    assert clustered_interval(values, groups, resamples=400, seed=5) == pytest.approx(expected, abs=1e-12)


def test_a_paired_difference_has_the_interval_of_scipy() -> None:
    first, second = np.random.default_rng(1).gamma(1, size=(2, 25))
    expected = stats.bootstrap(
        (first, second),
        lambda a, b, axis: np.mean(a - b, axis=axis),
        paired=True,
        vectorized=True,
        method="BCa",
        n_resamples=3000,
        random_state=np.random.default_rng(3),
    ).confidence_interval
    found, _ = ratio_bootstrap(first - second, np.ones(25), resamples=3000, seed=3)
    assert found == pytest.approx(tuple(expected), abs=1e-12)


@pytest.mark.slow
def test_bca_holds_the_mean_of_skewed_tracks_more_often_than_percentiles() -> None:
    """Twenty tracks, as few as some test sets have, of a skewed distribution whose mean is 1."""
    held = np.zeros(2)
    for seed in range(1500):
        sums = np.random.default_rng(seed).lognormal(-0.5, 1, 20)
        bca, redrawn = ratio_bootstrap(sums, np.ones(20), resamples=1000, seed=seed)
        held += [low <= 1 <= high for low, high in (bca, percentiles(redrawn))]
    assert held[0] > held[1] + 0.01 * 1500
    assert 0.86 < held[0] / 1500 < 0.97


def test_values_of_one_group_count_as_one_observation() -> None:
    values = np.random.default_rng(0).normal(size=12).repeat(20)
    apart = clustered_interval(values, np.arange(240))
    together = clustered_interval(values, np.arange(12).repeat(20))
    assert together[1] - together[0] > 3 * (apart[1] - apart[0])


def test_equal_values_leave_no_doubt_and_one_group_leaves_all() -> None:
    assert clustered_interval(np.ones(6), [0, 0, 1, 1, 2, 2]) == (1, 1)
    assert np.isnan(clustered_interval(np.arange(4.0), [3, 3, 3, 3])).all()


def test_what_bca_cannot_tell_is_told_by_percentiles_without_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    numerators = np.array([1.0, 2.0, 5.0, 9.0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for constant in (np.ones(4), 2 * numerators):
            interval, redrawn = ratio_bootstrap(constant, constant / 2)
            assert interval == percentiles(redrawn) == (2, 2)
        accelerated, _ = ratio_bootstrap(numerators, np.ones(4))
    monkeypatch.setattr(intervals, "MOST_JACKKNIFED", 3)
    interval, redrawn = ratio_bootstrap(numerators, np.ones(4))
    assert interval == percentiles(redrawn) and interval != accelerated


def test_one_cluster_or_none_has_no_interval() -> None:
    for numerators in (np.zeros(0), np.array([2.0])):
        interval, redrawn = ratio_bootstrap(numerators, np.ones(len(numerators)), resamples=7)
        assert all(map(math.isnan, interval)) and redrawn.shape == (7,)


def test_the_order_of_the_values_changes_nothing() -> None:
    rng = np.random.default_rng(2)
    values, groups = rng.normal(size=60), rng.integers(9, size=60)
    order = rng.permutation(60)
    assert clustered_interval(values, groups) == pytest.approx(clustered_interval(values[order], groups[order]))


def test_groups_can_be_anything_with_a_hash() -> None:
    sums, counts = by_cluster(np.array([1.0, 2.0, 4.0]), [("a", 1), None, ("a", 1)])
    assert sorted(zip(sums.tolist(), counts.tolist(), strict=True)) == [(2, 1), (5, 2)]


def test_sets_are_redrawn_independently() -> None:
    def means(first: np.ndarray, second: np.ndarray) -> float:
        assert first.shape == (5,) and second.shape == (3,)
        return float(first.mean() - second.mean())

    redrawn = redraw(means, 5, 3, resamples=200, seed=0)
    again = np.random.default_rng(0)
    expected = again.integers(5, size=(200, 5)).mean(1) - again.integers(3, size=(200, 3)).mean(1)
    np.testing.assert_allclose(redrawn, expected)
