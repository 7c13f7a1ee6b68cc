"""Symbolic music as plain data: parts made of notes, read from MusicXML and from MIDI files."""

import warnings
import zipfile
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree import ElementTree

from cocola_metric.errors import CocolaError, MissingExtraError

PITCH_CLASSES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
SCORE_VELOCITY = 80
# Modulation, data entry, volume, expression, sustain and the numbers that address the pitch-bend range.
PLAYED_CONTROLLERS = frozenset({1, 6, 7, 11, 38, 64, 100, 101})
SHORTEST_HELD_NOTE = 0.1
# What the standard library raises on a truncated archive, on broken XML and on missing or impossible values.
DAMAGE = (
    *(OSError, EOFError, zipfile.BadZipFile, zlib.error, ElementTree.ParseError),
    *(StopIteration, LookupError, ValueError, ArithmeticError),
)


class ScoreError(CocolaError):
    """A score cannot be read, or holds nothing that can be rendered as several stems."""


@dataclass(frozen=True, slots=True)
class Note:
    """One sounding note: MIDI pitch and velocity, start and end in the time unit of its part."""

    start: float
    end: float
    pitch: int
    velocity: int


@dataclass(frozen=True, slots=True)
class Controller:
    """One MIDI controller change (number and value 0-127)."""

    time: float
    number: int
    value: int


@dataclass(frozen=True, slots=True)
class Bend:
    """One pitch-bend change (-8192 to 8191; with the usual range, 4096 is one semitone)."""

    time: float
    value: int


@dataclass(frozen=True)
class Part:
    """The music of one player.

    Times are in quarters if read from a score, which has no clock, and in seconds if read from MIDI; `stretched`
    converts quarters to seconds. The synthesizer expects seconds.

    Args:
        name: name of the stem; parts of one name are summed into one stem.
        notes: notes, in any order.
        program: number of the General MIDI program, 0-127, or of the kit of a drum part.
        is_drum: flag of a drum part, whose pitches are the keys of a drum kit.
        controllers: controller changes in playing order.
        bends: pitch-bend changes in playing order.
        font: index of the SoundFont that plays the part, among the synthesizer's.
    """

    name: str
    notes: tuple[Note, ...]
    program: int = 0
    is_drum: bool = False
    controllers: tuple[Controller, ...] = ()
    bends: tuple[Bend, ...] = ()
    font: int = 0

    @property
    def end(self) -> float:
        """End of the last note; 0 without notes."""
        return max((note.end for note in self.notes), default=0.0)

    def stretched(self, factor: float) -> "Part":
        """Multiply every time by `factor`."""
        return replace(
            self,
            notes=tuple(replace(note, start=note.start * factor, end=note.end * factor) for note in self.notes),
            controllers=tuple(replace(change, time=change.time * factor) for change in self.controllers),
            bends=tuple(replace(bend, time=bend.time * factor) for bend in self.bends),
        )

    def transposed(self, semitones: int) -> "Part":
        """Move every pitch by `semitones`; the keys of a drum kit stay where they are."""
        if self.is_drum:
            return self
        moved = (replace(note, pitch=min(127, max(0, note.pitch + semitones))) for note in self.notes)
        return replace(self, notes=tuple(moved))

    def excerpt(self, start: float, end: float) -> "Part":
        """Return the part between `start` and `end`, with time 0 at `start`.

        A note held over the start is struck again there, except for drums. All earlier controller changes are kept, at
        time 0: they set the volume and the bend range of the beginning.
        """
        kept = (
            note
            for note in self.notes
            if note.start < end
            and (note.start >= start or (not self.is_drum and note.end > start + SHORTEST_HELD_NOTE))
        )
        return replace(
            self,
            notes=tuple(
                replace(note, start=max(0.0, note.start - start), end=min(note.end, end) - start) for note in kept
            ),
            controllers=tuple(
                replace(change, time=max(0.0, change.time - start)) for change in self.controllers if change.time < end
            ),
            bends=tuple(replace(bend, time=max(0.0, bend.time - start)) for bend in self.bends if bend.time < end),
        )


def read_musicxml(path: Path) -> list[Part]:
    """Read a compressed MusicXML score; times are in quarters, repeats are not unfolded, ornaments are left out.

    Raises:
        ScoreError: the file is damaged or is no MusicXML.
    """
    # music21 reads the same files about ten times slower: 20 minutes instead of two for the 1.2 million notes of the
    # string quartets. All we need of a score is pitches, durations and ties.
    try:
        with zipfile.ZipFile(path) as archive:
            document = next(
                name
                for name in archive.namelist()
                if name.endswith((".xml", ".musicxml")) and not name.startswith("META-INF")
            )
            score = ElementTree.fromstring(archive.read(document))
        names = {part.get("id"): part.findtext("part-name") or "" for part in score.iter("score-part")}
        return [Part(names.get(part.get("id"), ""), _part_notes(part)) for part in score.iterfind("part")]
    except DAMAGE as error:
        raise ScoreError(f"{path}: not a readable MusicXML score ({error!r})") from error


def _part_notes(part: ElementTree.Element) -> tuple[Note, ...]:
    notes: list[Note] = []
    tied: dict[int, int] = {}  # pitch -> index of the note that a tie keeps sounding
    divisions, bar_start = 1.0, 0.0
    for measure in part.iterfind("measure"):
        position = onset = bar_end = bar_start
        for element in measure:
            length = float(element.findtext("duration") or 0) / divisions
            if element.tag == "attributes":
                divisions = float(element.findtext("divisions") or divisions)
            elif element.tag == "backup":
                position -= length
            elif element.tag == "forward":
                position += length
            elif element.tag == "note" and element.find("grace") is None and element.find("cue") is None:
                if element.find("chord") is None:
                    onset, position = position, position + length
                _add_note(element, onset, onset + length, notes, tied)
            bar_end = max(bar_end, position)
        bar_start = bar_end
    return tuple(notes)


def _add_note(element: ElementTree.Element, start: float, end: float, notes: list[Note], tied: dict[int, int]) -> None:
    written = element.find("pitch")
    if written is None:
        return
    alteration = int(float(written.findtext("alter") or 0))
    octave = int(written.findtext("octave") or 4)
    pitch = 12 * (octave + 1) + PITCH_CLASSES[written.findtext("step") or ""] + alteration
    ties = {tie.get("type") for tie in element.iterfind("tie")}
    if "stop" in ties and pitch in tied:
        index = tied[pitch] if "start" in ties else tied.pop(pitch)
        notes[index] = replace(notes[index], end=end)
        return
    notes.append(Note(start, end, pitch, SCORE_VELOCITY))
    if "start" in ties:
        tied[pitch] = len(notes) - 1


def read_midi(path: Path, *, in_quarters: bool = False) -> list[Part]:
    """Read a standard MIDI file, one part per instrument of a track; times are in seconds unless `in_quarters`.

    Raises:
        MissingExtraError: pretty_midi is not installed.
        ScoreError: the file is damaged or is no MIDI file.
    """
    try:
        import pretty_midi
    except ImportError as error:
        raise MissingExtraError("reading MIDI needs pretty_midi: pip install 'cocola-metric[train]'") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # tempo marks on later tracks: common, and read as intended
            midi = pretty_midi.PrettyMIDI(str(path))
    except Exception as error:  # mido raises whatever the damaged bytes lead to, bare Exception included
        raise ScoreError(f"{path}: not a readable MIDI file ({error!r})") from error

    def clock(seconds: float) -> float:
        return float(midi.time_to_tick(seconds) / midi.resolution if in_quarters else seconds)

    return [
        Part(
            name=instrument.name.strip(),
            notes=tuple(
                Note(clock(note.start), clock(note.end), int(note.pitch), int(note.velocity))
                for note in instrument.notes
            ),
            program=int(instrument.program),
            is_drum=instrument.is_drum,
            controllers=tuple(
                Controller(clock(change.time), int(change.number), int(change.value))
                for change in instrument.control_changes
                if change.number in PLAYED_CONTROLLERS
            ),
            bends=tuple(Bend(clock(bend.time), int(bend.pitch)) for bend in instrument.pitch_bends),
        )
        for instrument in midi.instruments
    ]
