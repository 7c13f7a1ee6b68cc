"""The recipe `chorales`: Bach's four-part chorales, scored anew for other ensembles (mirrors CocoChorales)."""

import gzip
import json
import logging
import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from cocola_metric.whole_files import write_bytes_whole

from ..notation import SCORE_VELOCITY, Note, Part, ScoreError
from ..studio import Stems, Studio
from ..works import SourceAbsent, Work, work_name
from .quartets import TEMPO_RANGE, perform_excerpt

if TYPE_CHECKING:
    import music21

logger = logging.getLogger(__name__)

FILE_NAME = "chorales.json.gz"
VOICES = 4
FEWEST_NOTES = 16  # in every voice
GRID = 1 / 96  # quarters: fine enough for triplets of sixteenths, and short to write down

StoredNote = tuple[float, float, int]  # start and end in quarters, MIDI pitch
Chorales = dict[str, list[list[StoredNote]]]  # name of the work -> notes of each voice, highest voice first


def find_works(sources: Path) -> list[Work]:
    """List the chorales of `sources`, or else of the user's cache, which music21 fills if it is empty.

    Raises:
        SourceAbsent: there is neither file, and music21 is not installed.
        ScoreError: the file is damaged.
    """
    given = sources / "scores" / "chorales" / FILE_NAME
    path = given if given.exists() else cached_chorales()
    return [Work(name, (path,)) for name in sorted(read_chorales(path))]


def render(work: Work, duration: float, studio: Studio, generator: np.random.Generator) -> Stems:
    """Render one excerpt, or the whole chorale repeated to fill the duration; all else is drawn as for quartets."""
    voices = read_chorales(work.paths[0])[work.name]
    tempo = generator.uniform(*TEMPO_RANGE)
    quarters = duration * tempo / 60
    return perform_excerpt(repeat_score(_as_parts(voices), quarters), duration, tempo, studio, generator)


def repeat_score(score: Sequence[Part], quarters: float) -> list[Part]:
    """Play a score again from its beginning until it is at least `quarters` long."""
    length = math.ceil(max(part.end for part in score))
    starts = [number * length for number in range(math.ceil(quarters / length))] or [0]
    return [
        replace(
            part,
            notes=tuple(
                replace(note, start=note.start + start, end=note.end + start) for start in starts for note in part.notes
            ),
        )
        for part in score
    ]


@cache
def read_chorales(path: Path) -> Chorales:
    """Read a file of chorales, once per process.

    Raises:
        ScoreError: the file is damaged.
    """
    try:
        chorales: Chorales = json.loads(gzip.decompress(path.read_bytes()))
    except (OSError, EOFError, ValueError) as error:
        raise ScoreError(f"{path}: damaged ({error!r}); delete it, and it is made anew") from error
    return chorales


def cached_chorales() -> Path:
    """Return the file in the user's cache; music21 takes about 90 s to create it.

    Raises:
        SourceAbsent: the file does not exist, and music21 is not installed.
    """
    path = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "cocola-metric", FILE_NAME)
    if not path.exists():
        try:
            from music21 import corpus
        except ImportError as error:
            raise SourceAbsent("Bach's chorales are in the library music21; pip install music21") from error
        scores = corpus.getComposer("bach")
        logger.info("reading %d scores of Bach with music21, once, into %s", len(scores), path)
        write_chorales(parse_chorales(tqdm(scores, desc="chorales", unit="score")), path)
    return path


def write_chorales(chorales: Chorales, path: Path) -> None:
    """Write a file of chorales; a reader never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = json.dumps(chorales, separators=(",", ":")).encode()
    write_bytes_whole(path, gzip.compress(content, mtime=0))


def parse_chorales(paths: Iterable[Path]) -> Chorales:
    """Parse scores with music21 and keep those of four voices; copies, in any key, are left out."""
    from music21 import converter, stream

    chorales: Chorales = {}
    known: set[tuple[tuple[StoredNote, ...], ...]] = set()
    for path in paths:
        score = converter.parse(path, forceSource=True, storePickle=False)
        if not isinstance(score, stream.Score) or len(score.parts) != VOICES:
            continue
        voices = [_voice_notes(part) for part in score.toSoundingPitch().parts]
        if min(map(len, voices)) < FEWEST_NOTES:
            continue
        lowest = min(pitch for voice in voices for _, _, pitch in voice)
        content = tuple(tuple((start, end, pitch - lowest) for start, end, pitch in voice) for voice in voices)
        if content not in known:
            known.add(content)
            chorales[work_name(path.stem)] = voices
    return chorales


def _voice_notes(part: "music21.stream.Part") -> list[StoredNote]:
    """List the sounding notes; tied ones are joined, and grace notes and chord symbols are left out."""
    notes = (
        (_on_grid(float(element.offset)), _on_grid(float(element.offset + element.quarterLength)), int(pitch.midi))
        for element in part.stripTies().flatten().notes
        for pitch in element.pitches
    )
    return sorted({note for note in notes if note[1] > note[0]})


def _on_grid(quarters: float) -> float:
    return round(round(quarters / GRID) * GRID, 4)


def _as_parts(voices: Sequence[Sequence[StoredNote]]) -> list[Part]:
    return [
        Part(str(number), tuple(Note(start, end, pitch, SCORE_VELOCITY) for start, end, pitch in voice))
        for number, voice in enumerate(voices, 1)
    ]
