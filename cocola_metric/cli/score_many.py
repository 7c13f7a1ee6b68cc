"""The work of `cocola-score` with many pairs: scores in a file, and their mean with its interval and its reading."""

import argparse
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ..errors import AudioError, UsageError
from ..reading import READINGS, Anchors, percent
from ..scorer import CocolaScorer
from ..scoring import WindowScores
from ..signature import anchored_signature
from .anchoring import anchor_name, anchors_of, measured_anchors, scores_in, shuffled_pairs
from .answers import WARNING, Answer, rounded, shown
from .engine import open_pool
from .opening import open_scorer, report_failure, say_reused
from .pair_work import Outcome, outcomes_here, outcomes_there
from .pairs import Pair
from .program import say
from .score_file import ScoreFile, check_place


def score_many(options: argparse.Namespace, pairs: list[Pair]) -> Answer:
    """Score pairs into a file, and summarise them."""
    if options.out is None:
        raise UsageError("many pairs need --out FILE.csv or FILE.jsonl to write their scores to")
    if options.plot is not None:
        raise UsageError("--plot draws one pair; leave it out, or score that pair alone")
    check_place(options.out, options.pairs, with_windows=options.windows)
    anchoring = options.anchor or options.anchor_pairs is not None
    shuffled = shuffled_pairs(pairs, options.group) if anchoring and options.anchor_pairs is None else []
    pool = open_pool(options)
    scorer = open_scorer(options)
    signature = scorer.signature
    if anchoring:
        signature = anchored_signature(signature, anchor_name(options.anchor_pairs))
    anchors = None
    file = ScoreFile(
        options.out,
        signature,
        pairs,
        with_windows=options.windows,
        reference=scorer.reference,
        anchored_later=anchoring,
    )
    with file, pool as workers:
        for message in file.damaged:
            say("cocola-score", message)
        todo = [(pair.conditioning, pair.accompaniment) for pair in file.todo]
        asked = [*todo, *shuffled]  # in one run, in which each audio is embedded once
        outcomes = outcomes_here(scorer, asked) if workers is None else outcomes_there(workers, scorer, options, asked)
        failures, foreign = _write(file, outcomes, options.strict)
        if anchoring:
            anchors = _anchors(options, scorer, file, foreign)
            file.anchor(anchors)
        answer = _summary(options, file, anchors, failures)
    say_reused(scorer)
    if workers is not None and workers.done:
        say("cocola-score", workers.summary("scored", "pairs"))
    return answer


def _write(
    file: ScoreFile, outcomes: Iterator[tuple[int, Outcome]], strict: bool
) -> tuple[int, dict[int, WindowScores | AudioError]]:
    """Write the scores of the pairs without one as they come; return the number of failures, and further results."""
    todo = file.todo
    failures = 0
    further: dict[int, WindowScores | AudioError] = {}
    with tqdm(total=len(todo) + file.reused, initial=file.reused, unit="pair", disable=None) as progress:
        for number, outcome in outcomes:
            result = outcome.result
            if number >= len(todo):
                further[number] = result
                continue
            name = todo[number].name
            reason = file.write(number, str(result) if isinstance(result, AudioError) else result, outcome.content)
            progress.update()
            if reason is not None:
                failures += 1
                report_failure(reason, name, strict)
            elif isinstance(result, WindowScores):
                for remark in [outcome.silence] if outcome.silence else result.suspicions:
                    say("cocola-score", f"{name}: {remark}")
    return failures, further


def _anchors(
    options: argparse.Namespace, scorer: CocolaScorer, file: ScoreFile, shuffled: dict[int, WindowScores | AudioError]
) -> Anchors:
    if options.anchor_pairs is not None:
        return measured_anchors(scorer, options.anchor_pairs, options.group)
    return anchors_of(file.scores(), scores_in(shuffled[number] for number in sorted(shuffled)))


def _summary(options: argparse.Namespace, file: ScoreFile, anchors: Anchors | None, failures: int) -> Answer:
    means, silent, suspects = np.asarray(file.scores()), file.silent(), file.suspects()
    groups = file.groups(options.group) if options.group else list(map(str, range(len(means))))
    interval = _interval(means, groups)
    readings = {name: _mean([getattr(row, name) for row in file.rows()]) for name in READINGS}
    values: dict[str, Any] = {
        "pairs": len(file.todo) + file.reused,
        "scored": len(means),
        "reused": file.reused,
        "failed": failures,
        "silent": silent,
        "suspect": suspects,
        "mean": rounded(float(means.mean())) if len(means) else None,
        "interval": interval,
        "standard_deviation": rounded(float(means.std(ddof=1))) if len(means) > 1 else None,
        **readings,
        "out": str(options.out),
        "signature": file.signature,
    }
    if anchors is not None:
        values["anchors"] = {
            "mismatched": rounded(anchors.mismatched),
            "coherent": rounded(anchors.coherent),
            "pairs": anchors.pairs,
            "shuffled": anchors.shuffled,
        }
    counts = [f"{values[name]} {name}" for name in ("scored", "reused", "silent", "failed") if values[name]]
    lines = [
        ("pairs", f"{values['pairs']}: {', '.join(counts)}"),
        (
            "mean",
            shown(values["mean"])
            + (f"  95 % interval {shown(interval[0])} to {shown(interval[1])}" if interval else ""),
        ),
        ("reading", _reading_line(readings, anchors)),
        (WARNING, f"{suspects} pairs whose answer is an echo of its conditioning, or noise" if suspects else ""),
        ("out", values["out"]),
        ("signature", file.signature),
    ]
    plain = {name: value for name, value in values.items() if name not in ("interval", "anchors")}
    row = plain | {"interval_low": interval and interval[0], "interval_high": interval and interval[1]}
    return Answer(
        values, int(failures > 0), lines=lines, rows=[row], scores=[math.nan if not len(means) else float(means.mean())]
    )


def _reading_line(readings: dict[str, float | None], anchors: Anchors | None) -> str:
    """Return one line about where the scores lie on average; empty if nothing is known about that."""
    percentile, likelihood, anchored = readings.values()
    parts = []
    if likelihood is not None and percentile is not None:
        parts.append(
            f"on average {percent(likelihood)} likely to belong together, "
            f"higher than {percentile:.0f} of 100 pairs that do"
        )
    if anchored is not None:
        scale = "your shuffled (0) to your true (1) pairs" if anchors else "wrong (0) to right (1) pairs"
        parts.append(f"at {anchored:.2f} from {scale}")
    return "; ".join(parts)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return rounded(sum(known) / len(known)) if known else None


def _interval(scores: NDArray[np.float64], groups: Sequence[str]) -> list[float] | None:
    """Return the 95 % interval of a mean; None where there is only one group."""
    from ..intervals import clustered_interval

    interval = clustered_interval(scores, groups) if len(set(groups)) > 1 else (math.nan, math.nan)
    return None if math.isnan(interval[0]) else [round(limit, 4) for limit in interval]
