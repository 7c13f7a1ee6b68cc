"""Rendering training corpora: stems of music from scores, SoundFonts and projects with free licences."""

import argparse
import gc
import json
import logging
import shutil
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import cache
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path

import soundfile
from tqdm import tqdm

from cocola_metric.audio import SAMPLE_RATE
from cocola_metric.errors import CocolaError, MissingExtraError
from cocola_metric.whole_files import write_text_whole

from ..corpora import SPLITS
from .drumkits import find_drumkits
from .notation import ScoreError
from .plan import PlannedTrack, plan_tracks
from .registry import RECIPES, Recipe
from .sources import can_be_fetched, check, fetch, list_absent, ways_out
from .studio import Stems, Studio
from .synth import SoundFont, find_sound_fonts
from .works import USUAL_CORPORA, SourceAbsent, Work

logger = logging.getLogger(__name__)

UNFINISHED = ".unfinished"
MANIFEST = "manifest.json"
# A score is some 100,000 small objects. At Python's 700, looking for garbage takes most of the time of reading it.
ALLOCATIONS_BETWEEN_COLLECTIONS = 100_000


def render_corpus(
    output: Path,
    *,
    sources: Path,
    hours: float = 14.0,
    seed: int = 0,
    jobs: int = 2,
    corpora: Sequence[str] = USUAL_CORPORA,
    splits: Sequence[str] = SPLITS,
    may_fetch: bool = False,
) -> list[PlannedTrack]:
    """Render `output`/<corpus>/<split>/<track>/<stem>.flac; finished tracks are left as they are.

    Args:
        output: folder of the rendered corpora.
        sources: folder with scores/ and stems/.
        hours: hours of music in all, the same for every corpus that has enough.
        seed: seed of the content of each track, together with the track's name.
        jobs: number of processes; it changes no sample.
        corpora: names of the corpora to render.
        splits: names of the splits to render; the hours are those of all three.
        may_fetch: permission to download into `sources` all that is absent there and has a public address.

    Returns:
        Tracks left out because their score is damaged or too thin.

    Raises:
        CocolaError: no SoundFont is installed, no source is found, or one cannot be downloaded.
    """
    fonts = find_sound_fonts()
    recipes = {name: recipe for name, recipe in RECIPES.items() if recipe.corpus in corpora}
    plan = plan_tracks(_find_sources(recipes, sources, may_fetch), recipes, hours, seed)
    plan = [track for track in plan if track.split in splits]
    missing = [track for track in plan if not track.folder(output).exists()]
    logger.info("%d tracks planned, %d of them already rendered", len(plan), len(plan) - len(missing))
    skipped = []
    with ProcessPoolExecutor(
        jobs, get_context("spawn"), initializer=gc.set_threshold, initargs=(ALLOCATIONS_BETWEEN_COLLECTIONS,)
    ) as workers:
        tasks = {
            workers.submit(render_track, track, output, tuple(font.path for font in fonts)): track for track in missing
        }
        try:
            for task in tqdm(as_completed(tasks), total=len(tasks), desc="rendering", unit="track", smoothing=0.05):
                if reason := task.result():
                    logger.warning("%s left out: %s", tasks[task].name, reason)
                    skipped.append(tasks[task])
        except BaseException:
            workers.shutdown(cancel_futures=True)  # what is wrong with one track is wrong with all: say so at once
            raise
    manifest = {
        "seed": seed,
        **describe(output, recipes, fonts),
        "checksums": {name: check(sources, recipe.sources) for name, recipe in recipes.items()},
        "left_out": sorted(track.name for track in skipped),
    }
    write_text_whole(output / MANIFEST, json.dumps(manifest, indent=2) + "\n")
    return skipped


def render_track(track: PlannedTrack, output: Path, fonts: tuple[Path, ...]) -> str | None:
    """Render one track and put its finished folder in place; return why it was left out, or None."""
    try:
        stems = RECIPES[track.recipe].render(track.work, track.duration, open_studio(fonts), track.generator)
    except ScoreError as error:
        return str(error)
    if len(stems) < 2:
        return "fewer than two audible stems"
    _write_stems(stems, track.folder(output), output / UNFINISHED / track.name)
    return None


@cache
def open_studio(fonts: tuple[Path, ...]) -> Studio:
    """Return the studio of this process; loading the fonts takes seconds, so each worker does it once."""
    return Studio(fonts, find_drumkits())


def describe(output: Path, recipes: Mapping[str, Recipe], fonts: Iterable[SoundFont]) -> dict[str, object]:
    """Return the numbers of tracks in `output`, by corpus, split and recipe, with the sources they were made from."""
    counts = {
        corpus: {
            split: {
                name: _count(sorted((output / corpus / split).glob(f"{name}__*")))
                for name, recipe in recipes.items()
                if recipe.corpus == corpus
            }
            for split in SPLITS
        }
        for corpus in dict.fromkeys(recipe.corpus for recipe in recipes.values())
    }
    return {
        "sample_rate": SAMPLE_RATE,
        "corpora": counts,
        "sources": {
            **{name: recipe.licences for name, recipe in recipes.items()},
            "fonts": {font.path.name: font.licence for font in fonts},
            "drumkits": {kit.folder.name: "see its drumkit.xml" for kit in find_drumkits()},
        },
    }


def run(options: argparse.Namespace) -> None:
    """Render with the options of the command."""
    settings = vars(options).copy()
    skipped = render_corpus(settings.pop("output"), **settings)
    logger.info("done; %d tracks left out", len(skipped))


def _find_sources(recipes: Mapping[str, Recipe], sources: Path, may_fetch: bool) -> dict[str, list[Work]]:
    works: dict[str, list[Work]] = {}
    for name, recipe in recipes.items():
        try:
            _check_libraries(recipe)
            if may_fetch:
                for source in filter(can_be_fetched, list_absent(recipe.sources, sources)):
                    fetch(source, sources)
            works[name] = recipe.find_works(sources)
        except MissingExtraError as absence:
            logger.warning("recipe %s left out: %s", name, absence)
        except SourceAbsent as absence:
            ways = ways_out(list_absent(recipe.sources, sources))
            logger.warning("recipe %s left out: %s", name, "; ".join([str(absence), *ways]))
        else:
            absent = list_absent(recipe.sources, sources)
            if 0 < len(absent) < len(recipe.sources):
                logger.info("recipe %s does without %s; %s", name, " and ".join(absent), "; ".join(ways_out(absent)))
    if not works:
        raise CocolaError(
            f"nothing to render: {sources} holds none of the sources of {', '.join(recipes)}; the messages above say "
            "how to get them"
        )
    return works


def _check_libraries(recipe: Recipe) -> None:
    for library in recipe.libraries:
        if find_spec(library) is None:
            raise MissingExtraError(f"it needs {library}; pip install 'cocola-metric[train]'")


def _write_stems(stems: Stems, folder: Path, unfinished: Path) -> None:
    """Write into `unfinished` and rename it, so that no reader finds half a track."""
    if unfinished.exists():
        shutil.rmtree(unfinished)
    unfinished.mkdir(parents=True)
    for name, stem in stems.items():
        soundfile.write(unfinished / f"{name}.flac", stem, SAMPLE_RATE, subtype="PCM_16")
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished.rename(folder)


def _count(tracks: Sequence[Path]) -> dict[str, float]:
    stems = [sorted(track.glob("*.flac")) for track in tracks]
    seconds = sum(soundfile.info(names[0]).duration for names in stems)
    return {
        "tracks": len(tracks),
        "hours": round(seconds / 3600, 3),
        "mean_stems": round(sum(map(len, stems)) / len(tracks), 2) if tracks else 0.0,
    }
