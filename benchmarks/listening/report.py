"""The table of agreement with people, in Markdown."""

import math
from pathlib import Path

from cocola_metric.errors import UsageError
from cocola_metric.intervals import Interval
from cocola_metric.training.evaluation import NOTHING, markdown_table

from .agreement import Agreement, Share, agreement, reliability
from .tables import RATINGS_FILE, mean_ratings, published_scores, read_ratings, read_scores

COLUMNS = ("metric", "all pairs", "against the real stem", "between generators", "rank correlation", "pairs", "items")


def report(scores_file: Path | None, ratings_file: Path | None, *, real: str, seed: int) -> str:
    """Return the table of the published metrics, with the metrics of a file beside them if one is given.

    Args:
        scores_file: scores to be judged; None for the published ones alone.
        ratings_file: ratings to judge by; None for the published ones. The published metrics are shown only beside
            those.
        real: name of the system that is the real stem.
        seed: seed of intervals and split halves.

    Raises:
        UsageError: a file cannot be used, or no rated system has scores.
    """
    if ratings_file is not None and scores_file is None:
        raise UsageError("--ratings needs --scores: the published metrics were computed on their own audio only")
    ratings = read_ratings(ratings_file or RATINGS_FILE)
    means = mean_ratings(ratings)
    if not any(real in systems for systems in means.values()):
        systems = sorted({system for item in means.values() for system in item})
        raise UsageError(f"--real must be one of the rated systems {', '.join(systems)}; got {real}")
    metrics = published_scores() if ratings_file is None else {}
    if scores_file is not None:
        metrics |= read_scores(scores_file)
    rows = {name: agreement(means, scores, real=real, seed=seed) for name, scores in metrics.items()}
    if unmatched := [name for name, row in rows.items() if not row.items]:
        raise UsageError(
            f"{scores_file}: {', '.join(unmatched)}: no item with two rated systems; compare song and stem"
        )
    ordered = sorted(rows.items(), key=lambda row: -row[1].every.value)
    table = markdown_table(COLUMNS, [_row(name, row) for name, row in ordered])
    about = (
        f"{len(ratings)} ratings by {len({rating.rater for rating in ratings})} raters of {len(means)} items; "
        f"split-half reliability {reliability(ratings, seed=seed):.2f} (Spearman-Brown). Share of pairs of systems "
        "within an item that the scores order as the mean ratings do, in %; equal scores count half. In brackets 95 % "
        "BCa intervals, items redrawn."
    )
    return "\n\n".join([about, table, *[_of_equal_scores(name, row) for name, row in ordered if row.equal]])


def _of_equal_scores(name: str, found: Agreement) -> str:
    """Return a note on a metric that gives many systems the same score."""
    wrong, half = (100 * (found.every.value - share * found.equal / found.every.pairs) for share in (0.5, 0))
    return (
        f"{name} gives {found.equal} of {found.every.pairs} pairs equal scores: {half:.1f} % if these count half, "
        f"{wrong:.1f} if as wrong, {100 * found.equal_by_name:.1f} if the system whose name comes first loses them."
    )


def _row(name: str, found: Agreement) -> tuple[str, ...]:
    shares = (found.every, found.against_real, found.generated)
    correlation = _number(found.correlation, found.correlation_interval, 1, 2)
    return (name, *map(_share, shares), correlation, str(found.every.pairs), str(found.items))


def _share(share: Share) -> str:
    return _number(share.value, share.interval, 100, 1)


def _number(value: float, interval: Interval, scale: float, digits: int) -> str:
    if math.isnan(value):
        return NOTHING
    text = f"{scale * value:.{digits}f}"
    low, high = (f"{scale * end:.{digits}f}" for end in interval)
    return text if math.isnan(interval[0]) else f"{text} [{low}, {high}]"
