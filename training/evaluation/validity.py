"""Tests whether an encoder hears the beat, the key and the tempo, and ignores the level.

Each window's coherent pair is compared with the same pair made wrong. The sound of the processing gives nothing away:
for a transposition or a stretch, both sides of the right pair are processed by half the amount, and the wrong
accompaniment by half the amount in the other direction.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from cocola_metric.audio import SAMPLE_RATE, WINDOW
from cocola_metric.encoder import MODES, Mode

from ..corpora import Track, read_window
from ..signal import (
    SubmixCues,
    audible,
    beat_period,
    level_db,
    measure_cues,
    onsets_together,
    pitchedness,
    stretch,
    transpose,
)
from .baselines import BASELINES, Measure, cross_validated_wins
from .classification import Accuracy, accuracy_with_interval, compare
from .encoders import Encoders
from .held_out import HOP, LEVEL_DBFS, draw_split, sounding_sides, window_starts

MARGIN = 1.0  # seconds around each window: half a beat at 60 bpm, and what a stretch uses up
SEMITONES = 1.0
STRETCH = 0.05
CUTOFF_HZ = (6500.0, 7000.0)
"""Start and end of the low-pass; a transposition by half a semitone leaves nothing above 7772 Hz."""
GAIN_DB = 12.0
LARGEST_GAIN_EFFECT = 0.25
"""Largest accepted change of a score by a change of level, as a share of the spread of scores between windows."""
LENGTH = round(WINDOW * SAMPLE_RATE)
EDGE = round(MARGIN * SAMPLE_RATE)

CONDITIONING = ("plain", "quiet", "high", "low", "fast", "slow")
ACCOMPANIMENT = (*CONDITIONING, "late", "early")
COMPARISONS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "shift": (("plain", "plain", "late"), ("plain", "plain", "early")),
    "transpose": (("high", "high", "low"), ("low", "low", "high")),
    "stretch": (("fast", "fast", "slow"), ("slow", "slow", "fast")),
}
"""Versions of conditioning, right and wrong accompaniment, by kind; both directions have equal weight."""
PITCHED = 0.3
"""`cues.pitchedness` above which a sub-mix has a key; noise has 0.1, drum kits 0.2 to 0.5."""


def _onsets_together(conditioning: SubmixCues, right: SubmixCues, wrong: SubmixCues) -> Tensor:
    return onsets_together(conditioning, right) > onsets_together(conditioning, wrong)


def _both_pitched(conditioning: SubmixCues, right: SubmixCues, wrong: SubmixCues) -> Tensor:
    return torch.minimum(pitchedness(conditioning), pitchedness(right)) > PITCHED


CUES: dict[str, tuple[Callable[[SubmixCues, SubmixCues, SubmixCues], Tensor], str, str]] = {
    "shift": (_onsets_together, "onsets together", "onsets in turn"),
    "transpose": (_both_pitched, "both sides pitched", "one is not"),
}
"""Test for a plain cue, from conditioning, right and wrong accompaniment, by kind; with names for both outcomes."""


@dataclass(frozen=True)
class GainEffect:
    """The median change of a score when one side becomes 12 dB quieter, beside the spread of scores."""

    change: float
    spread: float

    @property
    def passed(self) -> bool:
        """Whether the change is small against the spread."""
        return self.change <= LARGEST_GAIN_EFFECT * self.spread


@dataclass(frozen=True)
class Validity:
    """The results of an encoder on a test set in one mode.

    Attributes:
        encoder: name of the encoder, or of a baseline of ``baselines.BASELINES``.
        test: name of the test set.
        mode: part of the sound that was encoded; None for baselines.
        wins: share of windows in which the coherent pair scored above the one made wrong, by kind; chance is 50 %.
        gain: effect of the level; None for baselines.
        track_wins: share of tracks in which the coherent pair won on average over windows, in percent, by kind; empty
            for baselines.
        by_cue: wins of each kind of `CUES`, with that cue and without; empty for baselines.
    """

    encoder: str
    test: str
    mode: Mode | None
    wins: dict[str, Accuracy | None]
    gain: GainEffect | None
    track_wins: dict[str, float] = field(default_factory=dict)
    by_cue: dict[str, dict[str, Accuracy | None]] = field(default_factory=dict)


def measure_validity(
    encoders: Encoders,
    tests: Mapping[str, Sequence[Track]],
    *,
    modes: Sequence[Mode] = MODES,
    hop: float = HOP,
    seed: int = 0,
    most_windows: int | None = None,
) -> list[Validity]:
    """Compare coherent pairs with the same pairs made wrong, in every mode that an encoder has.

    The accompaniment is shifted by half a beat (late and early; `cues.beat_period` of the full mix), transposed by a
    semitone or stretched by 5 %.

    Args:
        encoders: encoders to be tested.
        tests: tracks by name of the test set.
        modes: modes to test; those that an encoder lacks are left out.
        hop: time from one window's start to the next, in seconds.
        seed: seed of the split of the stems.
        most_windows: largest number of windows of a track; None for no limit.
    """
    results = []
    for test, tracks in tests.items():
        owners: list[int] = []
        scores: dict[tuple[str, Mode], list[NDArray[np.float32]]] = {}
        measured: dict[str, list[NDArray[np.float32]]] = {}
        cued: list[dict[str, NDArray[np.bool_]]] = []
        for number, track in enumerate(tqdm(tracks, desc=test, unit="track", disable=None)):
            for waveforms in versions_of_windows(track, number, hop=hop, seed=seed, most=most_windows):
                owners.append(number)
                cues = measure_cues(waveforms)
                for name, measure in BASELINES.items():
                    measured.setdefault(name, []).append(_measure_comparisons(measure, cues))
                cued.append({kind: has(*_compared(cues, kind)).numpy() for kind, (has, *_) in CUES.items()})
                for key, embedded in encoders.embed(waveforms, modes).items():
                    sides = embedded[: len(CONDITIONING)], embedded[len(CONDITIONING) :]
                    left, right = encoders.sides(key[0], *sides)
                    scores.setdefault(key, []).append((left[:, None] * right[None]).sum(-1).numpy())
        cases = {kind: np.stack([window[kind] for window in cued]) for kind in CUES} if cued else {}
        for (encoder, mode), tables in scores.items():
            results.append(_judge(encoder, test, mode, np.stack(tables), cases, np.asarray(owners), seed))
        for name, differences in measured.items():
            results.append(_judge_baseline(name, test, np.stack(differences), np.asarray(owners), seed))
    return results


def versions_of_windows(track: Track, number: int, *, hop: float, seed: int, most: int | None) -> Iterator[Tensor]:
    """Yield the versions of both sides of each window, those of the conditioning first: (6 + 8, L)."""
    split = draw_split(track, number, seed)
    for start in window_starts(track.seconds, hop=hop, margin=MARGIN, most=most):
        stems = read_window(track, start - MARGIN, WINDOW + 2 * MARGIN)
        sides = sounding_sides(split, audible(stems[:, EDGE : EDGE + LENGTH]))
        if sides is None:
            continue
        half_beat = round(beat_period(torch.from_numpy(stems.sum(0))) / 2 * SAMPLE_RATE)
        music = torch.from_numpy(np.stack([stems[side].sum(0) for side in sides]))  # (2, L + 2 EDGE)
        shifted = torch.stack([music[1, EDGE + lag :][:LENGTH] for lag in (-half_beat, half_beat)])
        if audible(music[:, EDGE : EDGE + LENGTH].numpy()).all() and audible(shifted.numpy()).all():
            yield _make_versions(music[:, EDGE:], shifted)


def _make_versions(music: Tensor, shifted: Tensor) -> Tensor:
    plain = music[:, :LENGTH]
    made = {
        "plain": plain,
        "quiet": plain,
        "high": _low_pass(transpose(music, SEMITONES / 2)[:, :LENGTH]),
        "low": _low_pass(transpose(music, -SEMITONES / 2)[:, :LENGTH]),
        "fast": _low_pass(stretch(music, 1 + STRETCH / 2, LENGTH)),
        "slow": _low_pass(stretch(music, 1 - STRETCH / 2, LENGTH)),
    }
    waveforms = torch.cat([torch.stack([made[name][side] for name in CONDITIONING]) for side in (0, 1)])
    waveforms = torch.cat([waveforms, shifted])
    levels = torch.full((len(waveforms),), LEVEL_DBFS)
    levels[[CONDITIONING.index("quiet"), len(CONDITIONING) + ACCOMPANIMENT.index("quiet")]] -= GAIN_DB
    gains = 10 ** ((levels - torch.from_numpy(level_db(waveforms.numpy()))) / 20)
    levelled: Tensor = waveforms * gains[:, None]
    return levelled


def _low_pass(waveforms: Tensor) -> Tensor:
    spectrum = torch.fft.rfft(waveforms)
    frequencies = torch.fft.rfftfreq(waveforms.shape[-1], 1 / SAMPLE_RATE)
    begin, end = CUTOFF_HZ
    gain = 0.5 + 0.5 * torch.cos(torch.pi * ((frequencies - begin) / (end - begin)).clamp(0, 1))
    filtered: Tensor = torch.fft.irfft(spectrum * gain, waveforms.shape[-1])
    return filtered


def _judge(
    encoder: str,
    test: str,
    mode: Mode,
    scores: NDArray[np.float32],
    cued: Mapping[str, NDArray[np.bool_]],
    track: NDArray[np.int64],
    seed: int,
) -> Validity:
    """Return the results from the scores of all versions, (n, 6, 8); ``cued`` flags windows with cues, (n, 2) each."""

    def score(conditioning: str, accompaniment: str) -> NDArray[np.float32]:
        return scores[:, CONDITIONING.index(conditioning), ACCOMPANIMENT.index(accompaniment)]

    wins, track_wins, by_cue = {}, {}, {}
    for kind, versions in COMPARISONS.items():
        right = np.stack([score(left, accompaniment) for left, accompaniment, _ in versions])  # (2, n)
        wrong = np.stack([score(left, accompaniment) for left, _, accompaniment in versions])
        compared = compare(right, wrong)
        wins[kind] = accuracy_with_interval(compared.mean(0), track, seed=seed)
        if kind in CUES:
            there = cued[kind].T
            by_cue[kind] = {
                name: accuracy_with_interval(_mean_where(chosen, compared), track, seed=seed)
                for name, chosen in zip(CUES[kind][1:], (there, ~there), strict=True)
            }
        means = [[side[:, track == number].mean(1) for number in np.unique(track)] for side in (right, wrong)]
        track_wins[kind] = float(100 * compare(*map(np.stack, means)).mean())
    coherent = score("plain", "plain")
    changes = np.abs(np.stack([score("quiet", "plain"), score("plain", "quiet")]) - coherent)
    gain = GainEffect(float(np.median(changes)), float(coherent.std()))
    return Validity(encoder, test, mode, wins, gain, track_wins, by_cue)


def _mean_where(chosen: NDArray[np.bool_], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of the chosen values of each column; NaN if none is chosen."""
    mean: NDArray[np.float64] = np.where(chosen, values, 0).sum(0) / np.where(chosen.any(0), chosen.sum(0), np.nan)
    return mean


def _compared(cues: SubmixCues, *kinds: str) -> list[SubmixCues]:
    """Return the cues of conditioning, right and wrong accompaniment in every comparison of some kinds."""
    versions = [names for kind in kinds for names in COMPARISONS[kind]]
    rows = [
        [
            CONDITIONING.index(conditioning),
            len(CONDITIONING) + ACCOMPANIMENT.index(right),
            len(CONDITIONING) + ACCOMPANIMENT.index(wrong),
        ]
        for conditioning, right, wrong in versions
    ]
    return [cues.rows(chosen) for chosen in np.asarray(rows).T]


def _measure_comparisons(measure: Measure, cues: SubmixCues) -> NDArray[np.float32]:
    """Return the measurement of the right pair minus that of the wrong one, for every comparison: (3, 2, J)."""
    conditioning, right, wrong = _compared(cues, *COMPARISONS)
    differences: NDArray[np.float32] = (measure(conditioning, right) - measure(conditioning, wrong)).numpy()
    return differences.reshape(len(COMPARISONS), -1, differences.shape[1])


def _judge_baseline(
    name: str, test: str, differences: NDArray[np.float32], track: NDArray[np.int64], seed: int
) -> Validity:
    """Return the results of a baseline from the differences that it measured, (n, 3, 2, J)."""
    wins = {
        kind: accuracy_with_interval(cross_validated_wins(differences[:, row], track, seed=seed), track, seed=seed)
        for row, kind in enumerate(COMPARISONS)
    }
    return Validity(name, test, None, wins, None)
