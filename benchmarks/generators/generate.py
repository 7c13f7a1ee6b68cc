"""The first stage of Table 3: let a generator answer the queries of a manifest, into a folder.

A run that was stopped goes on when the same command is given again; an answer is made anew only if its query, its
audio, the generator or the seed has changed.
"""

import argparse
import hashlib
import json
import logging
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from cocola_metric.errors import UsageError
from cocola_metric.identity import file_sha256
from cocola_metric.json_files import json_text, read_json
from cocola_metric.whole_files import make_folder, write_text_whole

from ..queries import ConditioningAudio, Query, QueryAudio, find_tracks, query_as_json, read_queries
from .folder import ABOUT_FILE, Generated, fit_length, wav_written_whole, write_about
from .protocol import Generator, Setting
from .registry import open_generator

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class GenerateCounts:
    """Numbers of queries that were answered now, had been answered before, or cannot be answered."""

    generated: int
    kept: int
    unsupported: int


def generate_answers(
    queries: Sequence[Query],
    audio: ConditioningAudio,
    generator: Generator,
    out: Path,
    *,
    queries_sha256: str,
    seed: int = 0,
    batch_size: int = 1,
) -> GenerateCounts:
    """Write ``<out>/<query id>.wav`` for every query, and ``<query id>.json`` with all that the answer depends on.

    Each file is written whole or not at all. Batches are the same whatever exists already, and a batch's randomness
    comes from the seed and its queries. So a run that was stopped and went on has the same results.

    Args:
        queries: queries of a manifest.
        audio: audio that the generator may read.
        generator: generator to answer.
        out: folder of the answers.
        queries_sha256: SHA-256 of the manifest's file.
        seed: seed of the answers.
        batch_size: number of queries that are answered together.

    Raises:
        AudioError: audio is missing, damaged or too short.
        UsageError: ``batch_size`` is below 1, or the folder holds audio from elsewhere or of another guide.
    """
    if batch_size < 1:
        raise UsageError(f"batch_size must be 1 or more; got {batch_size}")
    make_folder(out)
    _refuse_foreign(queries, out)
    reasons = {query.id: reason for query in queries if (reason := generator.unsupported(query)) is not None}
    guide = _guide_of([query for query in queries if query.id not in reasons], audio, generator)
    _refuse_other_guide(out, guide)
    batches = list(_plan(queries, reasons, audio, generator, out, seed, batch_size))
    kept = _remove_outdated(queries, batches, out)
    details = {"generator": generator.name, "seed": seed, "batch_size": batch_size, "unsupported": reasons}
    details |= {"guide": guide} if guide else {}
    write_about(out, queries_sha256, generator.content, details)
    generated = 0
    total = len(queries) - len(reasons)
    with tqdm(total=total, initial=kept, desc=generator.name, unit="query", disable=None) as progress:
        for batch in batches:
            if all(batch.current):
                continue
            rng = np.random.default_rng([seed, *(int(query.id.partition("_")[2], 16) for query in batch.queries)])
            answers = generator.generate(batch.queries, audio, rng)
            for query, key, current, answer in zip(batch.queries, batch.keys, batch.current, answers, strict=True):
                if not current:
                    _write_answer(out, query, key, answer, generator.name)
                    generated += 1
                    progress.update()
    return GenerateCounts(generated, kept, len(reasons))


@dataclass(frozen=True)
class _Batch:
    """Queries that are answered together, each with a key of what its answer depends on and whether it exists."""

    queries: list[Query]
    keys: list[str]
    current: list[bool]


def _refuse_foreign(queries: Sequence[Query], out: Path) -> None:
    foreign = [query.id for query in queries if _wav(out, query).exists() and not _note(out, query).exists()]
    if foreign:
        raise UsageError(f"{out}: {foreign[0]}.wav was not written by this stage; give another folder for the answers")


def _guide_of(queries: Sequence[Query], audio: ConditioningAudio, generator: Generator) -> dict[str, Any] | None:
    """Return the settings of guidance, which are the same for all queries; None without a guide."""
    return dict(generator.recipe(queries[0], audio)).get("guide") if queries else None


def _refuse_other_guide(out: Path, guide: Mapping[str, Any] | None) -> None:
    """Refuse to put answers of one guide in place of those of another: what is compared belongs side by side."""
    try:
        there = read_json(out / ABOUT_FILE).get("guide") if any(out.glob("*.wav")) else guide
    except (OSError, ValueError, AttributeError):
        return
    if _without_place(there) != _without_place(guide):
        raise UsageError(
            f"{out}: holds answers with {_named(there)}, and now {_named(guide)} is asked for; give another folder"
        )


def _without_place(guide: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the settings without the encoder's place: its weights say which one it is."""
    return {name: value for name, value in (guide or {}).items() if name != "encoder"}


def _named(guide: Mapping[str, Any] | None) -> str:
    return f"the guide {json.dumps(guide, sort_keys=True)}" if guide else "no guide"


def _plan(
    queries: Sequence[Query],
    unsupported: Container[str],
    audio: ConditioningAudio,
    generator: Generator,
    out: Path,
    seed: int,
    batch_size: int,
) -> Iterator[_Batch]:
    supported = [query for query in queries if query.id not in unsupported]
    starts = range(0, len(supported), batch_size)
    for first in tqdm(starts, desc="checking", unit="batch", delay=2, disable=None):
        batch = supported[first : first + batch_size]
        content = [{"query": query_as_json(query), "recipe": dict(generator.recipe(query, audio))} for query in batch]
        whole = {"generator": generator.name, "content": generator.content, "seed": seed, "batch": content}
        keys = [_hash({**whole, "place": place}) for place in range(len(batch))]
        yield _Batch(batch, keys, [_is_current(out, query, key) for query, key in zip(batch, keys, strict=True)])


def _remove_outdated(queries: Sequence[Query], batches: Sequence[_Batch], out: Path) -> int:
    """Remove answers that are out of date; return how many stay."""
    stay = {query.id for batch in batches for query in compress(batch.queries, batch.current)}
    for query in queries:
        if query.id not in stay:
            _wav(out, query).unlink(missing_ok=True)
            _note(out, query).unlink(missing_ok=True)
    return len(stay)


def _hash(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _is_current(out: Path, query: Query, key: str) -> bool:
    try:
        note = read_json(_note(out, query))
        return bool(note["key"] == key and note["sha256"] == file_sha256(_wav(out, query)))
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _write_answer(out: Path, query: Query, key: str, answer: Generated, name: str) -> None:
    samples = fit_length(answer.samples, query, answer.sample_rate, f"{name}: the answer")
    with wav_written_whole(_wav(out, query), samples, answer.sample_rate) as unfinished:
        note = {"id": query.id, "key": key, "sha256": file_sha256(unfinished), "norms": answer.norms}
        write_text_whole(_note(out, query), json_text(note) + "\n")  # first, so that audio without a note is not ours


def _wav(out: Path, query: Query) -> Path:
    return out / f"{query.id}.wav"


def _note(out: Path, query: Query) -> Path:
    return out / f"{query.id}.json"


def run(options: argparse.Namespace) -> None:
    """Generate with the options of the command."""
    queries, sha256 = read_queries(options.queries), file_sha256(options.queries)
    audio = QueryAudio(find_tracks(options.queries, queries, options.corpus))
    setting = Setting(audio, sha256, options.device, queries)
    generator = open_generator(options.generator, setting, candidates=options.candidates)
    counts = generate_answers(
        queries,
        ConditioningAudio(audio.tracks),
        generator,
        options.out,
        queries_sha256=sha256,
        seed=options.seed,
        batch_size=options.batch_size,
    )
    report = {"generator": generator.name, **asdict(counts), "queries_sha256": sha256, "out": str(options.out)}
    print(json_text(report))
