"""The measures of the tasks, where the answer is known."""

import numpy as np
import pytest

from cocola_metric.benchmarks.table1.kept import kept_error, kept_share
from cocola_metric.benchmarks.table1.separation import si_sdr_improvements
from cocola_metric.benchmarks.table1.tasks import TASKS
from cocola_metric.benchmarks.table3.removal import remove_part
from cocola_metric.training.paper import Task

RATE, LENGTH = 16_000, 32_000
TIME = np.arange(LENGTH) / RATE
rng = np.random.default_rng(0)
BASS, LEAD = (np.sin(2 * np.pi * pitch * TIME).astype(np.float32) for pitch in (110, 1_760))
HISS = rng.normal(0, 1, LENGTH).astype(np.float32)


def test_every_task_of_figure_3_has_measures() -> None:
    assert set(TASKS) == set(Task) - {Task.ID}
    assert all(measures for measures in TASKS.values())


def test_the_mixture_improves_nothing_and_the_truth_all() -> None:
    truth = np.stack([BASS, LEAD])
    mixture = truth.sum(axis=0)
    assert si_sdr_improvements(np.stack([mixture, mixture]), truth, mixture) == pytest.approx([0, 0], abs=1e-6)
    assert min(si_sdr_improvements(truth, truth, mixture)) > 60


@pytest.mark.parametrize("decibels", [-10, 6, 20])
def test_an_improvement_is_the_change_of_the_level_of_what_is_wrong(decibels: float) -> None:
    """Two stems of one power: the mixture has 0 dB, and a stem whose other is softer by x dB has x."""
    truth = np.stack([BASS, LEAD])
    leaking = BASS + 10 ** (-decibels / 20) * LEAD
    first, second = si_sdr_improvements(np.stack([0.3 * leaking, LEAD]), truth, BASS + LEAD)
    assert first == pytest.approx(decibels, abs=1e-3) and second > 60


def test_a_silent_stem_has_no_improvement() -> None:
    silent, real = si_sdr_improvements(np.stack([0 * BASS, LEAD]), np.stack([BASS, LEAD]), BASS + LEAD)
    assert np.isnan(silent) and real > 60


def test_what_is_kept_has_no_error_whatever_is_added() -> None:
    for mix in (BASS, BASS + LEAD, BASS + 0.1 * HISS):
        assert kept_error(mix, BASS, RATE) == pytest.approx(0, abs=0.5)
        assert kept_share(mix, BASS) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("decibels", [3, 12, 30])
def test_what_is_softer_falls_short_by_its_decibels(decibels: float) -> None:
    gain = np.float32(10 ** (-decibels / 20))
    assert kept_error(gain * BASS, BASS, RATE) == pytest.approx(decibels, abs=0.01)
    assert kept_share(gain * BASS, BASS) == pytest.approx(gain, rel=1e-5)


def test_silence_and_other_music_keep_nothing() -> None:
    assert kept_error(0 * BASS, BASS, RATE) == 40
    assert kept_error(LEAD, BASS, RATE) > 30
    assert kept_share(LEAD, BASS) == pytest.approx(0, abs=1e-4)


def test_phases_matter_to_the_share_alone() -> None:
    turned = np.cos(2 * np.pi * 110 * TIME).astype(np.float32)
    assert kept_error(turned, BASS, RATE) == pytest.approx(0, abs=0.5)
    assert kept_share(turned, BASS) == pytest.approx(0, abs=1e-3)


def test_a_part_is_removed_whatever_its_phases() -> None:
    turned = np.cos(2 * np.pi * 110 * TIME).astype(np.float32)
    inner = slice(2_000, -2_000)
    for part in (BASS, turned):
        left = remove_part(part + LEAD, BASS, RATE)
        assert left.shape == LEAD.shape and left.dtype == np.float32
        np.testing.assert_allclose(left[inner], LEAD[inner], atol=0.02)


def test_a_part_whose_samples_were_kept_is_removed_to_the_sample() -> None:
    """Whatever was added in the same bands stays."""
    added = 0.3 * np.cos(2 * np.pi * 110 * TIME).astype(np.float32) + 0.01 * HISS
    np.testing.assert_allclose(remove_part(BASS + added, BASS, RATE)[2_000:-2_000], added[2_000:-2_000], atol=0.01)


def test_a_mix_that_is_the_part_leaves_silence() -> None:
    assert not remove_part(BASS, BASS, RATE).any()
    np.testing.assert_allclose(remove_part(LEAD, 0 * BASS, RATE), LEAD, atol=1e-5)
