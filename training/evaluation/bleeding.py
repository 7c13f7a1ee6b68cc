"""Accuracies on music whose stems were made to bleed, and those of a correlator that finds echoes alone."""

from collections import defaultdict
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
from .classification import compare, draw_negatives
from .encoders import sides_of
from .held_out import LEVEL_DBFS, Sides, draw_split, sounding_sides, window_starts

Samples = NDArray[np.float32]
Wins = NDArray[np.float64]
ECHO = "echo alone, no encoder"
AMONG = 16
KINDS = ("other_track", "same_track")


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
DUEL, DUEL_DB = "both, -12 dB", -12.0
"""Two answers, of which both hold both windows at this level, as the conditioning does: echo is in both alike."""


@dataclass(frozen=True)
class Window:
    """A window of a test set.

    Attributes:
        owner: number of its track.
        stems: all stems of the track, (N, L).
        sides: stems of conditioning and accompaniment.
    """

    owner: int
    stems: Samples
    sides: Sides

    def sums(self) -> Samples:
        """Return the sums of both sides: (2, L)."""
        return np.stack([self.stems[side].sum(0) for side in self.sides])

    def leaks(self, condition: Condition, strangers: Sequence[Samples]) -> Samples:
        """Return what leaks into both sides: (2, L)."""
        if condition.level is None:
            return np.zeros((len(self.sides), self.stems.shape[1]), np.float32)
        if condition.foreign:
            parts = zip(self.sides, strangers, strict=True)
            return np.stack([np.float32(len(side)) * gain(condition.level) * stranger for side, stranger in parts])
        stems = torch.from_numpy(self.stems)
        leaked = bleed_stems(stems, torch.full((len(stems),), condition.level), condition.kind) - stems
        return np.stack([leaked[side].sum(0).numpy() for side in self.sides])


@dataclass
class Heard:
    """What was found of one condition in all windows of a test set.

    Attributes:
        left: left sides of the similarity, by encoder, (S,) each.
        right: right sides of the similarity, by encoder.
        phases: phases of both sides, from which echo is told, (2, N) each.
        margins: level of each side above what leaks into it, in dB.
    """

    left: dict[str, list[Tensor]] = field(default_factory=lambda: defaultdict(list))
    right: dict[str, list[Tensor]] = field(default_factory=lambda: defaultdict(list))
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
    wins: dict[tuple[str, str, str], Wins]
    margins: dict[str, float]


def gain(level: float) -> np.float32:
    """Return the factor of a level in dB."""
    return np.float32(10 ** (level / 20))


def read_windows(tracks: Sequence[Track], *, most: int | None, seed: int) -> list[Window]:
    """Read the windows in which two sides sound, the stems of each track split once."""
    windows = []
    for number, track in enumerate(tqdm(tracks, desc="reading", unit="track", disable=None)):
        split = draw_split(track, number, seed)
        for start in window_starts(track.seconds, most=most):
            stems = read_window(track, start, WINDOW)
            sides = sounding_sides(split, audible(stems))
            if sides:
                windows.append(Window(number, stems, sides))
    return windows


def versions(window: Window, strangers: Sequence[Samples]) -> Iterator[tuple[str, Samples, Samples]]:
    """Yield both sides of a window in every condition, at one level, and what has leaked into them.

    Args:
        window: window to be made to bleed.
        strangers: mixes of two other tracks, one for either side; fewer leave the foreign condition out.

    Yields:
        Name of the condition, sides (2, L), and leaks (2, L) as loud as beside the sides before these were levelled.
    """
    clean = window.sums()
    for name, condition in CONDITIONS.items():
        if not condition.foreign or len(strangers) == len(clean):
            leaked = window.leaks(condition, strangers)
            yield name, np.stack([mix_at_level(pair, LEVEL_DBFS) for pair in np.stack([clean, leaked], 1)]), leaked


def duel(window: Window, other: Window) -> Samples:
    """Return the conditioning of a window, its own accompaniment and that of another one; all hold both windows.

    Into each stem leak the other stems of its own window, and all stems of the other window.

    Shape:
        -> (3, L).
    """
    both = window.stems.sum(0) + other.stems.sum(0)
    chosen = ((window, 0), (window, 1), (other, 1))
    mixed = []
    for one, side in chosen:
        stems = one.stems[one.sides[side]]
        leaked = gain(DUEL_DB) * (np.float32(len(stems)) * both - stems.sum(0))
        mixed.append(mix_at_level(np.stack([stems.sum(0), leaked]), LEVEL_DBFS))
    return np.stack(mixed)


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
        seed: seed of the split of the stems and of the drawn windows.
    """
    windows = read_windows(tracks, most=most_windows, seed=seed)
    owners = np.asarray([window.owner for window in windows], np.int64)
    heard: dict[str, Heard] = defaultdict(Heard)
    duels = {(name, kind): np.full(len(windows), np.nan) for name in (*models, ECHO) for kind in KINDS}
    for number, window in enumerate(tqdm(windows, desc="encoding", unit="window", disable=None)):
        rng = np.random.default_rng([seed, number])
        strangers = [windows[other].stems.sum(0) for other in _draw_strangers(owners, window.owner, rng)]
        made = list(versions(window, strangers))
        _note(heard, window, made, models, trunk)
        for kind, others in zip(KINDS, (owners != window.owner, owners == window.owner), strict=True):
            candidates = np.flatnonzero(others & (np.arange(len(windows)) != number))
            if len(candidates):
                for name, won in _fight(duel(window, windows[rng.choice(candidates)]), models, trunk).items():
                    duels[name, kind][number] = won
    wins = {
        (encoder, name, measure): won
        for name, one in heard.items()
        if len(one.phases) == len(windows)
        for encoder, by_measure in _wins(one, owners, seed).items()
        for measure, won in by_measure.items()
    }
    margins = {name: float(np.median(one.margins)) for name, one in heard.items()}
    return Measured(owners, {**wins, **{(name, DUEL, kind): won for (name, kind), won in duels.items()}}, margins)


def _draw_strangers(owners: NDArray[np.int64], own: int, rng: np.random.Generator) -> list[int]:
    """Draw a window of each of two other tracks; fewer, if there are fewer."""
    others = rng.permutation(np.unique(owners[owners != own]))[:2]
    return [int(rng.choice(np.flatnonzero(owners == other))) for other in others]


def _note(
    heard: dict[str, Heard],
    window: Window,
    made: Sequence[tuple[str, Samples, Samples]],
    models: Mapping[str, CocolaModel],
    trunk: CocolaModel,
) -> None:
    clean = window.sums()
    for name, mixed, leaked in made:
        heard[name].phases.append(traces(mixed).phases)
        heard[name].margins += (level_db(clean) - level_db(leaked)).tolist()
    waveforms = torch.from_numpy(np.concatenate([mixed for _, mixed, _ in made]))
    for model, embedded in embed_on_trunk(models, trunk, waveforms).items():
        for (name, _, _), (given, answer) in zip(made, embedded.unflatten(0, (-1, 2)), strict=True):
            left, right = sides_of(models[model], given, answer)
            heard[name].left[model].append(left)
            heard[name].right[model].append(right)


def _fight(sides: Samples, models: Mapping[str, CocolaModel], trunk: CocolaModel) -> dict[str, float]:
    """Return for each encoder, and echo alone, whether the right answer scores above the wrong one: (3, L) -> wins."""
    phases = traces(sides).phases
    scores = {ECHO: echo(np.broadcast_to(phases[:1], phases[1:].shape), phases[1:])}
    for model, (given, *answers) in embed_on_trunk(models, trunk, torch.from_numpy(sides)).items():
        left, right = sides_of(models[model], given, torch.stack(answers))
        scores[model] = (right @ left).numpy()
    return {name: float(compare(found[0], found[1])) for name, found in scores.items()}


def _wins(heard: Heard, owners: NDArray[np.int64], seed: int) -> dict[str, dict[str, Wins]]:
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
    drawn = {kind: draw_negatives(owners, same_track=kind == "same_track", seed=seed) for kind in KINDS}
    wins[ECHO] = {kind: _echo_wins(heard.phases, negatives) for kind, negatives in drawn.items()}
    return wins


def _share(wins: Tensor, among: Tensor) -> Tensor:
    return (wins & among).sum(1) / among.sum(1).double().masked_fill(among.sum(1) == 0, float("nan"))


def _echo_wins(phases: Sequence[NDArray[np.uint8]], negatives: NDArray[np.int64]) -> Wins:
    """Return the share of drawn windows that hold less echo of a window's conditioning than its own accompaniment."""
    wins = np.full(len(phases), np.nan)
    for row, drawn in enumerate(negatives):
        if drawn[0] >= 0:
            answers = np.stack([phases[other][1] for other in (row, *drawn)])
            found = echo(np.broadcast_to(phases[row][0], answers.shape), answers)
            wins[row] = compare(found[0], found[1:]).mean()
    return wins


def pool(parts: Sequence[Measured]) -> Measured:
    """Join test sets; each window was compared with windows of its own set alone."""
    before = np.cumsum([0, *(part.owners.max() + 1 for part in parts)])
    keys = [key for key in parts[0].wins if all(key in part.wins for part in parts)]
    return Measured(
        np.concatenate([part.owners + first for part, first in zip(parts, before, strict=False)]),
        {key: np.concatenate([part.wins[key] for part in parts]) for key in keys},
        {name: float(np.mean([part.margins[name] for part in parts])) for name in parts[0].margins},
    )
