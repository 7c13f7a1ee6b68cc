"""Tracks and their stems, and the check whether they can be read."""

import logging
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from cocola_metric.errors import AudioError

if TYPE_CHECKING:
    from cocola_metric.audio import AudioFile

logger = logging.getLogger(__name__)

EARLY_END = 1.0
"""Seconds by which a stem may end before its track without a message."""
READERS = 8  # threads that open files: on a network disk they wait, mostly


@dataclass(frozen=True)
class Stem:
    """One instrument of a track: one or several files that are summed.

    Attributes:
        name: name of the stem, unique in its track.
        files: files that are summed.
        instrument: instrument in the words of the data set ("Guitar", "violin"); empty if it has none.
    """

    name: str
    files: tuple[Path, ...]
    instrument: str = ""

    @cached_property
    def opened(self) -> tuple["AudioFile", ...]:
        """Headers of the files."""
        from cocola_metric.audio import open_file  # not above: the registry of corpora is read for --help

        return tuple(map(open_file, self.files))

    @property
    def seconds(self) -> float:
        """Length of the longest file, from the headers."""
        return max(file.duration for file in self.opened)


@dataclass(frozen=True)
class Track:
    """A piece of music with its separated stems, all starting together.

    Attributes:
        name: unique name in its corpus.
        stems: two or more, in a fixed order.
        genre: genre of the music, in the words of the data set; empty if it names none.
    """

    name: str
    stems: tuple[Stem, ...]
    genre: str = ""

    @cached_property
    def seconds(self) -> float:
        """Length of the longest stem, from the files' headers; a stem that ends earlier is silent from there on."""
        return max(stem.seconds for stem in self.stems)


def keep_usable(tracks: Iterable[Track], corpus: str) -> list[Track]:
    """Return the tracks of two stems or more whose files all exist and are whole; warn of the others.

    Headers are read, and the last sample of FLAC files, which alone shows that a FLAC file was cut. A track with a stem
    that ends more than a second before the others is kept: after its end the stem is silent, like a stem that rests.
    CocoChorales has such a track (`string_track001353`).

    Raises:
        AudioError: no track is left.
    """
    from tqdm import tqdm

    candidates = list(tracks)
    with ThreadPoolExecutor(READERS) as threads:
        checked = threads.map(find_problem, candidates)
        progress = tqdm(checked, total=len(candidates), desc=f"checking {corpus}", unit="track", delay=2, disable=None)
        problems = list(progress)
    usable = [track for track, problem in zip(candidates, problems, strict=True) if problem is None]
    faults = [(track, problem) for track, problem in zip(candidates, problems, strict=True) if problem is not None]
    for track, problem in faults:
        logger.warning("%s: %s left out: %s", corpus, track.name, problem)
    if faults:
        logger.warning("%s: %d of %d tracks left out", corpus, len(faults), len(candidates))
    if not usable:
        reason = f"none of {len(candidates)} tracks can be used; the first: {faults[0][1]}" if faults else "no tracks"
        raise AudioError(f"{corpus}: {reason}")
    _report_early_ends(usable, corpus)
    _report_doubts(usable, corpus)
    return usable


def find_problem(track: Track) -> str | None:
    """Return why a track cannot be used, or None."""
    if len(track.stems) < 2:
        return f"it has {len(track.stems)} of the two stems that a track needs"
    try:
        for stem in track.stems:
            _ = stem.seconds  # opens every file, and is kept
            for file in stem.opened:
                _check_end(file)
    except AudioError as error:
        return str(error)
    return None


def _check_end(file: "AudioFile") -> None:
    """Read the last sample of a FLAC file; the header does not show whether the file is whole.

    Raises:
        AudioError: the file ends before its last sample.
    """
    if file.path.suffix.lower() == ".flac":
        for _ in file.blocks(file.frames - 1):
            pass


def _report_doubts(tracks: Sequence[Track], corpus: str) -> None:
    doubts = [file.doubt for track in tracks for stem in track.stems for file in stem.opened if file.doubt]
    if doubts:
        logger.warning("%s: %d files raise doubts; the first: %s", corpus, len(doubts), doubts[0])


def _report_early_ends(tracks: Sequence[Track], corpus: str) -> None:
    gaps = [
        (track.seconds - stem.seconds, f"{track.name}/{stem.name}")
        for track in tracks
        for stem in track.stems
        if track.seconds - stem.seconds > EARLY_END
    ]
    if gaps:
        longest, where = max(gaps)
        logger.info("%s: stems that end early: %d, %s by %.1f s; silence follows", corpus, len(gaps), where, longest)
