"""The schedules of guidance: how much of its weight counts at a noise level."""

from collections.abc import Callable

HALF = 0.5

SHARES: dict[str, Callable[[float], float]] = {
    "constant": lambda noise: 1.0,
    "rising": lambda noise: 1.0 - noise,
    "early": lambda noise: float(noise > HALF),
    "late": lambda noise: float(noise <= HALF),
}
"""Share of the weight, by the share of noise in the variance of what is sampled: 1 at the start, 0 at the end.

- constant: the whole weight in every step, as in Bayes' rule.
- rising: the more, the more music there is.
- early: only while noise is more than half.
- late: only once music is half or more.
"""


def noise_share(sigma: float, sigma_data: float) -> float:
    """Return the share of noise of level sigma that is added to music of a standard deviation.

    >>> noise_share(0.2, 0.2), noise_share(0.0, 0.2)
    (0.5, 0.0)
    """
    return sigma**2 / (sigma**2 + sigma_data**2)
