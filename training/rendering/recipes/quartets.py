"""The recipe `quartets`: excerpts of string quartets, scored anew for other ensembles (like CocoChorales)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..notation import Bend, Note, Part, ScoreError, read_musicxml
from ..studio import Stems, Studio, mix
from ..works import SourceAbsent, Work, group_works

FEWEST_NOTES = 8
ATTEMPTS = 12
TEMPO_RANGE = (58.0, 126.0)  # quarters a minute
VIBRATO_STEP = 0.025  # seconds between pitch-bend changes
VIBRATO_DELAY = 0.2
SHORTEST_VIBRATO_NOTE = 0.35


@dataclass(frozen=True)
class Instrument:
    """An instrument of the orchestra: its stem name, General MIDI program and comfortable MIDI pitches."""

    name: str
    program: int
    lowest: int
    highest: int


VIOLIN, VIOLA = Instrument("violin", 40, 55, 100), Instrument("viola", 41, 48, 88)
CELLO, BASS = Instrument("cello", 42, 36, 76), Instrument("double-bass", 43, 28, 60)
TRUMPET, HORN = Instrument("trumpet", 56, 54, 84), Instrument("horn", 60, 34, 77)
TROMBONE, TUBA = Instrument("trombone", 57, 40, 72), Instrument("tuba", 58, 26, 58)
FLUTE, OBOE = Instrument("flute", 73, 60, 96), Instrument("oboe", 68, 58, 91)
CLARINET, BASSOON = Instrument("clarinet", 71, 50, 91), Instrument("bassoon", 70, 34, 75)
SOPRANO_SAX, ALTO_SAX = Instrument("soprano-sax", 64, 56, 88), Instrument("alto-sax", 65, 49, 81)
TENOR_SAX, BARITONE_SAX = Instrument("tenor-sax", 66, 44, 76), Instrument("baritone-sax", 67, 36, 69)

ENSEMBLES = (
    (VIOLIN, VIOLIN, VIOLA, CELLO),
    (TRUMPET, TRUMPET, HORN, TROMBONE),
    (TRUMPET, HORN, TROMBONE, TUBA),
    (FLUTE, OBOE, CLARINET, BASSOON),
    (SOPRANO_SAX, ALTO_SAX, TENOR_SAX, BARITONE_SAX),
)
# The thirteen that the random ensembles of CocoChorales draw from.
SOLOISTS = (
    *(VIOLIN, VIOLA, CELLO, BASS, TRUMPET, HORN, TROMBONE, TUBA),
    *(FLUTE, OBOE, CLARINET, BASSOON, ALTO_SAX),
)
RANDOM_ENSEMBLE_PROBABILITY = 2 / 7


def find_works(sources: Path) -> list[Work]:
    """List the quartets; the files that hold single movements of one quartet make one work."""
    folder = sources / "scores" / "string_quartets"
    paths = sorted(folder.glob("*.mxl"))
    if not paths:
        raise SourceAbsent(f"no .mxl score in {folder}; take them from github.com/OpenScore/StringQuartets")
    return group_works(paths, lambda path: re.sub(r"__sq\d+$", "", path.stem))


def render(work: Work, duration: float, studio: Studio, generator: np.random.Generator) -> Stems:
    """Render one excerpt: ensemble, key, tempo, fonts, timing, dynamics and vibrato are drawn."""
    score = read_musicxml(work.paths[generator.integers(len(work.paths))])
    return perform_excerpt(score, duration, generator.uniform(*TEMPO_RANGE), studio, generator)


def perform_excerpt(
    score: Sequence[Part], duration: float, tempo: float, studio: Studio, generator: np.random.Generator
) -> Stems:
    """Draw an excerpt of a score in quarters, give it to an ensemble and record it at `tempo` quarters a minute."""
    excerpt = _draw_excerpt([part for part in score if part.notes], duration * tempo / 60, generator)
    transposition = int(generator.integers(-3, 4))
    parts = []
    for number, (part, instrument) in enumerate(zip(excerpt, _draw_ensemble(len(excerpt), generator), strict=True), 1):
        fitted = _fit_register(part.transposed(transposition), instrument).stretched(60 / tempo)
        played = _perform(fitted, generator)
        name = f"{number}-{instrument.name}"
        parts.append(replace(played, name=name, program=instrument.program, font=studio.draw_font(generator)))
    return mix(studio.record(parts, duration), generator)


def _draw_excerpt(score: Sequence[Part], quarters: float, generator: np.random.Generator) -> list[Part]:
    latest = max(0.0, max((part.end for part in score), default=0.0) - quarters)
    for _ in range(ATTEMPTS):
        start = float(generator.integers(int(latest) + 1))
        excerpt = [part.excerpt(start, start + quarters) for part in score]
        busy = [part for part in excerpt if len(part.notes) >= FEWEST_NOTES]
        if len(busy) >= 3:
            return busy
    raise ScoreError(f"no excerpt in which three parts have {FEWEST_NOTES} notes")


def _draw_ensemble(size: int, generator: np.random.Generator) -> list[Instrument]:
    if generator.random() < RANDOM_ENSEMBLE_PROBABILITY:
        return [SOLOISTS[index] for index in generator.integers(len(SOLOISTS), size=size)]
    ensemble = ENSEMBLES[generator.integers(len(ENSEMBLES))]
    return [ensemble[number % len(ensemble)] for number in range(size)]


def _fit_register(part: Part, instrument: Instrument) -> Part:
    """Shift a part by octaves until its middle is playable; the sampler deals with notes that remain outside."""
    middle = float(np.median([note.pitch for note in part.notes]))
    octaves = 0
    while middle + 12 * octaves < instrument.lowest + 4:
        octaves += 1
    while middle + 12 * octaves > instrument.highest - 4:
        octaves -= 1
    lowest, highest = instrument.lowest - 3, instrument.highest + 3
    shifted = part.transposed(12 * octaves)
    return replace(
        shifted,
        notes=tuple(replace(note, pitch=min(highest, max(lowest, note.pitch))) for note in shifted.notes),
    )


def _perform(part: Part, generator: np.random.Generator) -> Part:
    """Play a part as people do: slightly off the beat, with drifting dynamics, and vibrato on long notes."""
    velocity = generator.uniform(60, 100)
    notes: list[Note] = []
    bends: list[Bend] = []
    for note in part.notes:
        velocity = float(np.clip(velocity + generator.normal(0, 4), 45, 118))
        start = max(0.0, note.start + generator.normal(0, 0.012))
        end = note.start + (note.end - note.start) * generator.uniform(0.9, 1.02)
        notes.append(replace(note, start=start, end=max(end, start), velocity=int(velocity)))
        if note.end - note.start > SHORTEST_VIBRATO_NOTE:
            bends.extend(_vibrato(start, end, generator.uniform(4.8, 6.4), generator.uniform(200, 900)))
    return replace(part, notes=tuple(notes), bends=tuple(bends))


def _vibrato(start: float, end: float, rate: float, depth: float) -> list[Bend]:
    times = np.arange(start + VIBRATO_DELAY, end, VIBRATO_STEP)
    waves = depth * np.sin(2 * np.pi * rate * (times - start))
    return [*(Bend(float(time), int(wave)) for time, wave in zip(times, waves, strict=True)), Bend(end, 0)]
