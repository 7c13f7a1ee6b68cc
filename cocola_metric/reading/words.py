"""The meaning of a score in words that a musician understands."""

from .distributions import Reading

VERDICTS = (
    (0.95, "fits"),
    (0.8, "probably fits"),
    (0.2, "unclear"),
    (0.05, "probably does not fit"),
    (0.0, "does not fit"),
)
"""Least likelihood of each verdict."""


def verdict(likelihood: float) -> str:
    """Return the verdict on a pair.

    >>> verdict(0.97), verdict(0.5)
    ('fits', 'unclear')
    """
    return next(words for least, words in VERDICTS if likelihood >= least)


def percent(likelihood: float) -> str:
    """Return a likelihood in per cent; none is called certain.

    >>> percent(0.963), percent(0.9951)
    ('96 %', 'over 99 %')
    """
    if likelihood > 0.99:
        return "over 99 %"
    return "under 1 %" if likelihood < 0.01 else f"{100 * likelihood:.0f} %"


def sentence(reading: Reading) -> str:
    """Return one line about a score.

    >>> print(sentence(Reading(percentile=31.4, likelihood=0.963, anchored=0.8, windows=4)))
    fits: 96 % likely to belong together; higher than 31 of 100 pairs that do; at 0.80 from wrong (0) to right (1) pairs
    """
    return (
        f"{verdict(reading.likelihood)}: {percent(reading.likelihood)} likely to belong together; "
        f"higher than {reading.percentile:.0f} of 100 pairs that do; "
        f"at {reading.anchored:.2f} from wrong (0) to right (1) pairs"
    )
