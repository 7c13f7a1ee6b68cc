"""Table 2: encoders by test sets, beside shortcuts and hand-made cues on the same sub-mixes."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from ..corpora import Track
from ..signal import PARTITIONS, SubmixCues, join_cues, measure_cues
from .baselines import BASELINES, baseline_wins
from .classification import Accuracy, accuracy_with_interval, draw_negatives, share_of_wins
from .encoders import Encoders
from .held_out import HOP, in_batches, read_submixes
from .markdown import NOTHING, markdown_table
from .protocols import DESCRIPTIONS
from .retrieval import accuracies_among, retrieval_markdown

NEGATIVES = {"other_track": False, "same_track": True}
TITLES = {
    "other_track": "negatives from other tracks",
    "same_track": "negatives from the same track",
    "track": "stems split once per track",
    "window": "stems split anew per window",
}
NOTE = f"""\
The tables above follow the strict protocol: {DESCRIPTIONS["strict"]}; among K windows,
batches of K, and a tie is no win. No published value stands beside them: it would not measure the same. In brackets:
95 % BCa interval, resampling tracks. In italics: logistic regressions on a few cues of the same sub-mixes,
cross-validated by track. Loudness (its contour: all levels are equal) and spectral shape are shortcuts that tell
nothing of coherence."""


@dataclass(frozen=True)
class Result:
    """An accuracy in Table 2.

    Attributes:
        partition: partition of the stems, "track" or "window".
        negatives: source of the negatives, "other_track" or "same_track".
        test: name of the test set.
        listener: name of the encoder or baseline.
        is_baseline: flag of a baseline.
        accuracy: accuracy; None if it could not be measured.
        among: accuracies of an encoder among K windows, by K; only with negatives of other tracks.
    """

    partition: str
    negatives: str
    test: str
    listener: str
    is_baseline: bool
    accuracy: Accuracy | None
    among: dict[int, Accuracy | None] | None = None


@dataclass(frozen=True)
class MeasuredWindows:
    """Embeddings and cues of the windows of a test set.

    Attributes:
        track: number of each window's track, (n,).
        embeddings: embeddings of both sides, by encoder, (n, 2, D).
        cues: cues of both sides.
    """

    track: NDArray[np.int64]
    embeddings: dict[str, Tensor]
    cues: tuple[SubmixCues, SubmixCues]


def measure_table(
    encoders: Encoders,
    tests: Mapping[str, Sequence[Track]],
    *,
    partitions: Sequence[str] = PARTITIONS,
    hop: float = HOP,
    seed: int = 0,
    most_windows: int | None = None,
) -> list[Result]:
    """Measure every encoder and baseline on every test set, all on the same sub-mixes and the same negatives.

    Args:
        encoders: encoders to be compared.
        tests: tracks by name of the test set.
        partitions: partitions, as for ``held_out.read_submixes``.
        hop: time from one window's start to the next, in seconds.
        seed: seed of all draws.
        most_windows: largest number of windows of a track; None for no limit.
    """
    results = []
    for test, tracks in tests.items():
        everything = measure_test_set(
            encoders, tracks, title=test, partitions=partitions, hop=hop, seed=seed, most_windows=most_windows
        )
        for partition, heard in everything.items():
            for negatives, same_track in NEGATIVES.items():
                for listener, is_baseline, wins in _wins_of_everyone(encoders, heard, same_track, seed):
                    accuracy = accuracy_with_interval(wins, heard.track, seed=seed)
                    among = None
                    if not (is_baseline or same_track):
                        sides = encoders.sides(listener, *heard.embeddings[listener].unbind(1))
                        among = accuracies_among(*sides, heard.track, seed=seed)
                    results.append(Result(partition, negatives, test, listener, is_baseline, accuracy, among))
    return results


def measure_test_set(
    encoders: Encoders,
    tracks: Sequence[Track],
    *,
    title: str = "embedding",
    partitions: Sequence[str] = PARTITIONS,
    hop: float = HOP,
    seed: int = 0,
    most_windows: int | None = None,
) -> dict[str, MeasuredWindows]:
    """Embed and measure the sub-mixes of a test set, a few windows at a time; no waveform is kept.

    Returns:
        Embeddings and cues by partition; a partition without windows is absent.
    """
    owners: dict[str, list[int]] = {partition: [] for partition in partitions}
    embedded: dict[str, dict[str, list[Tensor]]] = {partition: {} for partition in partitions}
    cues: dict[str, list[SubmixCues]] = {partition: [] for partition in partitions}
    for number, track in enumerate(tqdm(tracks, desc=title, unit="track", disable=None)):
        windows = read_submixes(track, number, partitions=partitions, hop=hop, seed=seed, most=most_windows)
        for partition, waveforms in in_batches(windows):
            owners[partition] += [number] * len(waveforms)
            flat = waveforms.flatten(0, 1)
            cues[partition].append(measure_cues(flat))
            for (name, _), rows in encoders.embed(flat).items():
                embedded[partition].setdefault(name, []).append(rows.view(-1, 2, rows.shape[1]))
    heard = {}
    for partition in partitions:
        if owners[partition]:
            joined = join_cues(cues[partition])
            sides = SubmixCues(*(values[0::2] for values in joined)), SubmixCues(*(values[1::2] for values in joined))
            embeddings = {name: torch.cat(parts) for name, parts in embedded[partition].items()}
            heard[partition] = MeasuredWindows(np.asarray(owners[partition]), embeddings, sides)
    return heard


def table_2_markdown(results: Sequence[Result]) -> str:
    """Return Table 2 by the strict protocol as Markdown: one table per partition and negatives."""
    blocks = []
    for partition, negatives in dict.fromkeys((result.partition, result.negatives) for result in results):
        chosen = [result for result in results if (result.partition, result.negatives) == (partition, negatives)]
        tests = list(dict.fromkeys(result.test for result in chosen))
        cells = {(result.listener, result.test): result for result in chosen}
        listeners = dict.fromkeys((result.listener, result.is_baseline) for result in chosen)
        rows = [
            [f"*{listener}*" if is_baseline else listener, *(_cell(cells.get((listener, test))) for test in tests)]
            for listener, is_baseline in listeners
        ]
        blocks.append(
            f"## Strict protocol: {TITLES[negatives]}, {TITLES[partition]}\n\n"
            + markdown_table(["accuracy (%), K = 2", *(_with_size(test, chosen) for test in tests)], rows)
        )
    blocks += _among(results)
    blocks.append(NOTE)
    return "\n\n".join(blocks)


def table_as_json(results: Sequence[Result]) -> dict[str, Any]:
    """Return the results as plain data."""
    return {"results": [dataclasses.asdict(result) for result in results]}


def _among(results: Sequence[Result]) -> Iterator[str]:
    for partition in dict.fromkeys(result.partition for result in results if result.among):
        by_encoder: dict[str, dict[str, dict[int, Accuracy | None]]] = {}
        for result in results:
            if result.among and result.partition == partition:
                by_encoder.setdefault(result.listener, {})[result.test] = result.among
        title = f"## Strict protocol: among K windows of all tracks, {TITLES[partition]}"
        yield f"{title}\n\n{retrieval_markdown(by_encoder)}"


def _wins_of_everyone(
    encoders: Encoders, heard: MeasuredWindows, same_track: bool, seed: int
) -> Iterator[tuple[str, bool, NDArray[np.float64]]]:
    negatives = draw_negatives(heard.track, same_track=same_track, seed=seed)
    for name, sides in heard.embeddings.items():
        left, right = encoders.sides(name, sides[:, 0], sides[:, 1])
        yield name, False, share_of_wins(left, right, negatives)
    for name, measure in BASELINES.items():
        yield name, True, baseline_wins(measure, *heard.cues, negatives, heard.track, seed=seed)


def _cell(result: Result | None) -> str:
    return str(result.accuracy) if result and result.accuracy else NOTHING


def _with_size(test: str, results: Sequence[Result]) -> str:
    sizes = [result.accuracy for result in results if result.test == test and result.accuracy]
    return f"{test} ({sizes[0].tracks} tracks, {sizes[0].windows} windows)" if sizes else test
