"""The work of `cocola-fad`: embed the clips of folders, report and leave out bad ones, compare the others."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ..errors import AudioError, CheckpointError, MissingExtraError, UsageError
from ..fad import EMBEDDERS, FAD, Array, FadResult, Mix, Reference, SubFAD
from .pairs import audio_of, match_folders
from .program import Result, say

Named = tuple[str, Mix]


def fad(options: argparse.Namespace) -> Result:
    """Compare folders by one embedder or by all; return the result to print, and the exit code."""
    if options.save_reference is not None:
        Reference.check_place(options.save_reference)
    names = list(EMBEDDERS) if options.embedder == "all" else [options.embedder]
    stored = Reference.load(options.reference) if options.reference.suffix == ".npz" else None
    if options.embedder == "all" and (stored or options.save_reference):
        raise UsageError("--embedder all cannot use a stored reference; name one embedder")
    sides = _sides(options, with_reference=stored is None)
    if options.embedder != "all":
        return _compare(options.embedder, options, sides, stored)
    results: dict[str, Any] = {}
    codes = []
    for name in names:
        try:
            results[name], code = _compare(name, options, sides, stored)
        except (CheckpointError, MissingExtraError) as error:
            say("cocola-fad", f"{name}: {error}")
            results[name], code = {"error": str(error)}, 2
        codes.append(code)
    return results, max(codes)


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


def _compare(name: str, options: argparse.Namespace, sides: list[list[Named]], stored: Reference | None) -> Result:
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
    return _printed(result, kept_names, options.per_song) | {"failed": failed}, int(failed > 0)


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


def _printed(result: FadResult, names: list[str], with_songs: bool) -> dict[str, Any]:
    printed = result.as_json()
    songs = dict(zip(names, printed.pop("per_song"), strict=True))
    return printed | ({"per_song": songs} if with_songs else {})
