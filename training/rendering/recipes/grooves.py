"""The recipe `grooves`: folk tunes accompanied by Musical MIDI Accompaniment (MMA), a program of a thousand grooves."""

import math
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from ..notation import Note, Part, ScoreError, read_midi
from ..studio import Stems, Studio, mix
from ..tunes import Tune, beats_per_bar, read_tune
from ..works import SourceAbsent, Work, group_works

SOURCES = ("Nottingham dataset (jukedeck)", "Musical MIDI Accompaniment")
MMA_LIBRARY = Path("/usr/share/mma/lib")
MMA_SECONDS = 60
TIME = re.compile(r"^\s*Time\s+(\d+)(?:/(\d+))?\s*(?://.*)?$", re.MULTILINE | re.IGNORECASE)
TIME_SIGNATURE = re.compile(r"^\s*TimeSig\s+(\d+)[ /]+(\d+)", re.MULTILINE | re.IGNORECASE)
DEFINITION = re.compile(r"^\s*DefGroove\s+(\S+)", re.MULTILINE | re.IGNORECASE)
NOT_A_MAIN_GROOVE = re.compile(r"intro|end|fill|metronome", re.IGNORECASE)

TEMPO_RANGE = (84.0, 150.0)  # quarters a minute
BARS_BETWEEN_GROOVES = 8
FEWEST_NOTES = 6
ATTEMPTS = 4
MELODY, DRUMS = "melody", "drums"
# Programs that carry a tune: winds, fiddle, accordions, guitars, trumpet, bells, voices, lead synths, pianos.
MELODY_PROGRAMS = (
    *(73, 40, 65, 66, 71, 68, 21, 22, 24, 25, 26, 27, 56),
    *(11, 12, 105, 110, 109, 75, 80, 81, 54, 52, 0, 4),
)


@dataclass(frozen=True)
class GrooveFile:
    """One file of MMA's library: the name by which a song addresses it, its metre and its main grooves."""

    name: str
    beats_per_bar: int
    grooves: tuple[str, ...]


def find_works(sources: Path) -> list[Work]:
    """List the tunes in 2/4, 3/4 and 4/4."""
    if shutil.which("mma") is None or not MMA_LIBRARY.is_dir():
        raise SourceAbsent("the program mma is not installed; apt-get install mma")
    folder = sources / "scores" / "nottingham"
    paths = [path for path in sorted(folder.glob("*.mid")) if beats_per_bar(path) is not None]
    if not paths:
        raise SourceAbsent(f"no .mid file in {folder}; take them from github.com/jukedeck/nottingham-dataset")
    return group_works(paths, lambda path: path.stem)


def render(work: Work, duration: float, studio: Studio, generator: np.random.Generator) -> Stems:
    """Render one excerpt: groove, tempo, key, melody instrument, fonts and drum kit are drawn."""
    tune = read_tune(work.paths[0])
    tempo = generator.uniform(*TEMPO_RANGE)
    transposition = int(generator.integers(-5, 7))
    bar_count = math.ceil(duration * tempo / 60 / tune.beats_per_bar)
    excerpt = tune.unrolled(bar_count, first_bar=int(generator.integers(len(tune.bars))))
    band = accompany(excerpt, tempo, transposition, generator)
    melody = perform_melody(excerpt, tempo, generator).transposed(transposition)
    parts = [part.excerpt(0, duration) for part in (melody, *band)]
    fonts = {name: studio.draw_font(generator) for name in sorted({part.name for part in parts})}
    parts = [replace(part, font=fonts[part.name]) for part in parts]
    return mix(studio.record_band(parts, duration, generator), generator)


@cache
def read_groove_library(folder: Path = MMA_LIBRARY) -> tuple[GrooveFile, ...]:
    """List the library files in quarters, three or four to the bar, with their grooves other than intros and fills."""
    library = []
    for path in sorted(folder.rglob("*.mma")):
        definitions = path.read_text(errors="replace")
        beats = {int(match[1]) for match in TIME.finditer(definitions) if match[2] in (None, "4")}
        units = {match[2] for match in TIME_SIGNATURE.finditer(definitions)}
        grooves = tuple(name for name in DEFINITION.findall(definitions) if not NOT_A_MAIN_GROOVE.search(name))
        if len(beats) == 1 and units <= {"4"} and grooves:
            library.append(GrooveFile(path.relative_to(folder).with_suffix("").as_posix(), beats.pop(), grooves))
    return tuple(library)


def accompany(tune: Tune, tempo: float, transposition: int, generator: np.random.Generator) -> list[Part]:
    """Play the chords by MMA with a random groove; a groove that fails, or is nearly silent, is replaced."""
    library = [file for file in read_groove_library() if file.beats_per_bar == tune.beats_per_bar]
    # MMA has many variations of few rhythms: drawing the file first gives every rhythm the same chance.
    for _ in range(ATTEMPTS):
        file = library[generator.integers(len(library))]
        band = [part for part in _run_mma(_write_song(tune, tempo, transposition, file, generator)) if part.notes]
        busy = [part for part in band if len(part.notes) >= FEWEST_NOTES]
        if len({part.name for part in busy}) >= 2:
            return busy
    raise ScoreError(f"no groove of MMA gave two parts in {ATTEMPTS} attempts")


def _write_song(tune: Tune, tempo: float, transposition: int, file: GrooveFile, generator: np.random.Generator) -> str:
    groove = file.grooves[generator.integers(len(file.grooves))]
    lines = [
        f"RndSeed {generator.integers(2**31)}",
        f"Tempo {tempo:.4f}",
        f"Time {tune.beats_per_bar}",
        "SeqRnd On",
        f"Transpose {transposition}",
        f"Groove {file.name}:{groove}",
    ]
    for number, chords in enumerate(tune.bars, 1):
        if number > 1 and number % BARS_BETWEEN_GROOVES == 1 and generator.random() < 0.5:
            lines.append(f"Groove {file.name}:{file.grooves[generator.integers(len(file.grooves))]}")
        lines.append(f"{number} {' '.join(chords)}")
    return "\n".join(lines) + "\n"


def _run_mma(song: str) -> list[Part]:
    """Compile a song and read its parts back, named after MMA's tracks; there are none if MMA rejects the song."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "song.mma"), Path(folder, "song.mid")
        source.write_text(song)
        command = ["mma", "-w", str(source), "-f", str(target)]
        try:
            subprocess.run(command, capture_output=True, timeout=MMA_SECONDS, check=True)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
            return []
        if not target.exists():
            return []
        parts = read_midi(target)
    return [replace(part, name=_stem_name(part)) for part in parts]


def _stem_name(part: Part) -> str:
    """Merge the tracks of one role: Chord, Chord-Piano and Chord-Guitar all play chords."""
    if part.is_drum:
        return DRUMS
    return part.name.split("-")[0].lower() or f"program-{part.program}"


def perform_melody(tune: Tune, tempo: float, generator: np.random.Generator) -> Part:
    """Play the melody as people do, slightly off the beat and with uneven strength."""
    quarter = 60 / tempo

    def play(note: Note) -> Note:
        start = max(0.0, note.start * quarter + generator.normal(0, 0.008))
        velocity = int(np.clip(generator.normal(92, 9), 40, 120))
        return Note(start, max(start, note.end * quarter * 0.99), note.pitch, velocity)

    return Part(MELODY, tuple(play(note) for note in tune.melody), program=int(generator.choice(MELODY_PROGRAMS)))
