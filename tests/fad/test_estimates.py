"""What stands beside a FAD, on Gaussians whose true distance is known."""

import numpy as np
import pytest

from cocola_metric.errors import UsageError
from cocola_metric.fad.estimates import TrackSet, bootstrap_interval, infinity, per_song, split_half_floor
from cocola_metric.fad.frechet import embedding_distance

BOTH = {"paired": False, "seed": 0}


def tracks(count: int, dimension: int, windows: int, seed: int, *, decay: float = 0.0, shift: float = 0.0) -> TrackSet:
    """Embeddings of total variance 1, half of it between tracks."""
    generator = np.random.default_rng(seed)
    spread = np.exp(-decay * np.arange(dimension))
    spread /= np.sqrt(2 * np.square(spread).sum())
    centres = generator.normal(size=(count, 1, dimension))
    return TrackSet(list((centres + generator.normal(size=(count, windows, dimension)) + shift) * spread))


def fad(generated: TrackSet, reference: TrackSet) -> float:
    return generated.all().distance(reference.all())


@pytest.mark.parametrize(("count", "windows"), [(50, 1), (20, 40)], ids=["rows", "scatter matrices"])
def test_redrawn_tracks(count: int, windows: int) -> None:
    drawn = tracks(count, 16, windows, 0)
    indices = np.array([3, 3, 7, 0, 3, 11])
    rows = np.concatenate([drawn.tracks[index] for index in indices])
    chosen = drawn.chosen(indices)
    assert chosen.count == len(rows)
    np.testing.assert_allclose(chosen.mean, rows.mean(axis=0), atol=1e-13)
    np.testing.assert_allclose(chosen.covariance, np.cov(rows, rowvar=False), atol=1e-13)


def test_infinity_removes_the_bias_of_few_tracks() -> None:
    """Two samples of one Gaussian: the true distance is 0, FAD is far from it, its limit is not."""
    pairs = [(tracks(400, 64, 1, seed), tracks(400, 64, 1, 1000 + seed)) for seed in range(4)]
    plain = np.mean([fad(*pair) for pair in pairs])
    limits = [infinity(*pair, **BOTH) for pair in pairs]
    assert plain > 0.07
    assert abs(np.mean([limit.value for limit in limits])) < 0.1 * plain
    assert min(limit.r_squared for limit in limits) > 0.95


def test_infinity_finds_a_true_distance() -> None:
    generated, reference = tracks(400, 16, 2, 0, shift=1.0), tracks(400, 16, 2, 1)
    assert fad(generated, reference) == pytest.approx(0.5, rel=0.2)
    assert infinity(generated, reference, **BOTH).value == pytest.approx(0.5, rel=0.2)


def test_infinity_is_seeded_and_needs_tracks() -> None:
    generated, reference = tracks(30, 8, 2, 0), tracks(30, 8, 2, 1)
    assert infinity(generated, reference, **BOTH) == infinity(generated, reference, **BOTH)
    assert infinity(generated, reference, **BOTH) != infinity(generated, reference, paired=False, seed=1)
    assert infinity(tracks(7, 8, 2, 0), reference, **BOTH) is None
    assert infinity(generated, reference.all(), **BOTH).value < fad(generated, reference)


def test_the_interval_holds_the_expected_fad() -> None:
    """Of 95 % intervals, about that share holds the mean FAD of sets of this size."""
    pairs = [(tracks(40, 6, 2, seed, shift=0.7), tracks(40, 6, 2, 500 + seed)) for seed in range(60)]
    expected = np.mean([fad(*pair) for pair in pairs])
    intervals = [bootstrap_interval(*pair, resamples=60, **BOTH) for pair in pairs]
    assert np.mean([low <= expected <= high for low, high in intervals]) > 0.85
    assert all(0 <= low < high for low, high in intervals)


def test_pairing_narrows_the_interval_of_paired_sets() -> None:
    """Conditioning that both mixtures share does not count as uncertainty."""
    reference = tracks(60, 8, 2, 0)
    generated = TrackSet([track + 0.2 for track in reference.tracks])
    paired = bootstrap_interval(generated, reference, paired=True, resamples=50, seed=0)
    unpaired = bootstrap_interval(generated, reference, paired=False, resamples=50, seed=0)
    assert np.ptp(paired) < 0.1 * np.ptp(unpaired)


def test_the_floor_is_the_fad_of_halves() -> None:
    reference = tracks(200, 32, 2, 0)
    same = fad(tracks(100, 32, 2, 1), tracks(100, 32, 2, 2))
    assert split_half_floor(reference, seed=0) == pytest.approx(same, rel=0.2)
    assert split_half_floor(reference, seed=0) == split_half_floor(reference, seed=0)
    assert split_half_floor(tracks(1, 4, 5, 0), seed=0) is None
    assert split_half_floor(tracks(2, 4, 1, 0), seed=0) is None


def test_per_song() -> None:
    generated, reference = tracks(3, 8, 4, 0), tracks(30, 8, 4, 1)
    values = per_song(generated, reference.all())
    rows = np.concatenate(reference.tracks)
    assert values == pytest.approx([embedding_distance(track, rows) for track in generated.tracks], abs=1e-10)
    assert np.isnan(per_song(tracks(2, 8, 1, 0), reference.all())).all()


@pytest.mark.parametrize("sets", [[], [np.zeros((2, 3)), np.zeros((2, 4))]], ids=["none", "two dimensions"])
def test_sets_that_are_none(sets: list[np.ndarray]) -> None:
    with pytest.raises(UsageError):
        TrackSet(sets)
