"""Accuracies on music whose stems were made to bleed, and those of a correlator that finds echoes alone."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from cocola_metric.audio import WINDOW
from cocola_metric.encoder import CocolaModel
from cocola_metric.scoring import echo, traces

from ..corpora import Track, read_window
from ..encoder import chances_among, embed_on_trunk
from ..signal import audible, bleed_stems, level_db, mix_at_level
from .classification import draw_negatives
from .encoders import sides_of
from .held_out import LEVEL_DBFS, Sides, draw_split, sounding_sides, window_starts

Samples = NDArray[np.float32]
MEASURES = {
    "other_track": "window of another track, K = 2",
    "same_track": "window of the same track, K = 2",
    "among_16": "windows of other tracks, K = 16",
}
ECHO = "echo alone, no encoder"
AMONG = 16


@dataclass(frozen=True)
class Condition:
    """A way in which the stems of a test set bleed.

    Attributes:
        level: level of what leaks, in dB relative to what it is a copy of; None for stems as they are.
        kind: way of the leak, as for `signal.leak`.
        foreign: choice of another track as what leaks.
    """

    level: float | None = None
    kind: str = "plain"
    foreign: bool = False


CONDITIONS = {
    "clean": Condition(),
    "own, -24 dB": Condition(-24.0),
    "own, -12 dB": Condition(-12.0),
    "mask, -12 dB": Condition(-12.0, "separator"),
    "foreign, -12 dB": Condition(-12.0, foreign=True),
}


@dataclass
class Heard:
    """What was found of one condition in all windows of a test set.

    Attributes:
        left: left sides of the similarity, by encoder, (S,) each.
        right: right sides of the similarity, by encoder.
        phases: phases of both sides, from which echo is told, (2, N) each.
        margins: level of each side above what leaks into it, in dB.
    """

    left: dict[str, list[Tensor]] = field(default_factory=dict)
    right: dict[str, list[Tensor]] = field(default_factory=dict)
    phases: list[NDArray[np.uint8]] = field(default_factory=list)
    margins: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Measured:
    """Wins of all windows of a test set.

    Attributes:
        owners: number of each window's track, (n,).
        wins: share of wins of each window, by encoder, condition and measure, (n,) each; NaN where it was not tested.
        margins: median level of a side above what leaks into it, in dB, by condition.
    """

    owners: NDArray[np.int64]
    wins: dict[tuple[str, str, str], NDArray[np.float64]]
    margins: dict[str, float]


def versions(stems: Samples, sides: Sides, strangers: Sequence[Samples]) -> Iterator[tuple[str, Samples, Samples]]:
    """Yield both sides of a window in every condition, at one level, and what has leaked into them.

    Args:
        stems: all stems of the track, (N, L).
        sides: stems of conditioning and accompaniment.
        strangers: mixes of two other tracks, one for either side; none leaves the foreign condition out.

    Yields:
        Name of the condition, sides (2, L), and leaks (2, L) as loud as beside the sides before these were levelled.
    """
    clean = np.stack([stems[side].sum(0) for side in sides])
    for name, condition in CONDITIONS.items():
        if condition.foreign and len(strangers) < len(sides):
            continue
        leaked = np.stack(
            [
                _foreign(len(side), condition, strangers[number]) if condition.foreign else _own(stems, side, condition)
                for number, side in enumerate(sides)
            ]
        )
        mixed = np.stack([mix_at_level(pair, LEVEL_DBFS) for pair in np.stack([clean, leaked], 1)])
        yield name, mixed, leaked


def _own(stems: Samples, side: Sequence[int], condition: Condition) -> Samples:
    if condition.level is None:
        return np.zeros(stems.shape[1], np.float32)
    every = torch.from_numpy(stems)
    leaked = bleed_stems(every, torch.full((len(stems),), condition.level), condition.kind) - every
    return np.asarray(leaked[side].sum(0).numpy(), np.float32)


def _foreign(stems: int, condition: Condition, stranger: Samples) -> Samples:
    return np.float32(stems * 10 ** ((condition.level or 0.0) / 20)) * stranger


@torch.inference_mode()
def measure_bleed(
    models: Mapping[str, CocolaModel],
    trunk: CocolaModel,
    tracks: Sequence[Track],
    *,
    most_windows: int | None = None,
    seed: int = 0,
) -> Measured:
    """Measure encoders on the windows of a test set in every condition.

    Args:
        models: encoders and heads by name, all on one trunk.
        trunk: encoder with that trunk.
        tracks: tracks of the test set.
        most_windows: largest number of windows of a track.
        seed: seed of the split of the stems and the drawn negatives.
    """
    mixes = [read_window(track, 0.0, WINDOW).sum(0) for track in tracks]
    heard = {name: Heard() for name in CONDITIONS}
    owners: list[int] = []
    for number, track in enumerate(tqdm(tracks, desc="windows", unit="track", disable=None)):
        split = draw_split(track, number, seed)
        for start in window_starts(track.seconds, most=most_windows):
            stems = read_window(track, start, WINDOW)
            sides = sounding_sides(split, audible(stems))
            if sides is None:
                continue
            rng = np.random.default_rng([seed, number, round(1000 * start)])
            others = rng.permutation(np.delete(np.arange(len(tracks)), number))[:2]
            made = list(versions(stems, sides, [mixes[other] for other in others]))
            waveforms = torch.from_numpy(np.concatenate([mixed for _, mixed, _ in made]))
            clean = np.stack([stems[side].sum(0) for side in sides])
            owners.append(number)
            for name, mixed, leaked in made:
                heard[name].phases.append(traces(mixed).phases)
                heard[name].margins += (level_db(clean) - level_db(leaked)).tolist()
            for model, embedded in embed_on_trunk(models, trunk, waveforms).items():
                for (name, _, _), (given, answer) in zip(made, embedded.unflatten(0, (-1, 2)), strict=True):
                    left, right = sides_of(models[model], given, answer)
                    heard[name].left.setdefault(model, []).append(left)
                    heard[name].right.setdefault(model, []).append(right)
    found = {name: one for name, one in heard.items() if len(one.phases) == len(owners)}
    return Measured(
        np.asarray(owners, np.int64),
        {
            (encoder, name, measure): wins
            for name, one in found.items()
            for encoder, by_measure in _wins(one, np.asarray(owners, np.int64), seed).items()
            for measure, wins in by_measure.items()
        },
        {name: float(np.median(one.margins)) for name, one in found.items()},
    )


def _wins(heard: Heard, owners: NDArray[np.int64], seed: int) -> dict[str, dict[str, NDArray[np.float64]]]:
    related = torch.from_numpy(owners[:, None] == owners[None, :])
    itself = torch.eye(len(owners), dtype=torch.bool)
    wins = {}
    for encoder, left in heard.left.items():
        scores = torch.stack(left) @ torch.stack(heard.right[encoder]).T
        better = scores.diagonal()[:, None] > scores
        shares = {
            "other_track": _share(better, ~related),
            "same_track": _share(better, related & ~itself),
            "among_16": chances_among(better, ~related, AMONG),
        }
        wins[encoder] = {measure: share.double().numpy() for measure, share in shares.items()}
    wins[ECHO] = {
        kind: _echo_wins(heard.phases, draw_negatives(owners, same_track=kind == "same_track", seed=seed))
        for kind in ("other_track", "same_track")
    }
    return wins


def _share(wins: Tensor, among: Tensor) -> Tensor:
    return (wins & among).sum(1) / among.sum(1).double().masked_fill(among.sum(1) == 0, float("nan"))


def _echo_wins(phases: Sequence[NDArray[np.uint8]], negatives: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the share of drawn windows that hold less echo of a window's conditioning than its own accompaniment."""
    wins = np.full(len(phases), np.nan)
    for row, drawn in enumerate(negatives):
        if drawn[0] >= 0:
            answers = np.stack([phases[other][1] for other in (row, *drawn)])
            found = echo(np.broadcast_to(phases[row][0], answers.shape), answers)
            wins[row] = (found[0] > found[1:]).mean() + (found[0] == found[1:]).mean() / 2
    return wins


def pool(parts: Sequence[Measured]) -> Measured:
    """Join test sets; each window was compared with windows of its own set alone."""
    counts = np.cumsum([0, *(part.owners.max() + 1 for part in parts)])
    keys = [key for key in parts[0].wins if all(key in part.wins for part in parts)]
    return Measured(
        np.concatenate([part.owners + before for part, before in zip(parts, counts, strict=False)]),
        {key: np.concatenate([part.wins[key] for part in parts]) for key in keys},
        {name: float(np.mean([part.margins[name] for part in parts])) for name in {key[1]: None for key in keys}},
    )
