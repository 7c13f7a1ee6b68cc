"""Compose the four example songs and render their stems: `python examples/compose.py` writes every file anew.

Music is written on grids, one string a bar, whose steps divide the bar evenly. A step is a strike, "-" (the last strike
goes on) or "." (rest); spaces are for the eye. Strikes are

- of drums and chords: "X" accented, "x" plain, "o" soft;
- of a bass: 1, 3, 5, 7, 8, the tones of the chord, and "a", a semitone under the root that comes next;
- of a melody: degrees of the scale, as in 5, #7, b3, 8, or 2' for the degree 2 an octave up.
"""

import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
from numpy.typing import NDArray

from cocola_metric.training.rendering.channel_strip import reverberate, saturate
from cocola_metric.training.rendering.notation import PITCH_CLASSES, Note, Part
from cocola_metric.training.rendering.studio import Studio
from cocola_metric.training.rendering.synth import SAMPLE_RATE, SoundFont, find_sound_fonts

FONT = SoundFont(Path("/usr/share/sounds/sf2/FluidR3_GM.sf2"), "MIT (apt fluid-soundfont-gm)")
SECONDS = 20.0  # of every song, so that stems of two songs can be compared in full length
SEED = 2024
TIMING, TOUCH = 0.006, 5.0  # how unsteady the players are: standard deviations in seconds and in MIDI velocity
ROOM_SECONDS, ROOM_LEVEL, FADE_SECONDS = 0.4, 0.1, 0.4
DRIVE, LOUDNESS = 2.0, -23.5  # RMS in dB full scale; with the peaks saturated, four stems can be summed unclipped
BITS = 12  # two fifths smaller than with 16; the rounding is 17 dB below the noise that training adds to every sub-mix

MAJOR, MINOR = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10)
QUALITIES = {  # semitones above the root of the tones 1, 3, 5, 7 (or 6), 9
    **{"": (0, 4, 7), "m": (0, 3, 7), "6": (0, 4, 7, 9), "m6": (0, 3, 7, 9), "dim7": (0, 3, 6, 9), "7": (0, 4, 7, 10)},
    **{"m7": (0, 3, 7, 10), "69": (0, 4, 7, 9, 14), "9": (0, 4, 7, 10, 14), "m9": (0, 3, 7, 10, 14)},
    **{"7b9": (0, 4, 7, 10, 13), "maj9": (0, 4, 7, 11, 14)},
}
ALTERATIONS = {"#": 1, "b": -1, "": 0}
DRUM_KEYS = {"kick": 36, "stick": 37, "snare": 38, "swirl": 40, "floor": 41, "hat": 42, "pedal": 44, "open": 46}
DRUM_KEYS |= {"tom": 47, "crash": 49, "ride": 51}
LOWEST_BASS = 28  # the open E string
VELOCITY, DYNAMICS = 92, {"X": 16, "o": -34}
GAP = 0.04  # quarters between two notes of one player
CHORD = re.compile(r"([A-G])([#b]?)([^/]*)/?([A-G]?)([#b]?)")
STEP = re.compile(r"([#b]?)(\d)('?)|[-.Xxoa]")


class Chord(NamedTuple):
    """A chord from `start` on (in quarters): pitch classes of root and bass, semitones of the tones above the root."""

    start: float
    root: int
    bass: int
    tones: tuple[int, ...]


class Strike(NamedTuple):
    """One strike of a grid (times in quarters)."""

    start: float
    end: float
    symbol: str


Song = tuple[float, list[Part]]  # quarters a minute, parts in quarters
Pitches = Callable[[Strike], list[int]]


def harmony(bars: str, beats: int = 4) -> list[Chord]:
    """Read chord names; "|" separates bars, and the chords of one bar share it equally."""
    chords = []
    for number, names in enumerate(bar.split() for bar in bars.split("|")):
        for position, name in enumerate(names):
            letter, accidental, quality, *below = CHORD.fullmatch(name).groups()
            root = PITCH_CLASSES[letter] + ALTERATIONS[accidental]
            bass = PITCH_CLASSES[below[0]] + ALTERATIONS[below[1]] if below[0] else root
            chords.append(Chord((number + position / len(names)) * beats, root, bass, QUALITIES[quality]))
    return chords


def chord_at(chords: Sequence[Chord], time: float) -> Chord:
    """Return the chord at a time."""
    return [chord for chord in chords if chord.start <= time + 1e-6][-1]


def strikes(bars: Sequence[str], beats: int) -> Iterator[Strike]:
    """Read grids of `beats` quarters each."""
    for number, bar in enumerate(bars):
        steps = [match[0] for match in STEP.finditer(bar)]
        for position, symbol in enumerate(steps):
            if symbol not in "-.":
                held = len(list(takewhile("-".__eq__, steps[position + 1 :])))
                start, end = (number + step / len(steps) for step in (position, position + 1 + held))
                yield Strike(start * beats, end * beats, symbol)


def play(name: str, program: int, bars: Sequence[str], pitches: Pitches, *, beats: int = 4) -> Part:
    """Play grids on an instrument, leaning on the first strike of a bar."""
    notes = []
    for strike in strikes(bars, beats):
        velocity = VELOCITY + DYNAMICS.get(strike.symbol, 0) + (6 if strike.start % beats == 0 else 0)
        notes += [Note(strike.start, strike.end - GAP, pitch, velocity) for pitch in pitches(strike)]
    return Part(name, tuple(notes), program=program)


def drums(kit: int, form: str, grooves: Mapping[str, Mapping[str, str]], *, beats: int = 4) -> Part:
    """Play the grooves (drum -> grid) that the letters of `form` name, one a bar."""
    notes: list[Note] = []
    for drum, key in DRUM_KEYS.items():
        rows = [grooves[letter].get(drum, ".") for letter in form]
        notes += play(drum, kit, rows, lambda strike, key=key: [key], beats=beats).notes
    return Part("drums", tuple(notes), program=kit, is_drum=True)


def bass_tone(chords: Sequence[Chord], strike: Strike) -> list[int]:
    """Return the tone of the chord that a strike names, the root in the octave above `LOWEST_BASS`."""
    chord = chord_at(chords, strike.end if strike.symbol == "a" else strike.start)
    if strike.symbol in "a18":
        return [LOWEST_BASS + (chord.bass - LOWEST_BASS) % 12 + {"a": -1, "1": 0, "8": 12}[strike.symbol]]
    return [LOWEST_BASS + (chord.root - LOWEST_BASS) % 12 + chord.tones[int(strike.symbol) // 2]]


def voicing(chords: Sequence[Chord], lowest: int, strike: Strike) -> list[int]:
    """Return the chord in close position above `lowest`; of five tones the fifth is left out."""
    _, root, _, tones = chord_at(chords, strike.start)
    return [lowest + (root + tone - lowest) % 12 for tone in (tones if len(tones) < 5 else tones[:2] + tones[3:])]


def power_chord(chords: Sequence[Chord], lowest: int, strike: Strike) -> list[int]:
    """Return root, fifth and octave, the root in the octave above `lowest`."""
    root = lowest + (chord_at(chords, strike.start).root - lowest) % 12
    return [root, root + 7, root + 12]


def degree(tonic: int, scale: Sequence[int], strike: Strike) -> list[int]:
    """Return the degree of the scale that a strike names; degree 1 is the MIDI pitch `tonic`."""
    accidental, digit, octave = STEP.fullmatch(strike.symbol).groups()
    octaves, step = divmod(int(digit) - 1, 7)
    return [tonic + scale[step] + 12 * (octaves + len(octave)) + ALTERATIONS[accidental]]


def harbour() -> Song:
    """Funk: a bass that leaves holes, a clavinet that fills them, an alto saxophone."""
    chords = harmony("Em9 | A9 | Em9 | A9 | Cmaj9 | D9 | Am9 | B7 | Em9")
    groove = {"kick": "X.x...x. ..x..x..", "snare": "....X..o .o..X..o", "hat": "X.x.x.xx x.x.x.xo"}
    turn = {"snare": "....X..o .o.oXoxX", "hat": "X.x.x.xx x.x.x...", "open": "..............x."}
    ending = {"kick": "X...", "snare": "o...", "crash": "x..."}
    theme = ["..5-7-8- --7-5-4.", "#6-5-4-3- 1---..34", "5-5.7-8- --7-9-8-", "8-5-#6--- 5-.45-3-", "3---5-7- 8---7-5-"]
    theme += ["4---6-7- 9---8-7-", "8--6..8- 6-5-4-3-", "#7---9--- 8-#7-6-5-", "8---------......"]
    low, stabs = ["1.1-..8. ..7-.5.a", "1-1...5- ..81.7.a"] * 4, ["x..x..x. .x.x..x.", "x..X..x. .xxo..X."] * 4
    return 104, [
        drums(0, "AAABAAABE", {"A": groove, "B": groove | turn, "E": ending}),
        play("bass", 33, [*low, "1---------......"], partial(bass_tone, chords)),
        play("keys", 7, [*stabs, "X---------......"], partial(voicing, chords, 57)),
        play("melody", 65, theme, partial(degree, 64, MINOR)),
    ]


def lantern() -> Song:
    """Jazz waltz, nine triplets to the bar: brushes, a walking bass, a piano, a clarinet."""
    chords = harmony("F | Dm7 | Gm7 | C7 | Am7 | D7 | Gm7 | C7 | Bb | Bdim7 | F/C | D7 | Gm7 | C7 | F6", 3)
    groove = {"kick": "x..", "snare": "..o..x..o", "pedal": ".xx", "ride": "X..x.xx..", "swirl": "x--"}
    turn = {"kick": "x....x...", "snare": "..xx.ox.x"}
    ending = {"kick": "x..", "ride": "X..", "swirl": "x--"}
    theme = ["5----68--", "6----53--", "4----56--", "5--4-32--", "3----57--", "6--#8--3'--", "9----86--", "7----65--"]
    theme += ["6--8--4'--", "b3'----98--", "3'--8--6-5", "#8----63--", "4--6--9--", "5--9-87--", "8--------"]
    low, pulse = ["1--3--5-a", "1----58--"] * 7, ["o--x--x--", "o-x---x-o"] * 7
    return 138, [
        drums(40, "AAABAAABAAABAAE", {"A": groove, "B": groove | turn, "E": ending}, beats=3),
        play("bass", 32, [*low, "1--------"], partial(bass_tone, chords), beats=3),
        play("keys", 0, [*pulse, "x--------"], partial(voicing, chords, 55), beats=3),
        play("melody", 71, theme, partial(degree, 65, MAJOR), beats=3),
    ]


def foundry() -> Song:
    """Rock: eighths on the bass, power chords, a lead guitar."""
    chords = harmony("C#m | A | E | B | C#m | A | E | G#m | F#m | A | B | G#7 | C#m")
    verse = {"kick": "X..xXx..", "snare": "..X...X.", "hat": "XxXxXxXx"}
    fill = verse | {"snare": "....X.......XxXX", "tom": "....xx..", "hat": "XxXx...."}
    chorus = {"kick": "Xx.xXx.x", "snare": "..X...X.", "ride": "XxXxXxXx", "crash": "X..."}
    ending = {"kick": "X...", "floor": "X...", "crash": "X..."}
    theme = ["8--75-7-", "3'--98---", "7--57-3'-", "9---7-9-", "3'--98-5-", "6--83'-8-", "5'--3'7-5-", "9--75-7-"]
    theme += ["4'-8-6-8-", "3'-8-6-8-", "4'-9-7-9-", "4'-9-#7-5-", "8-------"]
    low, riff = ["11118151", "1111815a"] * 6, ["X---o-o-X-o-X---"] * 8 + ["X-----x-X-x-X-x-"] * 4
    return 152, [
        drums(16, "AAAFAAAFCCCFE", {"A": verse, "F": fill, "C": chorus, "E": ending}),
        play("bass", 34, [*low, "1-------"], partial(bass_tone, chords)),
        play("guitar", 30, [*riff, "X-----------...."], partial(power_chord, chords, 40)),
        play("melody", 29, theme, partial(degree, 61, MINOR)),
    ]


def tideline() -> Song:
    """Slow bossa nova: the clave on the rim, a fretless bass, a nylon guitar, a vibraphone."""
    chords = harmony("Abmaj9 | Cm7 F7b9 | Bbm9 | Eb9 | Dbmaj9 Dbm6 | Bbm9 Eb9 | Ab69")
    groove = {"kick": "X..xx..xX..xx..x", "hat": "xoxoxoxoxoxoxoxo", "stick": "X..x..x...x..x.."}
    answer = {"stick": "..x.x...X..x..x.", "open": "..............o."}
    ending = {"kick": "X..xx...........", "hat": "xoxoxo..........", "stick": "X..x..X.........", "ride": "x..."}
    theme = ["3-5-7-----5-3-2-", "5--35-7-#8-b7-5-3-", "4---6-8-3'---9-8-", "7-----6-5--34-5-", "6---8-3'-9-8-b6---"]
    theme += ["4-6-8---7-6-5-2-", "3-5-8--------..."]
    low, comp = ["1--15--51--15--a"] * 6, ["x--x--x---x--x--", "x-x---x--x--x-x-"] * 3
    return 84, [
        drums(32, "ABABABE", {"A": groove, "B": groove | answer, "E": ending}),
        play("bass", 35, [*low, "1--15---1---...."], partial(bass_tone, chords)),
        play("guitar", 24, [*comp, "x--x--x--------."], partial(voicing, chords, 56)),
        play("melody", 11, theme, partial(degree, 68, MAJOR)),
    ]


SONGS = {song.__name__: song for song in (harbour, lantern, foundry, tideline)}


def perform(song: Song, generator: np.random.Generator) -> list[Part]:
    """Turn quarters into seconds as people do: a little early or late, louder or softer."""

    def humanise(note: Note) -> Note:
        late, velocity = generator.normal(0, TIMING), round(generator.normal(note.velocity, TOUCH))
        return Note(max(0.0, note.start + late), note.end + late, note.pitch, min(127, max(1, velocity)))

    parts = [part.stretched(60 / song[0]) for part in song[1]]
    return [replace(part, notes=tuple(humanise(note) for note in part.notes)) for part in parts]


def master(dry: NDArray[np.float32], generator: np.random.Generator) -> NDArray[np.int16]:
    """Put a stem into a small room, saturate its peaks, fade its end, set its level and round it to `BITS`."""
    stem = reverberate(dry.astype(np.float64), ROOM_SECONDS, ROOM_LEVEL, generator, SAMPLE_RATE)
    stem = saturate(stem / np.abs(stem).max(), DRIVE)
    fade = round(FADE_SECONDS * SAMPLE_RATE)
    stem[-fade:] *= np.linspace(1, 0, fade)
    stem *= 10 ** (LOUDNESS / 20) / np.sqrt(np.square(stem).mean())
    return np.round(stem * 2 ** (BITS - 1)).astype(np.int16) << (16 - BITS)


def render(name: str, studio: Studio) -> dict[str, NDArray[np.int16]]:
    """Render one song; it has a generator of its own, and does not depend on the songs before it."""
    generator = np.random.default_rng(SEED)
    stems = studio.record(perform(SONGS[name](), generator), SECONDS)
    return {stem: master(dry, generator) for stem, dry in stems.items()}


def main(folder: Path) -> None:
    """Write `folder`/<song>/<stem>.flac."""
    with Studio([font.path for font in find_sound_fonts([FONT])]) as studio:
        for name in SONGS:
            (folder / name).mkdir(parents=True, exist_ok=True)
            for stem, samples in render(name, studio).items():
                soundfile.write(folder / name / f"{stem}.flac", samples, SAMPLE_RATE, compression_level=1.0)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).parent)
