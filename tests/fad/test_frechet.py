"""The Fréchet distance against closed forms, 50 digits and the usual square root; statistics that grow and merge."""

import mpmath
import numpy as np
import pytest
import scipy.linalg
from hypothesis import given
from hypothesis import strategies as st

from cocola_metric.errors import UsageError
from cocola_metric.fad.frechet import Statistics, embedding_distance, frechet_distance

EXACT = 1e-10
SETS = [(20, 24, 48, 0.0), (40, 30, 128, 0.0), (20, 24, 48, 0.5), (50, 60, 16, 0.0), (50, 60, 16, 1.5), (2, 3, 8, 0.0)]
"""n1, n2, D, and how fast the spread of the dimensions falls (e-fold per dimension)."""


def gaussians(n1: int, n2: int, dimension: int, decay: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    spread = np.exp(-decay * np.arange(dimension))
    return generator.normal(size=(n1, dimension)) * spread, generator.normal(size=(n2, dimension)) * spread + 0.1


def moments(embeddings: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return embeddings.mean(axis=0), np.cov(embeddings, rowvar=False)


def by_square_root(mu1: np.ndarray, sigma1: np.ndarray, mu2: np.ndarray, sigma2: np.ndarray) -> float:
    """The distance as frechet-audio-distance has it, and most others."""
    root = scipy.linalg.sqrtm((sigma1 @ sigma2).astype(complex))
    return ((mu1 - mu2) @ (mu1 - mu2) + np.trace(sigma1) + np.trace(sigma2) - 2 * np.trace(root)).real


def with_50_digits(first: np.ndarray, second: np.ndarray) -> mpmath.mpf:
    """The distance by its definition: the roots of the eigenvalues of S1 S2, those that are not zero."""
    with mpmath.workdps(50):
        centred, means = [], []
        for embeddings in (first, second):
            rows = mpmath.matrix(embeddings.tolist())
            mean = [mpmath.fsum(rows[:, j]) / rows.rows for j in range(rows.cols)]
            centred.append(mpmath.matrix([[row[j] - mean[j] for j in range(rows.cols)] for row in rows.tolist()]))
            means.append(mean)
        product = centred[0] * centred[1].T
        gram = product.T * product  # the eigenvalues of S1 S2 that are not zero, but for (n1 - 1)(n2 - 1)
        eigenvalues = mpmath.eigsy(gram, eigvals_only=True)
        root = mpmath.fsum(mpmath.sqrt(max(value, 0)) for value in eigenvalues)
        n1, n2 = len(first) - 1, len(second) - 1
        traces = mpmath.fsum(x * x for x in centred[0]) / n1 + mpmath.fsum(x * x for x in centred[1]) / n2
        between = mpmath.fsum((a - b) ** 2 for a, b in zip(*means, strict=True))
        return between + traces - 2 * root / mpmath.sqrt(n1 * n2)


@pytest.mark.parametrize("sizes", SETS, ids=str)
def test_against_50_digits(sizes: tuple[int, int, int, float]) -> None:
    first, second = gaussians(*sizes)
    exact = with_50_digits(first, second)
    assert abs(embedding_distance(first, second) - exact) < EXACT
    assert abs(frechet_distance(*moments(first), *moments(second)) - exact) < EXACT


def test_the_usual_way_is_off_by_a_million_times_more() -> None:
    """Fewer embeddings than dimensions: what the peers' square root loses, and this does not."""
    first, second = gaussians(40, 30, 128, 0.0)
    exact = with_50_digits(first, second)
    assert abs(by_square_root(*moments(first), *moments(second)) - exact) > 1e-7
    assert abs(frechet_distance(*moments(first), *moments(second)) - exact) < 1e-12


@pytest.mark.parametrize(("n", "dimension"), [(1000, 128), (200, 512), (60, 64), (2, 16)])
def test_identical_sets_and_affine_images(n: int, dimension: int) -> None:
    first, _ = gaussians(n, n, dimension, 0.0)
    second = 1.1 * first + 0.3
    mean, covariance = moments(first)
    shift = 0.1 * mean + 0.3
    expected = shift @ shift + 0.01 * np.trace(covariance)
    assert embedding_distance(first, first) == pytest.approx(0, abs=EXACT)
    assert frechet_distance(mean, covariance, mean, covariance) == pytest.approx(0, abs=EXACT)
    assert embedding_distance(first, second) == pytest.approx(expected, abs=EXACT)
    assert frechet_distance(mean, covariance, *moments(second)) == pytest.approx(expected, abs=EXACT)


def test_diagonal_covariances_have_a_closed_form() -> None:
    deviations1, deviations2 = np.array([3.0, 1.0, 0.0, 1e-9]), np.array([1.0, 0.0, 2.0, 1e-9])
    zero = np.zeros(4)
    distance = frechet_distance(zero, np.diag(deviations1**2), zero, np.diag(deviations2**2))
    assert distance == pytest.approx(((deviations1 - deviations2) ** 2).sum(), abs=1e-14)
    assert frechet_distance(zero, np.zeros((4, 4)), zero + 1, np.zeros((4, 4))) == 4.0


@given(st.integers(2, 12), st.integers(2, 12), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_symmetric_invariant_and_never_negative(n1: int, n2: int, dimension: int, seed: int) -> None:
    first, second = gaussians(n1, n2, dimension, 0.3, seed)
    distance = embedding_distance(first, second)
    rotation = np.linalg.qr(np.random.default_rng(seed).normal(size=(dimension, dimension)))[0]
    assert distance >= 0
    assert embedding_distance(second, first) == pytest.approx(distance, abs=EXACT)
    assert embedding_distance(first[::-1] @ rotation + 7, second @ rotation + 7) == pytest.approx(distance, abs=EXACT)
    assert embedding_distance(3 * first, 3 * second) == pytest.approx(9 * distance, abs=EXACT)


@pytest.mark.parametrize("n", [1, 7, 16, 33, 500])
@pytest.mark.parametrize("batch", [1, 5, 100])
def test_statistics_grow_and_merge(n: int, batch: int) -> None:
    embeddings, other = gaussians(n, 50, 16, 0.2)
    grown = Statistics()
    for start in range(0, n, batch):
        grown.update(embeddings[start : start + batch])
    assert grown.count == n
    np.testing.assert_allclose(grown.mean, embeddings.mean(axis=0), atol=1e-13)
    if n > 1:
        np.testing.assert_allclose(grown.covariance, np.cov(embeddings, rowvar=False), atol=1e-13)
        assert grown.distance(Statistics.of(other)) == pytest.approx(embedding_distance(embeddings, other), abs=1e-12)
    merged = Statistics.of(embeddings[n // 2 :])
    merged.merge(Statistics.of(embeddings[: n // 2]) if n > 1 else Statistics())
    np.testing.assert_allclose(merged.factor.T @ merged.factor, grown.factor.T @ grown.factor, atol=1e-11)


def test_growing_statistics_need_memory_for_the_dimensions_only() -> None:
    generator = np.random.default_rng(0)
    grown = Statistics()
    for _ in range(200):
        grown.update(generator.normal(size=(1000, 24)).astype(np.float32))
        assert grown.factor.size <= 2 * 24 * 24
    assert grown.count == 200_000
    np.testing.assert_allclose(grown.covariance, np.eye(24), atol=0.02)


def test_a_large_mean_costs_no_digits_of_the_covariance() -> None:
    embeddings, _ = gaussians(300, 2, 8, 0.0)
    grown = Statistics()
    for start in range(0, 300, 10):
        grown.update(embeddings[start : start + 10] + 1e6)
    np.testing.assert_allclose(grown.covariance, np.cov(embeddings, rowvar=False), atol=1e-9)


def test_statistics_stored_elsewhere() -> None:
    first, second = gaussians(30, 40, 64, 0.0)
    stored = Statistics.from_covariance(30, *moments(first))
    assert stored.distance(Statistics.of(second)) == pytest.approx(embedding_distance(first, second), abs=EXACT)


def test_float32_is_computed_in_float64() -> None:
    first, second = (each.astype(np.float32) for each in gaussians(100, 100, 32, 0.0))
    assert embedding_distance(first, second) == embedding_distance(first.astype(float), second.astype(float))


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (np.zeros((1, 3)), np.zeros((4, 3)), "a covariance needs 2 embeddings or more, .* got 1"),
        (np.zeros((0, 3)), np.zeros((4, 3)), "a covariance needs 2 embeddings or more, .* got 0"),
        (np.zeros((4, 3)), np.zeros((4, 2)), "must have one dimension; got 3 and 2"),
        (np.full((4, 3), np.nan), np.zeros((4, 3)), "NaN or infinite"),
        (np.full((4, 3), np.inf), np.zeros((4, 3)), "NaN or infinite"),
        (np.zeros(3), np.zeros((4, 3)), "shape"),
    ],
)
def test_embeddings_without_a_distance(first: np.ndarray, second: np.ndarray, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        embedding_distance(first, second)


@pytest.mark.parametrize(
    ("covariance", "message"),
    [
        (np.array([[1.0, 0.5], [0.0, 1.0]]), "asymmetry"),
        (np.array([[1.0, 2.0], [2.0, 1.0]]), "negative eigenvalue; got -1"),
        (np.ones((2, 3)), "square"),
        (np.eye(3), "must have one dimension"),
        (np.array([[1.0, np.nan], [np.nan, 1.0]]), "NaN"),
    ],
)
def test_matrices_that_are_no_covariance(covariance: np.ndarray, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        frechet_distance(np.zeros(2), covariance, np.zeros(2), np.eye(2))


@pytest.mark.bench
@pytest.mark.parametrize("how", ["ours", "sqrtm"])
@pytest.mark.parametrize("n", [200, 1000], ids="{} of 512".format)
@pytest.mark.parametrize("start", ["statistics", "embeddings"])
def test_speed(benchmark, start: str, n: int, how: str) -> None:
    benchmark.group = f"Fréchet distance from {start}, n = {n}, D = 512"
    first, second = gaussians(n, n, 512, 0.0)
    stored = (*moments(first), *moments(second))
    ways = {
        ("statistics", "ours"): lambda: frechet_distance(*stored),
        ("statistics", "sqrtm"): lambda: by_square_root(*stored),
        ("embeddings", "ours"): lambda: embedding_distance(first, second),
        ("embeddings", "sqrtm"): lambda: by_square_root(*moments(first), *moments(second)),
    }
    benchmark(ways[start, how])
