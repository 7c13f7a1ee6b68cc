"""The evaluation queries that all generators share: drawn once per data set from a seed, kept as hashed JSON lines.

The same seed and the same music give the same bytes on every machine: every draw comes from SHA-256, and nothing in a
manifest depends on where the music lies.
"""

import argparse
import json
import logging
import sys
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from cocola_metric.errors import AudioError, UsageError
from cocola_metric.training.corpora import Track, canonical_name, instrument_of, reader_of, stem_tags, tag_word
from cocola_metric.training.paper import Task
from cocola_metric.training.signal import SOUNDING_POWER

from .audio import find_stems, note_corpus, open_tracks
from .hashed_draws import HashedDraws
from .manifest import COUNT, GAIN, Part, Query, Submix, make_query, write_queries
from .sides import SIDES
from .stem_windows import native_rate, read_mix

logger = logging.getLogger(__name__)

STARTS_PER_SECOND = 10
"""Windows start at tenths of a second: whole samples at every usual rate, and exact in JSON."""
ATTEMPTS = 32
"""Windows of a track that are tried before it is given up."""
NUMBERS = {2: "two", 3: "three"}
MOST_OVERLAP = 0.5
"""Share that two windows of a track have in common at most, where the track is long enough."""


@dataclass(frozen=True)
class Candidate:
    """A track to draw from, and its parts."""

    track: Track
    parts: tuple[Part, ...]

    @property
    def name(self) -> str:
        """The name of the track, as a manifest has it."""
        return canonical_name(self.track.name)


def draw_queries(
    tracks: Sequence[Track],
    *,
    dataset: str,
    split: str = "test",
    count: int = COUNT,
    seconds: float = 10.24,
    seed: int = 0,
    instruments: Sequence[str] | None = None,
    task: Task = Task.AG,
) -> list[Query]:
    """Draw queries, spread evenly over the tracks; a larger count begins with the queries of a smaller one.

    Both sides are drawn from the parts that sound in a window (above -45 dBFS), as `SIDES` has it for the task. For
    accompaniment generation, Y is a random non-empty subset of them, and X is one of the rest (section 5.2).

    Args:
        tracks: tracks of one split of one data set.
        dataset: name of the data set.
        split: name of the split.
        count: number of queries.
        seconds: length of the windows, in seconds.
        seed: seed of all draws.
        instruments: instruments to keep, the stems of each summed to one part; None keeps all stems.
        task: task of all queries.

    Raises:
        AudioError: fewer than two tracks have a window in which enough parts sound.
        UsageError: ``count`` is below 1, ``seconds`` is not above 0, or there are no queries of the task.
    """
    if task not in SIDES:
        raise UsageError(f"task must be one of {', '.join(one.name for one in SIDES)}; got {task.name}")
    if count < 1 or not seconds > 0:
        raise UsageError(f"count must be 1 or more and seconds above 0; got {count} queries of {seconds} s")
    seconds = float(seconds)  # 10 and 10.0 are one length, and have to be one in the manifest
    candidates = [Candidate(track, parts_of(track, instruments)) for track in tracks]
    least = SIDES[task].least
    enough = f"{NUMBERS[least]} stems"
    usable = [one for one in candidates if len(one.parts) >= least and one.track.seconds >= seconds]
    if len(usable) < len(candidates):
        gone = len(candidates) - len(usable)
        logger.warning("%d of %d tracks left out: under %g s, or under %s", gone, len(candidates), seconds, enough)
    order = deque(sorted(usable, key=lambda one: HashedDraws(seed, "order", one.name).below(2**256)))
    queries: list[Query] = []
    starts: dict[str, list[float]] = {one.name: [] for one in usable}
    with tqdm(total=count, desc="drawing", unit="query", delay=1, disable=None) as progress:
        while len(queries) < count and order:
            chosen = order.popleft()
            earlier = starts[chosen.name]
            draws = HashedDraws(seed, "query", chosen.name, len(earlier))
            window = _draw_window(chosen, seconds, draws, earlier, least=least)
            if window is None:
                logger.warning("%s left out: no window found in which %s sound", chosen.name, enough)
                continue
            earlier.append(window[0])
            start, parts = window
            sides = SIDES[task].draw(parts, draws)
            given, wanted = (Submix(chosen.name, start, seconds, tuple(side)) for side in sides)
            donor = _draw_donor(order, seconds, draws)
            order.append(chosen)
            if donor is None:
                order.clear()
                break
            fields = {"dataset": dataset, "split": split, "seed": seed, "gain": GAIN}
            fields |= {"conditioning": given, "accompaniment": wanted, "donor": donor}
            fields |= {"genre": chosen.track.genre}
            queries.append(make_query(len(queries), fields))
            progress.update()
    if len(queries) < count:
        raise AudioError(
            f"{dataset}: fewer than two of {len(tracks)} tracks have {seconds:g} s in which {enough} sound: "
            "give more music or shorter windows"
        )
    return queries


def parts_of(track: Track, instruments: Sequence[str] | None = None) -> tuple[Part, ...]:
    """Return what queries treat as the stems of a track.

    Args:
        track: track to be queried.
        instruments: instruments to keep, the stems of each summed to one part; None makes one part of all drums, and
            one of every other stem.
    """
    stems = sorted(track.stems, key=lambda stem: canonical_name(stem.name))
    if instruments is not None:
        grouped = {
            tag_word(name): [stem for stem in stems if instrument_of(stem) == tag_word(name)] for name in instruments
        }
        return tuple(
            Part(f"{word}_1", tuple(canonical_name(stem.name) for stem in members))
            for word, members in grouped.items()
            if members
        )
    tagged: dict[str, list[str]] = {}
    for tag, stem in zip(stem_tags([instrument_of(stem) for stem in stems]), stems, strict=True):
        tagged.setdefault(tag, []).append(canonical_name(stem.name))
    return tuple(Part(tag, tuple(members)) for tag, members in tagged.items())


Window = tuple[float, list[Part]]
"""Start in seconds, and the parts that sound."""


def _draw_window(
    candidate: Candidate, seconds: float, draws: HashedDraws, earlier: Sequence[float], least: int
) -> Window | None:
    """Draw a window in which so many parts sound; it overlaps an earlier one too much only if no other is found."""
    last = int((candidate.track.seconds - seconds) * STARTS_PER_SECOND + 1e-6)
    fallback: Window | None = None
    for _ in range(ATTEMPTS):
        start = draws.below(last + 1) / STARTS_PER_SECOND
        crowded = any(abs(start - other) < (1 - MOST_OVERLAP) * seconds for other in earlier)
        if crowded and fallback is not None:
            continue
        parts = _sounding(candidate, start, seconds)
        if len(parts) >= least:
            fallback = start, parts
            if not crowded:
                break
    return fallback


def _sounding(candidate: Candidate, start: float, seconds: float) -> list[Part]:
    """Return the parts above -45 dBFS; their power is summed as exactly as can be, to be the same everywhere."""
    sounding = []
    for part in candidate.parts:
        stems = find_stems(candidate.track, part)
        samples = read_mix(stems, start, seconds, native_rate(stems)).astype(np.float64)
        if np.mean(np.square(samples)) > SOUNDING_POWER:
            sounding.append(part)
    return sounding


def _draw_donor(others: Iterable[Candidate], seconds: float, draws: HashedDraws) -> Submix | None:
    left = sorted(others, key=lambda one: one.name)
    while left:
        donor = left.pop(draws.below(len(left)))
        window = _draw_window(donor, seconds, draws, (), least=1)
        if window is not None:
            start, parts = window
            return Submix(donor.name, start, seconds, tuple(draws.subset(parts, 1 + draws.below(len(parts)))))
    return None


def run(options: argparse.Namespace) -> None:
    """Draw a manifest as the options of the command say, and print its hash."""
    queries = draw_queries(
        open_tracks(options.corpus, options.split),
        dataset=options.name or _dataset_name(options.corpus),
        split=options.split,
        count=options.count,
        seconds=options.seconds,
        seed=options.seed,
        instruments=options.instruments,
        task=Task[options.task],
    )
    sha256 = write_queries(options.out, queries)
    note_corpus(options.out, options.corpus)
    tracks_used = len({query.conditioning.track for query in queries})
    report = {
        "queries": len(queries),
        "task": options.task,
        "tracks": tracks_used,
        "sha256": sha256,
        "out": str(options.out),
    }
    json.dump(report, sys.stdout)
    print()


def _dataset_name(corpus: str) -> str:
    return reader_of(corpus) or canonical_name(Path(corpus).expanduser().resolve().name)
