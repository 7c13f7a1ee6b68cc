"""The work of `cocola-fad`: embed the clips of folders, report and leave out bad ones, compare the others."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ..errors import AudioError, CheckpointError, MissingExtraError, UsageError
from ..fad import EMBEDDERS, FAD, Array, FadResult, Mix, Reference, SubFAD
from .answers import WARNING, Answer, prints_text, rounded, rounded_all, shown
from .pairs import audio_of, match_folders
from .program import say

Named = tuple[str, Mix]


def fad(options: argparse.Namespace) -> Answer:
    """Compare folders by one embedder or by all; return the result to print."""
    if options.save_reference is not None:
        Reference.check_place(options.save_reference)
    names = list(EMBEDDERS) if options.embedder == "all" else [options.embedder]
    stored = Reference.load(options.reference) if options.reference.suffix == ".npz" else None
    if options.embedder == "all" and (stored or options.save_reference):
        raise UsageError("--embedder all cannot use a stored reference; name one embedder")
    sides = _sides(options, with_reference=stored is None)
    if options.embedder != "all":
        return _compare(options.embedder, options, sides, stored)
    results: dict[str, Answer] = {}
    for name in names:
        try:
            answer = _compare(name, options, sides, stored)
        except (CheckpointError, MissingExtraError) as error:
            say("cocola-fad", f"{name}: {error}")
            answer = Answer({"error": str(error)}, 2)
        results[name] = answer
    return _together(results)


def _together(answers: Mapping[str, Answer]) -> Answer:
    """Return the answers of several embedders as one."""
    return Answer(
        {name: answer.values for name, answer in answers.items()},
        max(answer.code for answer in answers.values()),
        lines=[
            (f"{name} {line}", text)
            for name, answer in answers.items()
            for line, text in answer.lines or [("error", str(answer.values["error"]))]
        ],
        rows=[{"embedder": name, **row} for name, answer in answers.items() for row in answer.rows],
        scores=[score for answer in answers.values() for score in answer.scores],
    )


def _sides(options: argparse.Namespace, *, with_reference: bool) -> list[list[Named]]:
    """Return the mixes of the generated and, unless it is stored, of the reference set, by name."""
    folders = [options.generated, *([options.reference] if with_reference else [])]
    if options.conditioning is None:
        return [_listed(folder) for folder in folders]
    sides: list[list[Named]] = []
    for folder in folders:
        pairs = match_folders(options.conditioning, folder)
        sides.append([(pair.name, (pair.conditioning, pair.accompaniment)) for pair in pairs])
    return sides


def _listed(folder: Path) -> list[Named]:
    return [(str(path), (path,)) for path in audio_of(folder)]


def _compare(name: str, options: argparse.Namespace, sides: list[list[Named]], stored: Reference | None) -> Answer:
    kind: type[FAD] | type[SubFAD] = FAD if options.conditioning is None else SubFAD
    metric = kind(
        name,
        cache=None if options.no_cache else options.cache or "default",
        resamples=options.resamples,
        seed=options.seed,
        **_embedder_options(name, options),
    )
    embedded = [_embedded(metric, side, options.strict) for side in sides]
    failed = sum(result is None for side in embedded for result in side)
    if kind is SubFAD:  # a track without one of its mixes is left out of both sets, so that they stay paired
        complete = [all(side[index] is not None for side in embedded) for index in range(len(sides[0]))]
        embedded = [[entry if kept else None for entry, kept in zip(side, complete, strict=True)] for side in embedded]
    sets = [[entry for entry in side if entry is not None] for side in embedded]
    if not all(sets):
        raise AudioError("no clip is left to compare; mend the files in the messages above")
    if stored is None and options.save_reference is not None:
        metric.reference_of(sets[1]).save(options.save_reference)
    result = metric.compare(sets[0], stored or sets[1])
    kept_names = [named[0] for named, entry in zip(sides[0], embedded[0], strict=True) if entry is not None]
    return _answer(result, kept_names, failed, options)


def _embedder_options(name: str, options: argparse.Namespace) -> dict[str, Any]:
    if name == "cocola":
        return {"model": options.model, "mode": options.mode, "device": options.device}
    if name == "timbre":
        return {}
    chosen: dict[str, Any] = {"weights": options.weights, "download": options.download}
    if name == "clap":
        chosen["submodel"] = options.clap_submodel
    if name == "encodec":
        chosen["axis"] = options.encodec_axis
    return chosen


def _embedded(metric: FAD | SubFAD, side: Sequence[Named], strict: bool) -> list[Array | None]:
    """Embed one set; None stands for a clip that failed, whose error has been printed."""
    results = metric.embed_all([mix for _, mix in side])
    embedded: list[Array | None] = []
    progress = tqdm(results, metric.embedder.name, len(side), unit="clip", disable=None)
    for (name, _), result in zip(side, progress, strict=True):
        if isinstance(result, AudioError):
            if strict:
                raise AudioError(f"{name}: {result}; stopped because of --strict")
            say("cocola-fad", f"{name}: {result}")
        embedded.append(None if isinstance(result, AudioError) else result)
    return embedded


def _answer(result: FadResult, names: list[str], failed: int, options: argparse.Namespace) -> Answer:
    """Return what is printed of one comparison; remarks are messages, except in a table for people."""
    values = result.as_json()
    songs = dict(zip(names, values.pop("per_song"), strict=True))
    values = rounded_all(values | ({"per_song": songs} if options.per_song else {}) | {"failed": failed})
    low, high = result.interval
    limit = f"R squared {shown(result.infinity_r_squared)}" if values["infinity"] is not None else ""
    lines = [
        ("FAD", f"{shown(result.fad)}  95 % interval {shown(low)} to {shown(high)}"),
        ("infinity", f"{shown(result.infinity)}  {limit}"),
        ("floor", shown(result.floor)),
        ("clips", f"{result.tracks} generated, {result.tracks_reference} reference, {failed} failed"),
        ("n, D", f"{result.n} and {result.n_reference} embeddings of {result.dimension} dimensions"),
        *((WARNING, remark) for remark in result.remarks),
        *((name, shown(value)) for name, value in songs.items() if options.per_song),
        ("signature", result.signature),
    ]
    if not prints_text(options):
        for remark in result.remarks:
            say("cocola-fad", remark)
    row = {name: value for name, value in values.items() if name not in ("interval", "per_song")}
    row |= {"interval_low": rounded(low), "interval_high": rounded(high)}
    return Answer(values, int(failed > 0), lines=lines, rows=[row], scores=[result.fad])
