"""The recipe `multitracks`: multi-track MIDI merged by instrument family and arranged anew (like Slakh2100)."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..notation import Part, ScoreError, read_midi
from ..studio import Stems, Studio, mix
from ..works import SourceAbsent, Work, group_works

DRUMS = "drums"
SOUND_EFFECTS = "sound-effects"
# General MIDI numbers its programs by family, eight to each.
FAMILIES = (
    *("piano", "chromatic-percussion", "organ", "guitar", "bass", "strings", "ensemble", "brass"),
    *("reed", "pipe", "lead", "pad", "synth-effects", "ethnic", "percussive", SOUND_EFFECTS),
)
FAMILY_SIZE = 8
GUITAR_HARMONICS = 31  # sounds two octaves up: not a guitar that could replace another
FEWEST_NOTES = 6
ATTEMPTS = 12
TEMPO_CHANGE_RANGE = (0.86, 1.14)
NEW_PROGRAM_PROBABILITY = 0.5
# Debian packages with music of free games; what comes with the sources is in folders of the same kind.
PACKAGES = {
    "planetblupi": Path("/usr/share/planetblupi/music"),  # apt planetblupi-music-midi
    "openmsx": Path("/usr/share/games/openttd/baseset/openmsx"),  # apt openttd-openmsx
}
REMIX_SUFFIX = re.compile(r"_\([^)]*\)$|_-_[^-]*arrangement$")


def find_works(sources: Path) -> list[Work]:
    """List the songs; remixes belong to the work of their song, and copies under another name are left out."""
    folders = {name: sources / "scores" / name for name in ("freedoom", "helland")} | PACKAGES
    copies = {
        hashlib.sha256(path.read_bytes()).digest(): (path, f"{name}-{REMIX_SUFFIX.sub('', path.stem)}")
        for name, folder in folders.items()
        for path in sorted(folder.glob("*.mid"))
    }
    if not copies:
        raise SourceAbsent(
            f"no .mid file in {' or '.join(map(str, folders.values()))}; apt-get install planetblupi-music-midi"
        )
    titles = dict(copies.values())
    return group_works(sorted(titles), titles.__getitem__)


def render(work: Work, duration: float, studio: Studio, generator: np.random.Generator) -> Stems:
    """Render one excerpt: key, tempo, programs, fonts and drum kit are drawn."""
    song = [_with_family_name(part) for part in read_midi(work.paths[generator.integers(len(work.paths))])]
    stretch = 1 / generator.uniform(*TEMPO_CHANGE_RANGE)
    excerpt = _draw_excerpt(song, duration / stretch, generator)
    transposition = int(generator.integers(-4, 5))
    fonts = {family: studio.draw_font(generator) for family in sorted({part.name for part in excerpt})}
    parts = [
        replace(
            part.transposed(transposition).stretched(stretch),
            program=_draw_program(part.program, generator),
            font=fonts[part.name],
        )
        for part in excerpt
    ]
    return mix(studio.record_band(parts, duration, generator), generator)


def _with_family_name(part: Part) -> Part:
    return replace(part, name=DRUMS if part.is_drum else FAMILIES[part.program // FAMILY_SIZE])


def _draw_excerpt(song: Sequence[Part], seconds: float, generator: np.random.Generator) -> list[Part]:
    musical = [part for part in song if part.name != SOUND_EFFECTS]
    latest = max(0.0, max((part.end for part in musical), default=0.0) - seconds)
    for _ in range(ATTEMPTS):
        start = generator.uniform(0, latest)
        excerpt = [part.excerpt(start, start + seconds) for part in musical]
        busy = [part for part in excerpt if len(part.notes) >= FEWEST_NOTES]
        if len({part.name for part in busy}) >= 2:
            return busy
    raise ScoreError(f"no excerpt in which two instrument families have {FEWEST_NOTES} notes")


def _draw_program(program: int, generator: np.random.Generator) -> int:
    """Keep a program or draw another of its family; kits are drawn by the studio."""
    if generator.random() >= NEW_PROGRAM_PROBABILITY:
        return program
    first = program // FAMILY_SIZE * FAMILY_SIZE
    choices = [number for number in range(first, first + FAMILY_SIZE) if number != GUITAR_HARMONICS]
    return int(generator.choice(choices))
