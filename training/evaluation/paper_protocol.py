"""Coherent sub-mix classification as the paper measures it (section 5.1): Eq. 8 over batches of K windows."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from cocola_metric import functional
from cocola_metric.audio import WINDOW
from cocola_metric.checkpoints import PUBLISHED_ACCURACIES
from cocola_metric.encoder import Mode
from cocola_metric.errors import AudioError

from ..corpora import Track, read_window
from ..paper import PUBLISHED_TABLE_2
from ..signal import draw_subsets
from .classification import Accuracy, accuracy_with_interval
from .encoders import Encoders
from .held_out import in_batches, window_starts
from .markdown import NOTHING, markdown_table
from .protocols import DESCRIPTIONS
from .retrieval import SIZES, published_accuracies, shuffled_batches, wins_among

HOP = WINDOW / 2
"""Time from one window to the next, in seconds: they overlap by r = 50 % (section 4.3), as in the authors' code."""


@dataclass(frozen=True)
class PaperResult:
    """Accuracies of an encoder on a test set, by the paper's protocol.

    Attributes:
        test: name of the test set.
        listener: name of the encoder.
        accuracies: accuracy by K; None where there are fewer windows than K.
    """

    test: str
    listener: str
    accuracies: dict[int, Accuracy | None]


def draw_windows(
    track: Track, number: int, *, seed: int = 0, most: int | None = None
) -> Iterator[dict[str, NDArray[np.float32]]]:
    """Read the windows of a track one by one, and sum two disjoint subsets of its stems, drawn anew in each window.

    Every stem may be drawn, whether it sounds or not, and is as loud as in its file.

    Args:
        track: track with two stems or more.
        number: number of the track in its test set; part of the seed.
        seed: seed of the draws.
        most: largest number of windows of the track; None for no limit.

    Yields:
        Sub-mixes of one window, (2, L), under the name "paper".
    """
    for start in window_starts(track.seconds, hop=HOP, most=most):
        window = read_window(track, start, WINDOW)
        rng = np.random.default_rng([seed, number, round(1000 * start)])
        sides = draw_subsets(range(len(track.stems)), rng)
        yield {"paper": np.stack([window[side].sum(0) for side in sides])}


def accuracy_of_batches(
    left: Tensor, right: Tensor, track: NDArray[np.int64], size: int, *, seed: int = 0
) -> Accuracy | None:
    """Return Eq. 8 averaged over batches of K windows, drawn without regard to tracks; a tie is no win.

    The windows are shuffled and cut into batches ten times; an incomplete batch is left out.

    Args:
        left: left sides of the similarity, from the conditionings.
        right: right sides of the similarity, from the accompaniments.
        track: number of each window's track, which the interval resamples.
        size: K.
        seed: seed of the shuffles.

    Shape:
        (n, S), (n, S), (n,) -> one accuracy; None if there are fewer windows than K.
    """
    orders = list(shuffled_batches(len(left), size, seed=seed))
    found = accuracy_with_interval(wins_among(left, right, size, seed=seed), track, seed=seed)
    if found is None:
        return None
    batches = torch.cat([functional.accuracy(left[order] @ right[order].transpose(1, 2)) for order in orders])
    return dataclasses.replace(found, percent=100 * batches.mean().item())


def measure_paper(
    encoders: Encoders,
    tests: Mapping[str, Sequence[Track]],
    *,
    sizes: Sequence[int] = SIZES,
    mode: Mode = "both",
    seed: int = 0,
    most_windows: int | None = None,
) -> list[PaperResult]:
    """Measure every encoder on every test set, all on the same sub-mixes in the same batches.

    Args:
        encoders: encoders to be measured.
        tests: tracks by name of the test set.
        sizes: values of K.
        mode: mode of the encoders.
        seed: seed of all draws.
        most_windows: largest number of windows of a track; None for no limit.

    Raises:
        AudioError: a test set has no window.
    """
    results = []
    for test, tracks in tests.items():
        owners: list[int] = []
        embedded: dict[str, list[Tensor]] = {}
        for number, track in enumerate(tqdm(tracks, desc=f"{test} (paper)", unit="track", disable=None)):
            for _, waveforms in in_batches(draw_windows(track, number, seed=seed, most=most_windows)):
                owners += [number] * len(waveforms)
                for (name, _), rows in encoders.embed(waveforms.flatten(0, 1), (mode,)).items():
                    embedded.setdefault(name, []).append(rows.view(-1, 2, rows.shape[1]))
        if not owners:
            raise AudioError(f"{test}: none of {len(tracks)} tracks lasts {WINDOW:g} s; give longer ones")
        for name, parts in embedded.items():
            sides = encoders.sides(name, *torch.cat(parts).unbind(1))
            by_size = {size: accuracy_of_batches(*sides, np.asarray(owners), size, seed=seed) for size in sizes}
            results.append(PaperResult(test, name, by_size))
    return results


def paper_markdown(results: Sequence[PaperResult]) -> str:
    """Return the accuracies as Markdown, and below them what the paper published by the same protocol."""
    tests, sizes = list(dict.fromkeys(result.test for result in results)), list(results[0].accuracies)
    cells = {
        (result.listener, result.test, size): found for result in results for size, found in result.accuracies.items()
    }
    rows = [
        [f"{name}, K = {size}", *(str(cells[name, test, size] or NOTHING) for test in tests)]
        for name in dict.fromkeys(result.listener for result in results)
        for size in sizes
    ]
    header = ["accuracy (%)", *(_with_size(test, results) for test in tests)]
    parts = [f"## The paper's protocol\n\nHere: {DESCRIPTIONS['paper']}.", markdown_table(header, rows)]
    if 2 in sizes:
        parts += ["As published (Table 2 of the paper, K = 2, its own test sets):", _published()]
    if max(sizes) > 2:
        parts += ["As published with PHALAR (arXiv 2605.03929, its own test sets):", _published_retrieval()]
    return "\n\n".join(parts)


def paper_as_json(results: Sequence[PaperResult]) -> dict[str, Any]:
    """Return the results and the published values as plain data."""
    return {
        "paper_protocol": [dataclasses.asdict(result) for result in results],
        "published": PUBLISHED_TABLE_2,
        "published_among": published_accuracies(),
    }


def _with_size(test: str, results: Sequence[PaperResult]) -> str:
    found = next((one for result in results if result.test == test for one in result.accuracies.values() if one), None)
    return f"{test} ({found.tracks} tracks, {found.windows} windows)" if found else test


def _published() -> str:
    tests = list(next(iter(PUBLISHED_TABLE_2.values())))
    rows = [[f"COCOLA {name}", *(f"{row[test]:.2f}" for test in tests)] for name, row in PUBLISHED_TABLE_2.items()]
    return markdown_table(["trained on", *tests], rows)


def _published_retrieval() -> str:
    columns = list(dict.fromkeys(column for row in PUBLISHED_ACCURACIES.values() for column in row))
    rows = [[name, *(f"{row[column]:.1f}" for column in columns)] for name, row in PUBLISHED_ACCURACIES.items()]
    return markdown_table(["accuracy (%)", *(f"{test}, K = {size}" for test, size in columns)], rows)
