"""Folk tunes with chords: a melody and the name of the chord on every beat, read from Nottingham MIDI files."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from .notation import Note, ScoreError, read_midi

TIME_SIGNATURE_EVENT = b"\xff\x58\x04"
BEATS_PER_BAR = {(4, 4): 4, (2, 4): 4, (2, 2): 4, (3, 4): 3}
FEWEST_BARS = 8
FEWEST_CHORDS = 4
ROOTS = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
# Suffix as MMA spells it -> pitch classes above the root.
CHORD_TYPES = {
    "": frozenset({0, 4, 7}),
    "m": frozenset({0, 3, 7}),
    "dim": frozenset({0, 3, 6}),
    "aug": frozenset({0, 4, 8}),
    "7": frozenset({0, 4, 7, 10}),
    "m7": frozenset({0, 3, 7, 10}),
    "M7": frozenset({0, 4, 7, 11}),
}
ANTICIPATION = 0.26  # a chord struck up to a sixteenth after the beat counts for that beat


@dataclass(frozen=True)
class Tune:
    """A melody and its chords; time 0 is the first bar line.

    Args:
        beats_per_bar: number of quarters in a bar, 3 or 4.
        melody: notes in quarters; those of the upbeat start before 0.
        bars: names of the chords on each beat, for each bar.
    """

    beats_per_bar: int
    melody: tuple[Note, ...]
    bars: tuple[tuple[str, ...], ...]

    def unrolled(self, bar_count: int, first_bar: int = 0) -> "Tune":
        """Return `bar_count` bars from `first_bar` on; the tune begins again after its end."""
        bars = tuple(self.bars[(first_bar + number) % len(self.bars)] for number in range(bar_count))
        tune_length, length = len(self.bars) * self.beats_per_bar, bar_count * self.beats_per_bar
        repetitions = math.ceil((first_bar + bar_count) / len(self.bars))
        shifts = [number * tune_length - first_bar * self.beats_per_bar for number in range(repetitions)]
        moved = (
            replace(note, start=note.start + shift, end=note.end + shift)
            for shift in shifts
            for note in self.melody
            if note.start < tune_length
        )
        return replace(self, bars=bars, melody=tuple(note for note in moved if 0 <= note.start < length))


def beats_per_bar(path: Path) -> int | None:
    """Return 4 or 3 if a MIDI file has such bars throughout, else None.

    Searching the bytes for time-signature events takes a hundredth of the time of parsing the file.
    """
    found = set()
    for event in path.read_bytes().split(TIME_SIGNATURE_EVENT)[1:]:
        if len(event) < 2:
            return None
        found.add(BEATS_PER_BAR.get((event[0], 2 ** event[1])))
    return found.pop() if len(found) == 1 else None


def read_tune(path: Path) -> Tune:
    """Read a tune: the melody is on the first track, block chords are on the second.

    Raises:
        ScoreError: there are no chords, the metre is neither 4/4 nor 3/4, or the tune is too short.
    """
    metre, parts = beats_per_bar(path), read_midi(path, in_quarters=True)
    if metre is None or len(parts) < 2:
        raise ScoreError(f"{path}: not a tune with chords in 2/4, 3/4 or 4/4")
    melody, chord_notes = parts[0].notes, parts[1].notes
    struck: dict[float, list[int]] = {}
    for note in chord_notes:
        struck.setdefault(round(note.start * 4) / 4, []).append(note.pitch)
    chords = [(onset, name_chord(struck[onset])) for onset in sorted(struck)]
    if len(chords) < FEWEST_CHORDS:
        raise ScoreError(f"{path}: fewer than {FEWEST_CHORDS} chords")
    upbeat = _find_upbeat([onset for onset, _ in chords], metre)
    bar_count = int((parts[0].end - upbeat) // metre)
    if bar_count < FEWEST_BARS:
        raise ScoreError(f"{path}: fewer than {FEWEST_BARS} bars")
    beats = [_chord_at(upbeat + beat, chords) for beat in range(bar_count * metre)]
    bars = tuple(tuple(beats[first : first + metre]) for first in range(0, len(beats), metre))
    shifted = (replace(note, start=note.start - upbeat, end=note.end - upbeat) for note in melody)
    return Tune(metre, tuple(shifted), bars)


def name_chord(pitches: Iterable[int]) -> str:
    """Return the chord that explains most of some MIDI pitches, preferably with the lowest one as its root.

    >>> name_chord([45, 48, 52])
    'Am'
    """
    sounding = list(pitches)
    classes, bass = {pitch % 12 for pitch in sounding}, min(sounding) % 12

    def merit(root: int, suffix: str) -> float:
        wanted = {(root + interval) % 12 for interval in CHORD_TYPES[suffix]}
        missing, foreign = len(wanted - classes), len(classes - wanted)
        return len(wanted & classes) - 0.6 * missing - 0.5 * foreign + 0.3 * (root == bass)

    root, suffix = max(
        ((root, suffix) for root in range(12) for suffix in CHORD_TYPES), key=lambda candidate: merit(*candidate)
    )
    return ROOTS[root] + suffix


def _chord_at(beat: float, chords: list[tuple[float, str]]) -> str:
    return next((name for onset, name in reversed(chords) if onset <= beat + ANTICIPATION), chords[0][1])


def _find_upbeat(onsets: list[float], metre: int) -> float:
    """Return the length of the upbeat in quarters: chords change on bar lines more often than anywhere else."""
    candidates = [step / 2 for step in range(2 * metre)]
    return max(candidates, key=lambda upbeat: (sum((onset - upbeat) % metre == 0 for onset in onsets), -upbeat))
