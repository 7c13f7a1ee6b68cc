"""The Fréchet distance of two Gaussians, from singular values of factors: exact for singular covariances, always real.

With covariances S1 = A^T A and S2 = B^T B, the trace of (S1 S2)^(1/2) is the sum of the singular values of A B^T. The
usual way takes square roots of the eigenvalues of S1 S2, which turns a rounding of 1e-16 into 1e-8 in every direction
in which there is no variance; singular values of factors do not.
"""

from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import scipy.linalg
from numpy.typing import ArrayLike, NDArray

from ..errors import UsageError

Array: TypeAlias = NDArray[np.float64]
NOT_A_COVARIANCE = 1e-7
"""Largest asymmetry or negative eigenvalue, relative to the largest eigenvalue: the size of float32 rounding."""
WELL_CONDITIONED = 1e-8
"""Least Cholesky pivot, relative to the largest variance; below it, eigenvalues separate signal from rounding."""


def frechet_distance(mu1: ArrayLike, sigma1: ArrayLike, mu2: ArrayLike, sigma2: ArrayLike) -> float:
    """Return the (squared) Fréchet distance of two Gaussians, in float64; never negative.

    |mu1 - mu2|^2 + Tr(sigma1 + sigma2 - 2 (sigma1 sigma2)^(1/2)) (Dowson and Landau 1982; FAD: Kilgour et al. 2019).
    Directions with less variance than a float64 covariance can hold count as having none. `embedding_distance` takes
    embeddings instead, and loses nothing to squaring.

    Shape:
        (D,), (D, D), (D,), (D, D) -> float.

    Raises:
        UsageError: dimensions differ, a value is not finite, or a matrix is not a covariance.

    >>> frechet_distance([0.0, 0.0], [[1.0, 0.0], [0.0, 0.0]], [1.0, 0.0], [[4.0, 0.0], [0.0, 0.0]])
    2.0
    """
    mean1, mean2 = _finite(mu1, "mu1", 1), _finite(mu2, "mu2", 1)
    factor1, factor2 = covariance_factor(_finite(sigma1, "sigma1", 2)), covariance_factor(_finite(sigma2, "sigma2", 2))
    _check_dimensions(len(mean1), len(mean2))
    _check_dimensions(len(mean1), factor1.shape[1])
    _check_dimensions(len(mean2), factor2.shape[1])
    return _distance(mean1 - mean2, factor1, factor2)


def embedding_distance(first: ArrayLike, second: ArrayLike) -> float:
    """Return the Fréchet distance of the Gaussians fitted to two sets of embeddings (covariances over n - 1).

    Shape:
        (n1, D), (n2, D) -> float.

    Raises:
        UsageError: a set has fewer than 2 embeddings, a value is not finite, or dimensions differ.
    """
    return Statistics.of(first).distance(Statistics.of(second))


@dataclass
class Statistics:
    """Number, mean and scatter of embeddings, updated batch by batch, in memory of at most 2 D x D numbers.

    The scatter matrix is stored as a factor and never multiplied out, so that nothing is lost to squaring. For at most
    2 D embeddings, the factor is the centred embeddings; for more, an orthogonal reduction (QR) leaves D rows.

    Attributes:
        count: number of embeddings.
        mean: mean of the embeddings, (D,); empty before the first.
        factor: factor of the scatter, (r, D), with factor^T factor the sum of (x - mean)(x - mean)^T.
    """

    count: int = 0
    mean: Array = field(default_factory=lambda: np.zeros(0))
    factor: Array = field(default_factory=lambda: np.zeros((0, 0)))

    @classmethod
    def of(cls, embeddings: ArrayLike) -> "Statistics":
        """Return the statistics of one set, (n, D)."""
        statistics = cls()
        statistics.update(embeddings)
        return statistics

    @classmethod
    def from_covariance(cls, count: int, mean: ArrayLike, covariance: ArrayLike) -> "Statistics":
        """Return statistics that another program stored as mean (D,) and covariance (D, D) of ``count`` embeddings."""
        mean, factor = _finite(mean, "mean", 1), covariance_factor(_finite(covariance, "covariance", 2))
        _check_dimensions(len(mean), factor.shape[1])
        return cls(count, mean, factor * np.sqrt(max(count - 1, 0)))

    @property
    def dimension(self) -> int:
        """The dimension D, or 0 before the first embedding."""
        return len(self.mean)

    @property
    def covariance(self) -> Array:
        """The covariance (D, D), over n - 1."""
        self._check_count()
        return self.factor.T @ self.factor / (self.count - 1)

    def update(self, embeddings: ArrayLike) -> None:
        """Add a batch of embeddings, (n, D).

        Raises:
            UsageError: the batch is not two-dimensional, holds NaN or infinite values, or has another D.
        """
        batch = _finite(embeddings, "embeddings", 2)
        if len(batch):
            mean = batch.mean(axis=0)
            self.merge(Statistics(len(batch), mean, batch - mean))

    def merge(self, other: "Statistics") -> None:
        """Add the embeddings of other statistics; the order and the grouping of merges change rounding only.

        Raises:
            UsageError: dimensions differ.
        """
        if not other.count:
            return
        if not self.count:
            self.count, self.mean, self.factor = other.count, other.mean, _reduced(other.factor, 2 * other.dimension)
            return
        _check_dimensions(self.dimension, other.dimension)
        count = self.count + other.count
        shift = other.mean - self.mean
        between = np.sqrt(self.count * (other.count / count)) * shift
        stacked = np.vstack([self.factor, other.factor, between])
        self.factor = _reduced(stacked, 2 * self.dimension)
        self.mean = self.mean + shift * (other.count / count)
        self.count = count

    def distance(self, other: "Statistics") -> float:
        """Return the Fréchet distance; never negative.

        Raises:
            UsageError: either side has fewer than 2 embeddings, or dimensions differ.
        """
        self._check_count()
        other._check_count()
        _check_dimensions(self.dimension, other.dimension)
        factors = (_reduced(each.factor, each.dimension) / np.sqrt(each.count - 1) for each in (self, other))
        return _distance(self.mean - other.mean, *factors)

    def _check_count(self) -> None:
        if self.count < 2:
            raise UsageError(f"a covariance needs 2 embeddings or more, better many more than D; got {self.count}")


def covariance_factor(covariance: Array) -> Array:
    """Return F, (r, D), with F^T F the covariance and r its numerical rank.

    Raises:
        UsageError: the matrix is not square, not symmetric, or has an eigenvalue below zero.
    """
    if covariance.shape[0] != covariance.shape[1]:
        raise UsageError(f"a covariance must be square, (D, D); got {covariance.shape}")
    size = np.abs(covariance).max(initial=0.0)
    asymmetry = np.abs(covariance - covariance.T).max(initial=0.0)
    if asymmetry > NOT_A_COVARIANCE * size:
        raise UsageError(
            f"a covariance must be symmetric; got an asymmetry of {asymmetry:.2g} at values up to {size:.2g}"
        )
    triangle: Array
    triangle, failed_at = scipy.linalg.lapack.dpotrf(covariance)
    if not failed_at and np.square(triangle.diagonal()).min(initial=np.inf) > WELL_CONDITIONED * size:
        return triangle
    values, vectors = scipy.linalg.eigh(covariance, check_finite=False, driver="evd")
    largest = values.max(initial=0.0)
    if values.min(initial=0.0) < -NOT_A_COVARIANCE * size:
        raise UsageError(
            f"a covariance has no negative eigenvalue; got {values.min():.2g} and {largest:.2g}; use float64"
        )
    kept = (
        values > len(values) * np.finfo(np.float64).eps * largest
    )  # smaller values are rounding errors of `covariance`
    factor: Array = (vectors[:, kept] * np.sqrt(values[kept])).T
    return factor


def _distance(shift: Array, factor1: Array, factor2: Array) -> float:
    product = factor1 @ factor2.T
    common = scipy.linalg.svdvals(product, check_finite=False).sum() if product.size else 0.0
    distance = shift @ shift + np.square(factor1).sum() + np.square(factor2).sum() - 2 * common
    return float(max(distance, 0.0))  # only rounding, about 1e-15 of the traces, makes it negative


def _reduced(factor: Array, most_rows: int) -> Array:
    """Return a factor of D rows with the same scatter, if there are too many rows."""
    if len(factor) <= most_rows:
        return factor
    reduced: Array = scipy.linalg.qr(factor, mode="r", check_finite=False)[0][: factor.shape[1]]
    return reduced


def _finite(values: Any, name: str, dimensions: int) -> Array:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != dimensions:
        raise UsageError(f"{name} must have shape {'(D,)' if dimensions == 1 else '(rows, D)'}; got {array.shape}")
    if not np.isfinite(array).all():
        raise UsageError(f"{name} holds NaN or infinite values; find the clip or the batch that made them")
    return array


def _check_dimensions(first: int, second: int) -> None:
    if first != second:
        raise UsageError(f"both sets must have one dimension; got {first} and {second}; use the same embedder for both")
