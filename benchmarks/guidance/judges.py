"""The judges of guided answers: encoders, and hand-made cues; each scores every answer once."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from cocola_metric.audio import is_silent, split_windows
from cocola_metric.errors import CheckpointError
from cocola_metric.json_files import json_text, read_json
from cocola_metric.scorer import CocolaScorer
from cocola_metric.training.evaluation import LEVEL_DBFS, cue_scores, fit_cue_weights, open_test_set
from cocola_metric.training.paper import Task
from cocola_metric.training.signal import mix_at_level
from cocola_metric.whole_files import make_folder, write_text_whole

from ..queries import Query
from ..table3 import Answered, Answers, Manifest, Metric, Samples, hash_of, open_metrics, read_rows, score_answers

CUES = "cues"
WINDOWS_OF_A_TRACK = 4
"""Largest number of windows of a track on which the cues are fitted."""


@dataclass(frozen=True)
class Verdict:
    """What a judge says of an answer.

    Attributes:
        score: mean score over windows; NaN where no window has sound on both sides.
        echo: likeness to an echo of the conditioning (docs/guards.md); 0 from judges without the measure.
        noise: likeness to noise.
    """

    score: float
    echo: float
    noise: float


@dataclass(frozen=True)
class CueScores:
    """The scores of a pair by hand-made cues, in the form of a scorer's `WindowScores`."""

    scores: NDArray[np.float64]
    mean_echo: float = math.nan
    mean_noise: float = math.nan

    @property
    def mean(self) -> float:
        """Mean over windows that have a score."""
        heard = self.scores[~np.isnan(self.scores)]
        return float(heard.mean()) if len(heard) else math.nan


class CueScorer:
    """Hand-made cues in the place of an encoder.

    Attributes:
        signature: recipe of the scores: the weights by their hash.
    """

    def __init__(self, weights: NDArray[np.float64]) -> None:
        """Weigh nine cues of coherence."""
        self.weights = weights
        self.signature = f"cues|weights:{hash_of([round(float(weight), 6) for weight in weights])[:8]}"

    def iter_scores(self, pairs: Iterable[tuple[Samples, Samples]], *, sample_rate: int) -> Iterator[CueScores]:
        """Yield the scores of pairs at 16 kHz, (1, L) each; windows are levelled, as they were to fit the cues."""
        for pair in pairs:
            given, answer = (np.asarray(split_windows(side[0])) for side in pair)
            heard = ~(is_silent(given) | is_silent(answer))
            scores = np.full(len(heard), math.nan)
            if heard.any():
                scores[heard] = cue_scores(self.weights, _levelled(given[heard]), _levelled(answer[heard]))
            yield CueScores(scores)


def _levelled(windows: Samples) -> torch.Tensor:
    return torch.from_numpy(np.stack([mix_at_level(window[None], LEVEL_DBFS) for window in windows]))


class Separated(Answers):
    """Separated stems beside the rest of their mixture, which they have to fit."""

    def identity(self, query: Query) -> str:
        """Return a hash of the answer and of what it is compared with."""
        return hash_of([super().identity(query), "rest of the mixture"])

    def pair(self, query: Query, sample_rate: int) -> tuple[Samples, Samples]:
        """Return the mixture without the stems that were asked for, and their sum."""
        mixture, stems = super().pair(query, sample_rate)
        return mixture - stems, stems


def open_judges(encoders: Sequence[str], cues: str | None, out: Path, device: str) -> dict[str, Metric]:
    """Open encoders, and the cues where there is music to fit them on; the fit is kept in ``<out>/cues.json``.

    Raises:
        CheckpointError: an encoder cannot be loaded.
        AudioError: there is no music to fit the cues on.
    """
    judges = {metric.column.name: metric for metric in open_metrics(encoders, [], device, None)}
    for metric in judges.values():
        if metric.column.missing:
            raise CheckpointError(metric.column.detail)
    if cues is not None:
        scorer = CueScorer(_fitted(cues, out / "cues.json"))
        first = next(iter(judges.values())).column
        column = type(first)("COCOLA", CUES, signature=scorer.signature)
        judges[CUES] = Metric(column, scorer=cast(CocolaScorer, scorer))
    return judges


def _fitted(folder: str, file: Path) -> NDArray[np.float64]:
    tracks = open_test_set(folder)
    key = hash_of([[track.name, track.seconds] for track in tracks])
    try:
        kept = read_json(file)
        if kept["key"] == key:
            return np.asarray(kept["weights"], np.float64)
    except (OSError, ValueError, KeyError):
        pass
    weights = fit_cue_weights(tracks, most_windows=WINDOWS_OF_A_TRACK)
    make_folder(file.parent)
    write_text_whole(file, json_text({"key": key, "tracks": len(tracks), "weights": weights.tolist()}) + "\n")
    return weights


def verdicts(manifest: Manifest, one: Answered, judges: Mapping[str, Metric]) -> dict[str, dict[str, Verdict]]:
    """Return what all judges say of a system's answers, by judge and query; what was judged before is kept.

    Raises:
        AudioError: an answer is missing or damaged.
    """
    task = one.queries[0].task
    answers = (Separated if task is Task.SS else Answers)(one.folder, manifest.heard)
    found = {}
    for name, metric in judges.items():
        assert metric.scorer is not None
        file = manifest.root / "scores" / name / f"{one.entry.place}.jsonl"
        score_answers(metric.scorer, one.queries, answers, file, name=f"{name}: {one.name}")
        found[name] = {str(row["id"]): _verdict(row) for row in read_rows(file)}
    return found


def _verdict(row: Mapping[str, Any]) -> Verdict:
    score = math.nan if row["score"] is None else row["score"]
    return Verdict(score, row["echo"] or 0.0, row["noise"] or 0.0)
