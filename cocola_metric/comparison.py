"""Two systems on the same pairs: is the difference of their mean scores more than chance (paired, clustered)?"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import UsageError
from .intervals import MANY_RESAMPLES, by_cluster, ratio_bootstrap


@dataclass(frozen=True)
class Comparison:
    """The comparison of two systems by their scores on the same pairs.

    Attributes:
        pairs: number of pairs that both have a score of.
        groups: number of groups that were drawn as wholes; the number of pairs where none were given.
        mean_baseline: mean score of the first system.
        mean_system: mean score of the second system.
        difference: mean of the second minus mean of the first.
        interval: 95 % BCa interval of the difference, from groups drawn with replacement.
        p_bootstrap: p-value of the paired bootstrap: share of redrawn differences, centred on 0, at least as large.
        p_randomization: p-value of approximate randomisation: share of random swaps within groups that differ as much.
        wins: number of pairs on which the second system scores higher.
        ties: number of pairs on which both score the same.
        losses: number of pairs on which it scores lower.
        effect_size: mean of the paired differences over their standard deviation (Cohen's d_z); NaN for fewer than two.
    """

    pairs: int
    groups: int
    mean_baseline: float
    mean_system: float
    difference: float
    interval: tuple[float, float]
    p_bootstrap: float
    p_randomization: float
    wins: int
    ties: int
    losses: int
    effect_size: float


def compare_scores(
    baseline: ArrayLike,
    system: ArrayLike,
    groups: Sequence[Hashable] | None = None,
    *,
    resamples: int = MANY_RESAMPLES,
    seed: int = 0,
) -> Comparison:
    """Compare two systems by their scores on the same pairs, as sacrebleu compares translations.

    Windows and stems of one track are alike, so tracks are drawn as wholes: give the track of each pair as `groups`.
    Swaps of the randomisation test keep a group together, too.

    Args:
        baseline: scores of the first system.
        system: scores of the second system on the same pairs, in the same order.
        groups: group of each pair, such as its track; None makes every pair a group.
        resamples: number of redraws and of random swaps.
        seed: seed of both.

    Shape:
        (n,), (n,) -> one comparison.

    Raises:
        UsageError: the numbers of scores differ, there is no pair, or a score is not finite.

    >>> compare_scores([1.0, 2.0, 3.0], [2.0, 3.0, 4.0]).difference
    1.0
    """
    first, second = np.asarray(baseline, dtype=np.float64), np.asarray(system, dtype=np.float64)
    _check(first, second, groups)
    differences = second - first
    sums, counts = by_cluster(differences, groups)
    observed = float(differences.mean())
    interval, redrawn = ratio_bootstrap(sums, counts, resamples=resamples, seed=seed)
    swaps = np.random.default_rng([seed, 1]).choice([-1.0, 1.0], size=(resamples, len(sums)))
    swapped = swaps @ sums / counts.sum()
    spread = float(differences.std(ddof=1)) if len(differences) > 1 else float("nan")
    return Comparison(
        pairs=len(differences),
        groups=len(sums),
        mean_baseline=float(first.mean()),
        mean_system=float(second.mean()),
        difference=observed,
        interval=interval,
        p_bootstrap=_p_value(redrawn - observed, observed),
        p_randomization=_p_value(swapped, observed),
        wins=int((differences > 0).sum()),
        ties=int((differences == 0).sum()),
        losses=int((differences < 0).sum()),
        effect_size=observed / spread if spread > 0 else float("nan"),
    )


def _check(first: NDArray[np.float64], second: NDArray[np.float64], groups: Sequence[Hashable] | None) -> None:
    if first.ndim != 1 or first.shape != second.shape:
        raise UsageError(f"scores must be two lists of the same length; got shapes {first.shape} and {second.shape}")
    if not len(first):
        raise UsageError("no pair has a score of both systems; score the same pairs with both")
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise UsageError("scores must be finite; got NaN or infinity; leave that pair out of both systems")
    if groups is not None and len(groups) != len(first):
        raise UsageError(f"groups must be one for each of {len(first)} pairs; got {len(groups)}")


def _p_value(under_chance: NDArray[np.float64], observed: float) -> float:
    """Return the two-sided share of draws by chance that differ at least as much; the observation counts as a draw."""
    tolerance = 1e-12 * max(1.0, abs(observed))
    return float((np.sum(np.abs(under_chance) >= abs(observed) - tolerance) + 1) / (len(under_chance) + 1))
