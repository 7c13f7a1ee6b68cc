"""The tasks of Figure 3 and their measures.

| task | measures |
|---|---|
| UG | COCOLA score of one half of the generated stems with the other; FAD of the mixtures |
| AG | COCOLA score of (conditioning, answer); sub-FAD |
| SS | SI-SDR improvement, the mean over the stems that are asked for |
| EA, ER | COCOLA score of (kept, added); error on the kept part, and its share by samples; sub-FAD of the whole mix |
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cocola_metric.audio import SAMPLE_RATE
from cocola_metric.training.paper import Task

from ..generators import Generated
from ..queries import Query, QueryAudio, resample_to
from ..table3 import Answered, Cell, Manifest, Metric, measure_cell, score_in_process, summarize
from .kept import Samples, kept_error, kept_share
from .separation import si_sdr_improvements

NO_STEMS = "one mix, no stems"


@dataclass(frozen=True)
class Judges:
    """What measures are computed with.

    Attributes:
        encoder: encoder of the COCOLA score.
        embedder: embedder of the distances.
    """

    encoder: Metric
    embedder: Metric


@dataclass(frozen=True)
class Measure:
    """A measure of the answers to a task.

    Attributes:
        label: name of its column.
        higher: True if higher is better.
        cell: function of queries, answers and judges that computes it.
    """

    label: str
    higher: bool
    cell: Callable[[Manifest, Answered, Judges], Cell]


def _coherence(manifest: Manifest, one: Answered, judges: Judges) -> Cell:
    if one.queries and one.queries[0].task is Task.UG and one.folder.content != "stems":
        return Cell(missing=NO_STEMS)
    return measure_cell(manifest, one, judges.encoder, score_in_process)


def _distance(manifest: Manifest, one: Answered, judges: Judges) -> Cell:
    return measure_cell(manifest, one, judges.embedder, score_in_process)


def _by_query(measure: Callable[[Query, Generated, QueryAudio], float]) -> Callable[[Manifest, Answered, Judges], Cell]:
    """Return a measure that is the mean over queries; answers without a value are counted as silent."""

    def cell(manifest: Manifest, one: Answered, judges: Judges) -> Cell:
        if not one.queries:
            return Cell(missing=next(iter(one.unsupported.values())))
        values = {query: measure(query, one.folder.read(query), manifest.heard) for query in one.queries}
        heard = [query for query, value in values.items() if not math.isnan(value)]
        silent = len(values) - len(heard)
        if not heard:
            return Cell(missing=NO_STEMS if one.folder.content != "stems" else "silent throughout", silent=silent)
        found = summarize([values[query] for query in heard], [query.conditioning.track for query in heard])
        interval = found.interval if all(map(math.isfinite, found.interval)) else None
        deviation = found.deviation if math.isfinite(found.deviation) else None
        return Cell(found.mean, deviation, interval, found.n, found.tracks, silent)

    return cell


def separation_gain(query: Query, answer: Generated, audio: QueryAudio) -> float:
    """Return the SI-SDR improvement of an answer, the mean over the stems that are asked for; NaN without stems."""
    stems = np.atleast_2d(answer.samples)
    truth = audio.target_stems(query, SAMPLE_RATE)
    if len(stems) != len(truth):
        return math.nan
    made = np.stack([resample_to(stem, answer.sample_rate, SAMPLE_RATE) for stem in stems])
    mixture = audio.conditioning(query, SAMPLE_RATE)
    length = min(made.shape[1], len(mixture))
    return float(np.mean(si_sdr_improvements(made[:, :length], truth[:, :length], mixture[:length])))


def _kept_error(query: Query, answer: Generated, audio: QueryAudio) -> float:
    mix, kept = _beside_kept(query, answer, audio)
    return kept_error(mix, kept, SAMPLE_RATE)


def _kept_share(query: Query, answer: Generated, audio: QueryAudio) -> float:
    return kept_share(*_beside_kept(query, answer, audio))


def _beside_kept(query: Query, answer: Generated, audio: QueryAudio) -> tuple[Samples, Samples]:
    mix, kept = resample_to(answer.mix, answer.sample_rate, SAMPLE_RATE), audio.kept(query, SAMPLE_RATE)
    length = min(len(mix), len(kept))
    return mix[:length], kept[:length]


COHERENCE = Measure("COCOLA", True, _coherence)
SUB_FAD = Measure("sub-FAD", False, _distance)
EDITING = (
    COHERENCE,
    Measure("kept error (dB)", False, _by_query(_kept_error)),
    Measure("kept share", True, _by_query(_kept_share)),
    SUB_FAD,
)
TASKS: dict[Task, tuple[Measure, ...]] = {
    Task.UG: (COHERENCE, Measure("FAD", False, _distance)),
    Task.AG: (COHERENCE, SUB_FAD),
    Task.SS: (Measure("SI-SDRi (dB)", True, _by_query(separation_gain)),),
    Task.EA: EDITING,
    Task.ER: EDITING,
}
"""The measures of every task."""
