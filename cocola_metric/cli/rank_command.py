"""The work of `cocola-score rank`: candidates in order of their scores."""

import argparse
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ..addresses import Address, located
from ..audio import AudioInput
from ..errors import UsageError
from ..reading import READINGS, percent
from ..scoring import WindowScores
from ..whole_files import make_folder, refuse_unwritable, write_text_whole
from .answers import Answer, csv_table, rounded, shown
from .manifests import stems_of
from .opening import missing_score, open_scorer, report_failure, say_reused
from .pairs import audio_of, is_folder, stem_at

COLUMNS = ("rank", "score", "likelihood", "percentile", "candidate")


def rank(options: argparse.Namespace) -> Answer:
    """Rank candidates for one piece of music."""
    conditioning, candidates = _inputs(options)
    if options.top is not None and options.top < 1:
        raise UsageError(f"--top must be 1 or more; got {options.top}")
    if options.out is not None:
        if options.out.suffix != ".csv":
            raise UsageError(f"--out must end in .csv; got {options.out}")
        make_folder(options.out.parent)
        refuse_unwritable(options.out)
    scorer = open_scorer(options)
    results = scorer.iter_scores(((conditioning, candidate) for _, candidate in candidates), guards=False)
    scored: list[tuple[WindowScores, str]] = []
    failures = 0
    progress = tqdm(results, total=len(candidates), unit="file", disable=None, leave=False)
    for (name, candidate), result in zip(candidates, progress, strict=True):
        reason = missing_score(result, conditioning, candidate)
        if reason is None and isinstance(result, WindowScores):
            scored.append((result, name))
            continue
        failures += 1
        report_failure(reason, name, options.strict)
    say_reused(scorer)
    scored.sort(key=lambda entry: -entry[0].mean)
    ranking = [_entry(name, scores) for scores, name in scored]
    if options.out is not None and ranking:
        write_text_whole(options.out, csv_table(_rows(ranking, scorer.signature)))
    best = ranking[: options.top]
    names = conditioning if isinstance(conditioning, list) else [conditioning]
    values: dict[str, Any] = {
        "conditioning": ";".join(map(str, names)),
        "ranking": best,
        "scored": len(ranking),
        "failed": failures,
        "signature": scorer.signature,
    }
    table = [COLUMNS, *([str(place), *_cells(entry)] for place, entry in enumerate(best, 1))]
    return Answer(
        values,
        int(failures > 0),
        lines=[("", ""), ("ranked", f"{len(best)} of {len(ranking)}"), ("signature", scorer.signature)],
        table=table,
        rows=_rows(best, scorer.signature),
        scores=[entry["score"] for entry in best],
    )


def _inputs(options: argparse.Namespace) -> tuple[AudioInput, list[tuple[str, AudioInput]]]:
    """Return the conditioning, and the candidates by name; folders stand for the audio files in them."""
    files: list[str] = list(options.files)
    if options.conditioning_stems:
        conditioning: AudioInput = [stem_at(Path(), stem) for stem in options.conditioning_stems]
    elif files:
        conditioning = _stems(files.pop(0))
    else:
        raise UsageError("rank needs a conditioning; pass a file, or several stems after --conditioning")
    given = [*files, *(options.accompaniment_stems or [])]
    if not given:
        raise UsageError("rank needs candidates; pass audio files, or a folder of them")
    named = itertools.chain.from_iterable(_candidates(text) for text in given)
    return conditioning, list(named)


def _candidates(text: str) -> list[tuple[str, AudioInput]]:
    place = located(text)
    if is_folder(place):
        return [(str(path), path) for path in audio_of(place)]
    return [(text, _stems(text))]


def _stems(text: str) -> AudioInput:
    """Return the file of that name, or the stems that it lists, as a cell of a manifest does."""
    path = stem_at(Path(), text)
    stems = stems_of(text)
    if len(stems) < 2 or (not isinstance(path, Address) and _exists(path)):
        return path
    return [stem_at(Path(), stem) for stem in stems]


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _entry(name: str, scores: WindowScores) -> dict[str, Any]:
    readings = {reading: rounded(getattr(scores, reading)) for reading in READINGS}
    return {"candidate": name, "score": rounded(scores.mean), **readings}


def _rows(ranking: Sequence[dict[str, Any]], signature: str) -> list[dict[str, Any]]:
    return [{"rank": place, **entry, "signature": signature} for place, entry in enumerate(ranking, 1)]


def _cells(entry: dict[str, Any]) -> list[str]:
    likelihood, percentile = entry["likelihood"], entry["percentile"]
    return [
        shown(entry["score"]),
        "-" if likelihood is None else percent(likelihood),
        "-" if percentile is None else f"{percentile:.0f} of 100",
        entry["candidate"],
    ]
