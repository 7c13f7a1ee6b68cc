"""Encoders on the same windows: all accuracies, and their differences from the first, with intervals."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from cocola_metric.audio import SAMPLE_RATE, WINDOW
from cocola_metric.encoder import Mode
from cocola_metric.errors import UsageError
from cocola_metric.whole_files import write_text_whole

from ..corpora import Track
from ..encoder import CHOICES, chances_among
from ..signal import mix_at_level
from .classification import Accuracy, accuracy_with_interval, compare
from .encoders import Encoders, labelled
from .held_out import HOP, LEVEL_DBFS, open_test_set
from .markdown import NOTHING, markdown_table
from .validity import ACCOMPANIMENT, COMPARISONS, CONDITIONING, versions_of_windows

TITLES = {
    "other_track": "window of another track, K = 2",
    "same_track": "window of the same track, K = 2",
    **{f"among_{count}": f"windows of other tracks, K = {count}" for count in CHOICES},
    "shift": "half a beat late or early",
    "transpose": "a semitone off",
    "stretch": "5 % faster or slower",
    "noise": "white noise below a random accompaniment",
}
NOTE = """\
Share of windows (%), all encoders on the same windows; behind it the difference from the first encoder, in brackets its
95 % BCa interval, resampling tracks. Others are all other windows of the test set; K windows are drawn among them in
all ways at once."""


@dataclass
class _Scores:
    """Scores of one encoder: those of each window's versions, and those between all windows."""

    versions: list[NDArray[np.float32]] = field(default_factory=list)
    left: list[Tensor] = field(default_factory=list)
    right: list[Tensor] = field(default_factory=list)
    noise: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Difference:
    """One accuracy of two encoders.

    Attributes:
        test: name of the test set.
        measure: key of ``TITLES``.
        name: name of the second encoder.
        first: accuracy of the first encoder.
        second: accuracy of the second one.
        difference: accuracy of the second minus that of the first, in percentage points; its interval resamples tracks.
    """

    test: str
    measure: str
    name: str
    first: Accuracy
    second: Accuracy
    difference: Accuracy


def compare_encoders(
    encoders: Encoders,
    tests: Mapping[str, Sequence[Track]],
    *,
    mode: Mode = "both",
    hop: float = HOP,
    seed: int = 0,
    most_windows: int | None = None,
) -> list[Difference]:
    """Measure encoders on the same windows, and the difference of each from the first.

    Args:
        encoders: encoders, two or more.
        tests: tracks by name of the test set.
        mode: part of the sound that all encode.
        hop: time from one window's start to the next, in seconds.
        seed: seed of the split of the stems, the noise and the resampling.
        most_windows: largest number of windows of a track.
    """
    differences = []
    for test, tracks in tests.items():
        owners, heard = _score_windows(encoders, tracks, test, mode, hop=hop, seed=seed, most=most_windows)
        first, *others = (_wins(one, owners) for one in heard.values())
        for name, second in zip(list(heard)[1:], others, strict=True):
            for measure in TITLES:
                sides = [accuracy_with_interval(wins[measure], owners, seed=seed) for wins in (first, second)]
                gained = accuracy_with_interval(second[measure] - first[measure], owners, seed=seed)
                if sides[0] and sides[1] and gained:
                    differences.append(Difference(test, measure, name, sides[0], sides[1], gained))
    return differences


def _score_windows(
    encoders: Encoders, tracks: Sequence[Track], test: str, mode: Mode, *, hop: float, seed: int, most: int | None
) -> tuple[NDArray[np.int64], dict[str, _Scores]]:
    owners: list[int] = []
    heard = {name: _Scores() for name in encoders.models}
    for number, track in enumerate(tqdm(tracks, desc=test, unit="track", disable=None)):
        for waveforms in versions_of_windows(track, number, hop=hop, seed=seed, most=most):
            owners.append(number)
            rng = np.random.default_rng([seed, len(owners)])
            white = rng.standard_normal((1, round(WINDOW * SAMPLE_RATE)), dtype=np.float32)
            noise = torch.from_numpy(mix_at_level(white, LEVEL_DBFS))[None]
            for (name, _), embedded in encoders.embed(torch.cat([waveforms, noise]), (mode,)).items():
                _note(heard[name], *encoders.sides(name, embedded[: len(CONDITIONING)], embedded[len(CONDITIONING) :]))
    return np.asarray(owners), heard


def _note(heard: _Scores, left: Tensor, right: Tensor) -> None:
    scores = left @ right.T
    heard.versions.append(scores[:, :-1].numpy())
    plain = CONDITIONING.index("plain")
    heard.left.append(left[plain])
    heard.right.append(right[ACCOMPANIMENT.index("plain")])
    heard.noise.append(float(scores[plain, -1]))


def _wins(heard: _Scores, owners: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    """Return each measure of every window, NaN where it could not be measured."""
    scores = torch.stack(heard.left) @ torch.stack(heard.right).T
    related = torch.from_numpy(owners[:, None] == owners[None, :])
    better = scores.diagonal()[:, None] > scores
    itself = torch.eye(len(owners), dtype=torch.bool)
    below = torch.tensor(heard.noise)[:, None] < scores
    shares = {
        "other_track": _share(better, ~related),
        "same_track": _share(better, related & ~itself),
        **{f"among_{count}": chances_among(better, ~related, count) for count in CHOICES},
        "noise": _share(below, ~related),
    }
    versions = np.stack(heard.versions)
    wrong = {kind: _compared(versions, compared) for kind, compared in COMPARISONS.items()}
    return {**{name: values.double().numpy() for name, values in shares.items()}, **wrong}


def _share(wins: Tensor, among: Tensor) -> Tensor:
    return (wins & among).sum(1) / among.sum(1).double().masked_fill(among.sum(1) == 0, float("nan"))


def _compared(scores: NDArray[np.float32], compared: Sequence[tuple[str, str, str]]) -> NDArray[np.float64]:
    """Return the share of comparisons in which the right version beats the wrong one: (n, 6, 8) -> (n,)."""
    wins = [
        compare(
            scores[:, CONDITIONING.index(left), ACCOMPANIMENT.index(right)],
            scores[:, CONDITIONING.index(left), ACCOMPANIMENT.index(wrong)],
        )
        for left, right, wrong in compared
    ]
    mean: NDArray[np.float64] = np.mean(wins, axis=0)
    return mean


def differences_markdown(names: Sequence[str], differences: Sequence[Difference]) -> str:
    """Return a table for each test set, as Markdown."""
    blocks = []
    for test in dict.fromkeys(one.test for one in differences):
        cells = {(one.measure, one.name): one for one in differences if one.test == test}
        size = next(iter(cells.values())).first
        rows = [[TITLES[measure], *_row([cells.get((measure, name)) for name in names[1:]])] for measure in TITLES]
        blocks.append(markdown_table([f"{test} ({size.tracks} tracks, {size.windows} windows), %", *names], rows))
    return "\n\n".join([*blocks, NOTE])


def _row(differences: Sequence[Difference | None]) -> list[str]:
    first = differences[0]
    row = [f"{first.first.percent:.1f}" if first else NOTHING]
    for one in differences:
        gained = one and one.difference
        row.append(
            f"{one.second.percent:.1f}; {gained.percent:+.1f} [{gained.low:+.1f}, {gained.high:+.1f}]"
            if one and gained
            else NOTHING
        )
    return row


def run(options: argparse.Namespace) -> None:
    """Print the comparison as Markdown, and write it to a file if asked to.

    Raises:
        UsageError: two test sets or encoders have the same name.
    """
    tests = dict(labelled(spec) for spec in options.test)
    if len(tests) < len(options.test):
        raise UsageError("test sets must differ in name; got one name twice; label them, as in songs=folder")
    encoders = Encoders.load([options.first, *options.others], device=options.device, symmetric=options.symmetric)
    tracks = {name: open_test_set(spec)[: options.max_tracks] for name, spec in tests.items()}
    differences = compare_encoders(
        encoders, tracks, mode=options.mode, seed=options.seed, most_windows=options.max_windows
    )
    text = differences_markdown(list(encoders.models), differences)
    print(text)
    if options.out:
        write_text_whole(options.out, text + "\n")
