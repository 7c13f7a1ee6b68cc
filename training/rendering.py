"""Command line that renders training corpora: stems of music we can make ourselves from scores and SoundFonts."""

import argparse
import json
import logging
import shutil
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import soundfile
from tqdm import tqdm

from cocola_metric.errors import CocolaError

from .drumkits import find_drumkits
from .recipes import RECIPES, Recipe
from .scores import ScoreError
from .studio import Stems, Studio
from .synth import SAMPLE_RATE, SoundFont, find_sound_fonts
from .track_plan import PlannedTrack, plan_tracks
from .works import SPLITS, SourceAbsent, Work

logger = logging.getLogger(__name__)

UNFINISHED = ".unfinished"
MANIFEST = "manifest.json"


def render_corpus(
    output: Path,
    *,
    sources: Path,
    hours: float = 14.0,
    seed: int = 0,
    jobs: int = 2,
    corpora: Sequence[str] = tuple(RECIPES),
) -> list[PlannedTrack]:
    """Render stems into `output`/<split>/<track>/<stem>.flac; tracks that are already there are left as they are.

    Args:
        output: Folder of the rendered corpus.
        sources: Folder with scores/ and stems/.
        hours: Hours of music in all.
        seed: Decides, with its name, the content of each track.
        jobs: Number of processes; it changes no sample.
        corpora: Names of the recipes to use.

    Returns:
        The tracks left out because their score is damaged or too thin.

    Raises:
        CocolaError: No SoundFont is installed, or none of the sources is there.
    """
    fonts = find_sound_fonts()
    recipes = {corpus: RECIPES[corpus] for corpus in corpora}
    plan = plan_tracks(_find_sources(recipes, sources), recipes, hours, seed)
    missing = [track for track in plan if not track.folder(output).exists()]
    logger.info("%d tracks planned, %d of them already rendered", len(plan), len(plan) - len(missing))
    skipped = []
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as workers:
        tasks = {
            workers.submit(render_track, track, output, tuple(font.path for font in fonts)): track for track in missing
        }
        for task in tqdm(as_completed(tasks), total=len(tasks), desc="rendering", unit="track", smoothing=0.05):
            if reason := task.result():
                logger.warning("%s left out: %s", tasks[task].name, reason)
                skipped.append(tasks[task])
    manifest = {"seed": seed, **describe(output, recipes, fonts), "left_out": sorted(track.name for track in skipped)}
    (output / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")
    return skipped


def render_track(track: PlannedTrack, output: Path, fonts: tuple[Path, ...]) -> str | None:
    """Render one track and put its finished folder in place; return why it was left out, or None."""
    try:
        stems = RECIPES[track.corpus].render(track.work, track.duration, open_studio(fonts), track.generator)
    except ScoreError as error:
        return str(error)
    if len(stems) < 2:
        return "fewer than two audible stems"
    _write_stems(stems, track.folder(output), output / UNFINISHED / track.name)
    return None


@cache
def open_studio(fonts: tuple[Path, ...]) -> Studio:
    """Return the studio of this process: loading the fonts takes seconds, so each worker does it once."""
    return Studio(fonts, find_drumkits())


def describe(output: Path, recipes: dict[str, Recipe], fonts: Iterable[SoundFont]) -> dict[str, object]:
    """Count what lies in `output`, by split and corpus, and name what it was made from."""
    splits = {
        split: {corpus: _count(sorted((output / split).glob(f"{corpus}__*"))) for corpus in recipes} for split in SPLITS
    }
    return {
        "sample_rate": SAMPLE_RATE,
        "splits": splits,
        "sources": {
            **{corpus: recipe.licences for corpus, recipe in recipes.items()},
            "fonts": {font.path.name: font.licence for font in fonts},
            "drumkits": {kit.folder.name: "see its drumkit.xml" for kit in find_drumkits()},
        },
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return 0, or 1 after an error that the message explains."""
    parser = argparse.ArgumentParser(prog="python -m cocola_metric.training.rendering", description=__doc__)
    parser.add_argument("output", type=Path, metavar="OUT", help="folder of the rendered corpus; a render is resumed")
    parser.add_argument("--sources", type=Path, default=Path("../shared"), help="folder with scores/ and stems/")
    parser.add_argument("--hours", type=float, default=14.0, help="hours of music in all (default: 14)")
    parser.add_argument("--seed", type=int, default=0, help="decides the content of every track (default: 0)")
    parser.add_argument("--jobs", type=int, default=2, help="processes; they change no sample (default: 2)")
    parser.add_argument("--corpora", nargs="+", choices=RECIPES, default=list(RECIPES), help="recipes (default: all)")
    options = vars(parser.parse_args(arguments))
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        skipped = render_corpus(options.pop("output"), **options)
    except CocolaError as error:
        logger.error("error: %s", error)
        return 1
    logger.info("done; %d tracks left out", len(skipped))
    return 0


def _find_sources(recipes: dict[str, Recipe], sources: Path) -> dict[str, list[Work]]:
    works: dict[str, list[Work]] = {}
    for corpus, recipe in recipes.items():
        try:
            works[corpus] = recipe.find_works(sources)
        except SourceAbsent as absence:
            logger.warning("corpus %s left out: %s", corpus, absence)
    if not works:
        raise CocolaError(f"nothing to render: {sources} holds none of the sources of {', '.join(recipes)}")
    return works


def _write_stems(stems: Stems, folder: Path, unfinished: Path) -> None:
    """Write into `unfinished` and rename, so that a reader never sees half a track."""
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


if __name__ == "__main__":
    sys.exit(main())
