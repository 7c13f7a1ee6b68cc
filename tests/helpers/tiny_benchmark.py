"""A benchmark in small: songs of tones, queries drawn from them, and what a generator answered, as bytes."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from cocola_metric.benchmarks.generators.generate import GenerateCounts, generate_answers
from cocola_metric.benchmarks.queries.audio import ConditioningAudio, QueryAudio, note_corpus, open_tracks
from cocola_metric.benchmarks.queries.draw import draw_queries
from cocola_metric.benchmarks.queries.manifest import Query, write_queries
from cocola_metric.training.paper import Task

RATE = 32_000
SECONDS = 0.5
COUNT = 6


@dataclass(frozen=True)
class Benchmark:
    """A corpus, its manifest and audio."""

    corpus: Path
    manifest: Path
    sha256: str
    queries: list[Query]
    audio: QueryAudio


def write_songs(root: Path, stems: int = 3) -> Path:
    """Three songs of so many tones and some noise, 1.5 s at 32 kHz."""
    rng = np.random.default_rng(0)
    time = np.arange(round(1.5 * RATE)) / RATE
    for song in range(3):
        (root / f"song{song}").mkdir(parents=True)
        for stem in range(stems):
            tone = 0.2 * np.sin(2 * np.pi * 300 * (song + stem + 1) * time) + rng.normal(0, 0.01, len(time))
            soundfile.write(root / f"song{song}" / f"stem{stem}.wav", tone, RATE, subtype="FLOAT")
    return root


def open_benchmark(root: Path, task: Task = Task.AG) -> Benchmark:
    corpus = write_songs(root / "corpus")
    tracks = open_tracks(str(corpus))
    queries = draw_queries(tracks, dataset="songs", count=COUNT, seconds=SECONDS, task=task)
    manifest = root / "queries.jsonl"
    sha256 = write_queries(manifest, queries)
    note_corpus(manifest, str(corpus))
    return Benchmark(corpus, manifest, sha256, queries, QueryAudio(tracks))


def run(bench: Benchmark, generator, out: Path, **options) -> GenerateCounts:
    options = {"queries_sha256": bench.sha256} | options
    return generate_answers(bench.queries, ConditioningAudio(bench.audio.tracks), generator, out, **options)


def samples_in(out: Path) -> dict[str, bytes]:
    return {file.stem: soundfile.read(file, dtype="float32")[0].tobytes() for file in sorted(out.glob("*.wav"))}
