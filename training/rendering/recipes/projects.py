"""The recipe `projects`: songs made in LMMS, already rendered track by track, mixed anew (like MoisesDB)."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cocola_metric.audio import SAMPLE_RATE, list_audio, open_file
from cocola_metric.errors import AudioError

from ...corpora import read_excerpt
from ..notation import ScoreError
from ..studio import AUDIBLE_LEVEL, Stems, Studio, group_stems, mix
from ..works import SourceAbsent, Work, group_works, work_name

ATTEMPTS = 8


def find_works(sources: Path) -> list[Work]:
    """List the projects, one folder each."""
    folder = sources / "stems" / "desk"
    paths = sorted(path for path in folder.glob("*") if path.is_dir() and list_audio(path))
    if not paths:
        raise SourceAbsent(f"no folder with .ogg stems in {folder}; render LMMS projects with `lmms rendertracks`")
    return group_works(paths, lambda path: path.name)


def render(work: Work, duration: float, studio: Studio, generator: np.random.Generator) -> Stems:
    """Cut out one excerpt, group its audible stems at random to at most eight, and mix them."""
    paths = list_audio(work.paths[0])
    try:
        return mix(group_stems(_draw_excerpt(paths, duration, generator), generator), generator)
    except AudioError as error:
        raise ScoreError(f"{work.paths[0]}: a stem cannot be read ({error})") from error


def _draw_excerpt(paths: Sequence[Path], duration: float, generator: np.random.Generator) -> Stems:
    total = max(_frames(path) for path in paths)
    length = min(total, round(duration * SAMPLE_RATE))
    for _ in range(ATTEMPTS):
        start = int(generator.integers(total - length + 1))
        stems = {work_name(path.stem): read_excerpt(path, start, length) for path in paths}
        audible = {name: stem for name, stem in stems.items() if np.abs(stem).max(initial=0.0) > AUDIBLE_LEVEL}
        if len(audible) >= 2:
            return audible
    raise ScoreError("no excerpt in which two stems are audible")


def _frames(path: Path) -> int:
    file = open_file(path)
    if file.rate != SAMPLE_RATE:
        raise ScoreError(f"{path} is at {file.rate} Hz; convert the stems to {SAMPLE_RATE} Hz")
    return file.frames
