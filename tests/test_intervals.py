"""The clustered bootstrap: groups are drawn as wholes, the limits are those of the draws written out."""

import numpy as np
import pytest

from cocola_metric.intervals import clustered_interval


def test_the_limits_are_percentiles_of_means_of_drawn_groups() -> None:
    values, groups = np.array([1.0, 2.0, 6.0, 3.0]), ["a", "b", "b", "c"]
    sums, counts = np.array([1.0, 8.0, 3.0]), np.array([1, 2, 1])
    drawn = np.random.default_rng(5).integers(3, size=(400, 3))
    means = sums[drawn].sum(1) / counts[drawn].sum(1)
    expected = tuple(np.percentile(means, [2.5, 97.5]))
    assert clustered_interval(values, groups, resamples=400, seed=5) == pytest.approx(expected, abs=1e-12)


def test_values_of_one_group_count_as_one_observation() -> None:
    values = np.random.default_rng(0).normal(size=12).repeat(20)
    apart = clustered_interval(values, np.arange(240))
    together = clustered_interval(values, np.arange(12).repeat(20))
    assert together[1] - together[0] > 3 * (apart[1] - apart[0])


def test_equal_values_leave_no_doubt_and_one_group_leaves_all() -> None:
    assert clustered_interval(np.ones(6), [0, 0, 1, 1, 2, 2]) == (1, 1)
    assert np.isnan(clustered_interval(np.arange(4.0), [3, 3, 3, 3])).all()
