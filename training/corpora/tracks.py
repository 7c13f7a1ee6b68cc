"""Tracks and their stems, and which of them can be read."""

import logging
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cocola_metric.errors import AudioError

logger = logging.getLogger(__name__)

AUDIO_SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".mp3", ".aif", ".aiff"})
EARLY_END = 1.0
"""Seconds by which a stem may end before its track without a word being said."""
READERS = 8  # threads that open files: on a network disk they wait, mostly


@dataclass(frozen=True)
class Stem:
    """One instrument of a track: one or several files that are summed.

    Attributes:
        name: unique in its track.
        files: what is summed.
        instrument: what plays, in the words of the data set ("Guitar", "violin"); empty where it does not say.
    """

    name: str
    files: tuple[Path, ...]
    instrument: str = ""

    @cached_property
    def seconds(self) -> float:
        """Length of the longest file, from the headers."""
        from cocola_metric.audio import open_audio  # not above: the registry of corpora is read for --help

        return max(open_audio(file).duration for file in self.files)


@dataclass(frozen=True)
class Track:
    """A piece of music with its separated stems, all starting together."""

    name: str
    stems: tuple[Stem, ...]

    @cached_property
    def seconds(self) -> float:
        """Length of the longest stem, from the files' headers; a stem that ends earlier is silent from there on."""
        return max(stem.seconds for stem in self.stems)


def keep_usable(tracks: Iterable[Track], corpus: str) -> list[Track]:
    """Keep the tracks of two stems or more whose files are all there and whole; name and count the others.

    Headers are read, and the last sample of FLAC files: it alone tells that a FLAC file was cut. A track with a stem
    that ends more than a second before the others is kept: what there is of the stem belongs to the music, and behind
    its end it is as silent as a stem that rests. CocoChorales has such a track (`string_track001353`).

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
    return usable


def find_problem(track: Track) -> str | None:
    """Say why a track cannot be used, or None."""
    if len(track.stems) < 2:
        return f"it has {len(track.stems)} of the two stems that a track needs"
    try:
        for stem in track.stems:
            _ = stem.seconds  # opens every file, and is kept
            for file in stem.files:
                _check_end(file)
    except AudioError as error:
        return str(error)
    return None


def _check_end(file: Path) -> None:
    import soundfile

    if file.suffix.lower() != ".flac":
        return
    try:
        with soundfile.SoundFile(file) as audio:
            audio.seek(audio.frames - 1)
            whole = len(audio.read(1)) == 1
    except soundfile.LibsndfileError:
        whole = False
    if not whole:
        raise AudioError(f"{file} is truncated: the samples that its header announces are not all there: copy it again")


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
