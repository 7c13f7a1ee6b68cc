"""The work of `cocola-fad`: embed the clips of folders, report and leave out bad ones, compare the others."""

import argparse
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from tqdm import tqdm

from ..errors import AudioError, CheckpointError, MissingExtraError, UsageError, WorkersError
from ..fad import EMBEDDERS, FAD, Array, FadResult, Mix, Reference, SubFAD
from .answers import WARNING, Answer, prints_text, rounded, rounded_all, shown
from .engine import device_of, open_pool, units_of
from .pairs import audio_of, match_folders
from .program import say

if TYPE_CHECKING:
    from ..ray_pool import RayPool

Named = tuple[str, Mix]
Embed: TypeAlias = Callable[[Sequence[Mix]], Iterator[Array | AudioError]]
AT_ONCE = 8
"""Most mixes that a worker is sent at once."""


def fad(options: argparse.Namespace) -> Answer:
    """Compare folders by one embedder or by all; return the result to print."""
    if options.save_reference is not None:
        Reference.check_place(options.save_reference)
    names = list(EMBEDDERS) if options.embedder == "all" else [options.embedder]
    stored = Reference.load(options.reference) if options.reference.suffix == ".npz" else None
    if options.embedder == "all" and (stored or options.save_reference):
        raise UsageError("--embedder all cannot use a stored reference; name one embedder")
    if options.workers_gpu and options.embedder != "cocola":
        raise UsageError(f"--workers-gpu is for the embedder cocola; got {options.embedder}; leave it out")
    pool = open_pool(options)
    sides = _sides(options, with_reference=stored is None)
    with pool as workers:
        answer = _all(names, options, sides, stored, workers)
    if workers is not None and workers.done:
        say("cocola-fad", workers.summary("embedded", "mixes"))
    return answer


def _all(
    names: Sequence[str],
    options: argparse.Namespace,
    sides: list[list[Named]],
    stored: Reference | None,
    workers: "RayPool | None",
) -> Answer:
    if options.embedder != "all":
        return _compare(options.embedder, options, sides, stored, workers)
    results: dict[str, Answer] = {}
    for name in names:
        try:
            answer = _compare(name, options, sides, stored, workers)
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


def _compare(
    name: str,
    options: argparse.Namespace,
    sides: list[list[Named]],
    stored: Reference | None,
    workers: "RayPool | None",
) -> Answer:
    metric = _metric(name, options)
    embed: Embed = metric.embed_all
    if workers is not None:
        embed = functools.partial(_embedded_there, workers, MixWork(_on(options, workers), name, metric.recipe))
    embedded = [_embedded(name, embed, side, options.strict) for side in sides]
    failed = sum(result is None for side in embedded for result in side)
    if metric.paired:  # a track without one of its mixes is left out of both sets, so that they stay paired
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
        threads = getattr(options, "threads", None)
        return {"model": options.model, "mode": options.mode, "device": options.device, "threads": threads}
    if name == "timbre":
        return {}
    chosen: dict[str, Any] = {"weights": options.weights, "download": options.download}
    if name == "clap":
        chosen["submodel"] = options.clap_submodel
    if name == "encodec":
        chosen["axis"] = options.encodec_axis
    return chosen


def _metric(name: str, options: argparse.Namespace) -> FAD | SubFAD:
    kind: type[FAD] | type[SubFAD] = FAD if options.conditioning is None else SubFAD
    return kind(
        name,
        cache=None if options.no_cache else options.cache or "default",
        resamples=options.resamples,
        seed=options.seed,
        **_embedder_options(name, options),
    )


def _on(options: argparse.Namespace, workers: "RayPool") -> argparse.Namespace:
    return argparse.Namespace(**vars(options) | {"device": device_of(workers), "threads": 1})


@dataclass
class MixWork:
    """What a worker is sent.

    Attributes:
        options: options by which it opens its embedder.
        name: name of the embedder.
        recipe: recipe that its embeddings must have.
    """

    options: argparse.Namespace
    name: str
    recipe: str
    _opened: list[FAD | SubFAD] = field(default_factory=list)

    def __call__(self, mixes: Sequence[Mix]) -> list[Array | AudioError]:
        """Embed some mixes; embeddings that the cache of this machine has are taken from it."""
        if not self._opened:
            metric = _metric(self.name, self.options)
            if metric.recipe != self.recipe:
                raise UsageError(
                    f"a worker's embeddings would be {metric.recipe}, not {self.recipe}; install one version of the "
                    "package and of the encoder on every machine"
                )
            self._opened.append(metric)
        return list(self._opened[0].embed_all(mixes, threads=1))


def _embedded_there(workers: "RayPool", work: MixWork, mixes: Sequence[Mix]) -> Iterator[Array | AudioError]:
    """Yield the embeddings of each mix in order, as workers have made them."""
    ready: dict[int, Array | AudioError] = {}
    following = 0
    for number, result in workers.run(work, mixes, at_once=units_of(workers, len(mixes), AT_ONCE)):
        if isinstance(result, WorkersError):
            result = AudioError(f"no worker survives it ({result})")
        ready[number] = result
        while following in ready:
            yield ready.pop(following)
            following += 1


def _embedded(name: str, embed: Embed, side: Sequence[Named], strict: bool) -> list[Array | None]:
    """Embed one set; None stands for a clip that failed, whose error has been printed."""
    results = embed([mix for _, mix in side])
    embedded: list[Array | None] = []
    progress = tqdm(results, name, len(side), unit="clip", disable=None)
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
