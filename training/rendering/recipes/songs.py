"""The recipe `songs`: a band as in recordings: a singer, distorted guitars, swing, a breathing tempo, turns."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..channel_strip import amplify
from ..notation import Note, Part
from ..playing import breathing_clock, by_clock, play_loosely, swing_clock, take_turns
from ..studio import Stems, Studio, mix
from ..tunes import ROOTS, Tune, read_tune
from ..voice import sing
from ..works import Work
from .grooves import MELODY, MELODY_PROGRAMS, accompany, perform_melody

TEMPO_RANGE = (60.0, 200.0)  # quarters a minute, drawn evenly by ratio
SINGS, HAS_GUITAR, SWINGS, BREATHES, TAKES_TURNS = 0.6, 0.5, 0.4, 0.6, 0.5
SWING_RANGE = (0.54, 0.7)
BREATH_RANGE = (0.005, 0.03)
VOICE_RANGE = (52, 76)  # MIDI pitches of the middle of a sung melody, from low to high singers
ANSWER, VOICE, GUITAR = "answer", "voice", "distorted-guitar"
LOWEST_ROOT = 40  # E of the low string
GUITARS = (26, 27, 28, 29, 30)
# Eighths of a bar of four quarters in which the guitar strikes.
RIFFS = ((0, 1, 2, 3, 4, 5, 6, 7), (0, 2, 4, 6), (0, 3, 4, 6, 7), (0, 1, 3, 4, 6), (0, 4), (0,), (2, 6))
DRIVES = (6.0, 60.0)


@dataclass(frozen=True)
class Style:
    """What is drawn once a song: each is what recorded songs have, and tunes by a sequencer lack.

    Attributes:
        sings: choice of a singer for the melody.
        has_guitar: choice of a distorted guitar on the chords.
        swing: place of the second eighth in its quarter; 0.5 is straight.
        breath: spread of the length of a quarter, for all parts together; 0 is a click.
        turns: length of the phrases that a second instrument takes from the melody, in bars; 0 for none.
    """

    sings: bool = False
    has_guitar: bool = False
    swing: float = 0.5
    breath: float = 0.0
    turns: int = 0


def draw_style(generator: np.random.Generator) -> Style:
    """Draw the style of a song."""
    chances = generator.random(5)
    swing, breath = generator.uniform(*SWING_RANGE), generator.uniform(*BREATH_RANGE)
    turns = int(generator.choice([1, 2, 4]))
    return Style(
        sings=bool(chances[0] < SINGS),
        has_guitar=bool(chances[1] < HAS_GUITAR),
        swing=float(swing) if chances[2] < SWINGS else 0.5,
        breath=float(breath) if chances[3] < BREATHES else 0.0,
        turns=turns if chances[4] < TAKES_TURNS else 0,
    )


def render(work: Work, duration: float, studio: Studio, generator: np.random.Generator) -> Stems:
    """Render one excerpt: style, groove, tempo, key, instruments, fonts and drum kit are drawn."""
    style = draw_style(generator)
    tune = read_tune(work.paths[0])
    tempo = math.exp(generator.uniform(math.log(TEMPO_RANGE[0]), math.log(TEMPO_RANGE[1])))
    quarter = 60 / tempo
    transposition = int(generator.integers(-5, 7))
    bar_count = math.ceil(duration / quarter / tune.beats_per_bar) + 1
    excerpt = tune.unrolled(bar_count, first_bar=int(generator.integers(len(tune.bars))))
    band = accompany(excerpt, tempo, transposition, generator)
    melody = perform_melody(excerpt, tempo, generator).transposed(transposition)
    parts = [*_share_melody(melody, style, tune.beats_per_bar * quarter, generator), *band]
    if style.has_guitar:
        parts.append(strum_power_chords(excerpt, quarter, transposition, generator))
    parts = [part.excerpt(0, duration) for part in play_together(parts, quarter, duration, style, generator)]
    sung = [part for part in parts if part.name == VOICE]
    fonts = {name: studio.draw_font(generator) for name in sorted({part.name for part in parts})}
    played = [replace(part, font=fonts[part.name]) for part in parts if part.name != VOICE]
    stems = studio.record_band(played, duration, generator)
    for part in sung:
        stems[VOICE] = sing(_in_range(part, generator).notes, duration, generator)
    if GUITAR in stems:
        drive = math.exp(generator.uniform(math.log(DRIVES[0]), math.log(DRIVES[1])))
        stems[GUITAR] = amplify(stems[GUITAR], drive, generator.uniform(3000, 5500))
    return mix(stems, generator)


def play_together(
    parts: Sequence[Part], quarter: float, duration: float, style: Style, generator: np.random.Generator
) -> list[Part]:
    """Play parts in the swing and the tempo of a style, all of them alike, and each with hands of its own."""
    clocks = [swing_clock(quarter, style.swing)] if style.swing != 0.5 else []
    if style.breath:
        clocks.append(breathing_clock(quarter, duration, style.breath, generator))
    for clock in clocks:
        parts = [by_clock(part, clock) for part in parts]
    return [play_loosely(part, generator) for part in parts]


def strum_power_chords(tune: Tune, quarter: float, transposition: int, generator: np.random.Generator) -> Part:
    """Return a guitar that plays root, fifth and octave of the chords in a rhythm that returns in every bar."""
    riff = RIFFS[generator.integers(len(RIFFS))]
    length = float(generator.choice([0.4, 0.9])) * quarter / 2  # palm-muted, or let ring
    notes = []
    for bar, chords in enumerate(tune.bars):
        for eighth in riff:
            if eighth >= 2 * tune.beats_per_bar:
                continue
            name = chords[eighth // 2]
            root = ROOTS.index(name[:2] if name[:2] in ROOTS else name[:1])
            pitch = LOWEST_ROOT + (root + transposition - LOWEST_ROOT) % 12
            start = (bar * tune.beats_per_bar + eighth / 2) * quarter
            notes += [Note(start, start + length, pitch + above, 95) for above in (0, 7, 12)]
    return Part(GUITAR, tuple(notes), program=int(generator.choice(GUITARS)))


def _share_melody(melody: Part, style: Style, bar: float, generator: np.random.Generator) -> list[Part]:
    leader = replace(melody, name=VOICE if style.sings else MELODY)
    if not style.turns:
        return [leader]
    answer = replace(melody, name=ANSWER, program=int(generator.choice(MELODY_PROGRAMS)))
    return [take_turns(leader, style.turns * bar, 0), take_turns(answer, style.turns * bar, 1)]


def _in_range(part: Part, generator: np.random.Generator) -> Part:
    """Move a melody by octaves to where a singer has it."""
    if not part.notes:
        return part
    wanted = generator.uniform(*VOICE_RANGE)
    middle = float(np.median([note.pitch for note in part.notes]))
    return part.transposed(12 * round((wanted - middle) / 12))
