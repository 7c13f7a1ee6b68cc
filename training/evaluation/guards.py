"""What the guards against gaming find: false alarms on real pairs, and the echoes and noise that they catch."""

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.fft
import scipy.signal
from numpy.typing import NDArray
from tqdm import tqdm

from cocola_metric.audio import SAMPLE_RATE
from cocola_metric.errors import UsageError
from cocola_metric.scoring import ECHO_THRESHOLD, NOISE_THRESHOLD, echo, noise, traces

from ..corpora import Track
from ..signal import mix_at_level
from .encoders import labelled
from .held_out import LEVEL_DBFS, open_test_set, read_submixes
from .markdown import NOTHING, markdown_table

Samples = NDArray[np.float32]
Answer = Callable[[Samples, Samples, np.random.Generator], Samples]
"""Conditioning and real accompaniment (L,), and a source of random numbers, to an answer (L,)."""


def _at(share: float) -> Answer:
    """Return answers that hold their conditioning at a level relative to the real accompaniment, in decibels."""
    return lambda given, real, random: real + np.float32(10 ** (share / 20)) * given


def _muffled(given: Samples, real: Samples, random: np.random.Generator) -> Samples:
    sections = scipy.signal.butter(2, 800, fs=SAMPLE_RATE, output="sos")
    return np.asarray(scipy.signal.sosfilt(sections, given), np.float32)


def _white(given: Samples, real: Samples, random: np.random.Generator) -> Samples:
    return random.standard_normal(len(real), dtype=np.float32)


def _pink(given: Samples, real: Samples, random: np.random.Generator) -> Samples:
    spectrum = scipy.fft.rfft(_white(given, real, random))
    return np.asarray(scipy.fft.irfft(spectrum / np.sqrt(np.arange(1, len(spectrum) + 1)), len(real)), np.float32)


ANSWERS: dict[str, Answer] = {
    "real accompaniment": lambda given, real, random: real,
    "conditioning": lambda given, real, random: given,
    "conditioning, 60 ms late": lambda given, real, random: np.roll(given, round(0.06 * SAMPLE_RATE)),
    "conditioning below 800 Hz": _muffled,
    "real + conditioning at 0 dB": _at(0.0),
    "real + conditioning at -6 dB": _at(-6.0),
    "real + conditioning at -12 dB": _at(-12.0),
    "white noise": _white,
    "pink noise": _pink,
}


@dataclass(frozen=True)
class Found:
    """Guards of one kind of answer, averaged over the windows of each track as scores are.

    Attributes:
        echo: echo of each track.
        noise: likeness to noise of each track.
        windows: echo and noise of each window, (n, 2).
    """

    echo: NDArray[np.float64]
    noise: NDArray[np.float64]
    windows: NDArray[np.float64]


def measure_guards(tracks: Sequence[Track], *, most_windows: int | None, seed: int) -> dict[str, Found]:
    """Return the guards of every kind of answer, on two disjoint sub-mixes of each window."""
    rows: dict[str, list[list[tuple[float, float]]]] = {name: [] for name in ANSWERS}
    for number, track in enumerate(tqdm(tracks, unit="track", disable=None)):
        random = np.random.default_rng([seed, number])
        heard: dict[str, list[tuple[float, float]]] = {name: [] for name in ANSWERS}
        for given, real in _pairs(track, number, most_windows, seed):
            phases = traces(given[None]).phases
            for name, answer in ANSWERS.items():
                sound = mix_at_level(answer(given, real, random)[None], LEVEL_DBFS)[None]
                heard[name].append((float(echo(phases, traces(sound).phases)[0]), float(noise(sound)[0])))
        for name, pairs in heard.items():
            rows[name] += [pairs] if pairs else []
    return {name: _found(pairs) for name, pairs in rows.items()}


def guards_table(tests: dict[str, dict[str, Found]]) -> str:
    """Return the share of tracks, and of windows, that cross a threshold, and the largest echo of a real pair."""
    header = ["test set", "answer", "tracks", "echo, % of tracks", "% of windows", "noise, % of tracks", "% of windows"]
    lines = []
    for test, kinds in tests.items():
        for name, found in kinds.items():
            if not len(found.echo):
                lines.append([test, name, "0", *[NOTHING] * 4])
                continue
            over = found.windows >= (ECHO_THRESHOLD, NOISE_THRESHOLD)
            shares = (found.echo >= ECHO_THRESHOLD, over[:, 0], found.noise >= NOISE_THRESHOLD, over[:, 1])
            lines.append([test, name, str(len(found.echo)), *(f"{100 * share.mean():.1f}" for share in shares)])
    return markdown_table(header, lines)


def run(options: argparse.Namespace) -> None:
    """Print the table.

    Raises:
        UsageError: two test sets have one name.
    """
    specs = dict(map(labelled, options.test))
    if len(specs) < len(options.test):
        raise UsageError("two test sets have one name; give each its own, as NAME=CORPUS")
    tests = {}
    for name, spec in specs.items():
        tracks = open_test_set(spec)[: options.max_tracks]
        tests[name] = measure_guards(tracks, most_windows=options.max_windows, seed=options.seed)
    if not any(len(found.echo) for kinds in tests.values() for found in kinds.values()):
        raise UsageError("no test set has a window in which two sides sound; pass folders of <track>/<stem> files")
    print(guards_table(tests))
    print(f"\nThresholds: echo {ECHO_THRESHOLD:g}, noise {NOISE_THRESHOLD:g}, of means over the windows of a track.")


def _pairs(track: Track, number: int, most_windows: int | None, seed: int) -> Iterator[tuple[Samples, Samples]]:
    for window in read_submixes(track, number, partitions=("track",), seed=seed, most=most_windows):
        if "track" in window:
            given, real = window["track"]
            yield given, real


def _found(tracks: Sequence[Sequence[tuple[float, float]]]) -> Found:
    means = np.asarray([np.mean(pairs, axis=0) for pairs in tracks]).reshape(-1, 2)
    return Found(means[:, 0], means[:, 1], np.asarray([pair for pairs in tracks for pair in pairs]).reshape(-1, 2))
