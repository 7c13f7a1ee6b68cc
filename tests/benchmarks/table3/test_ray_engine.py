"""Scores over many processes: the numbers of one process, also when a worker is killed; nothing is left running."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile

from cocola_metric import CocolaScorer
from cocola_metric.benchmarks.generators.folder import open_generated, write_about
from cocola_metric.benchmarks.queries.audio import note_corpus, open_tracks
from cocola_metric.benchmarks.queries.draw import draw_queries
from cocola_metric.benchmarks.queries.manifest import write_queries
from cocola_metric.benchmarks.table3.answers import Answers, RememberingAudio
from cocola_metric.benchmarks.table3.ray_engine import RayEngine
from cocola_metric.benchmarks.table3.scoring import AT_ONCE, score_answers
from cocola_metric.errors import AudioError, MissingExtraError, UsageError

ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'cocola-metric[scale]'")
pytestmark = pytest.mark.slow

RATE = 16_000
SECONDS = 5.0
COUNT = 6 * AT_ONCE
LETHAL = 13
"""Number of the query that kills the first worker to hear it."""


@dataclass(frozen=True)
class LethalAnswers(Answers):
    """Answers of which one kills its process, once."""

    victim: str
    notice: Path

    def pair(self, query, sample_rate):
        if query.id == self.victim and not self.notice.exists():
            self.notice.write_text(str(os.getpid()))
            os.kill(os.getpid(), signal.SIGKILL)
        return super().pair(query, sample_rate)


class Bench:
    """Songs, queries, and somebody's answers to them."""

    def __init__(self, root: Path) -> None:
        rng, time = np.random.default_rng(0), np.arange(9 * RATE) / RATE
        for song in range(3):
            (root / f"songs/song{song}").mkdir(parents=True)
            for stem in range(3):
                tone = 0.1 * np.sign(np.sin(2 * np.pi * 110 * (song + stem + 1) * time))
                noise = rng.normal(0, 0.01, len(time))
                soundfile.write(root / f"songs/song{song}/stem{stem}.wav", tone + noise, RATE)
        self.tracks = open_tracks(str(root / "songs"))
        self.queries = draw_queries(self.tracks, dataset="songs", count=COUNT, seconds=SECONDS)
        self.manifest, self.folder = root / "queries.jsonl", root / "mine"
        self.sha256 = write_queries(self.manifest, self.queries)
        note_corpus(self.manifest, str(root / "songs"))
        self.audio = RememberingAudio(self.tracks)
        self.folder.mkdir()
        for query in self.queries:
            soundfile.write(self.folder / f"{query.id}.wav", self.audio.target(query, RATE) / 2, RATE)
        write_about(self.folder, self.sha256, "accompaniment", {"generator": "Mine"})
        self.answers = Answers(open_generated(self.folder, self.sha256), self.audio)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("bench"))


@pytest.fixture(scope="module")
def scorer() -> CocolaScorer:
    return CocolaScorer.from_pretrained("embedded", device="cpu")


@pytest.fixture(autouse=True)
def by_value(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let workers have the classes of this file, and no cluster of somebody else."""
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    yield
    ray.cloudpickle.unregister_pickle_by_value(sys.modules[__name__])
    assert not ray.is_initialized()


def test_a_worker_killed_in_the_middle_changes_no_number(bench: Bench, scorer: CocolaScorer, tmp_path: Path) -> None:
    here = score_answers(scorer, bench.queries, bench.answers, tmp_path / "here.jsonl")
    notice = tmp_path / "killed"
    lethal = LethalAnswers(bench.answers.folder, bench.audio, bench.queries[LETHAL].id, notice)
    with RayEngine(2) as engine:
        there = score_answers(scorer, bench.queries, lethal, tmp_path / "there.jsonl", engine=engine)
    assert there == here and there.computed == COUNT
    rows = [sorted((tmp_path / name).read_text().splitlines()) for name in ("here.jsonl", "there.jsonl")]
    assert rows[0] == rows[1]
    assert engine.pool.done == COUNT and len(engine.pool.processes) >= 2
    killed = int(notice.read_text())
    assert not Path(f"/proc/{killed}").exists()


def test_a_run_that_was_stopped_goes_on(bench: Bench, scorer: CocolaScorer, tmp_path: Path) -> None:
    broken, file = bench.queries[-1], tmp_path / "scores.jsonl"
    path = bench.folder / f"{broken.id}.wav"
    sound = path.read_bytes()
    path.write_bytes(b"damaged")
    try:
        with pytest.raises(AudioError, match=f"{broken.id}.* cannot be read as audio"), RayEngine(1) as engine:
            score_answers(scorer, bench.queries, bench.answers, file, engine=engine)
    finally:
        path.write_bytes(sound)
    kept = len(file.read_text().splitlines())
    assert kept > AT_ONCE
    with RayEngine(1) as engine:
        resumed = score_answers(scorer, bench.queries, bench.answers, file, engine=engine)
    assert (resumed.kept, resumed.computed, engine.pool.done) == (kept, COUNT - kept, COUNT - kept)
    with RayEngine(1) as engine:
        again = score_answers(scorer, bench.queries, bench.answers, file, engine=engine)
        assert again.computed == 0 and not ray.is_initialized()


def test_the_command_prints_the_table_and_the_throughput(bench: Bench, tmp_path: Path) -> None:
    def run(out: Path, *options: str) -> subprocess.CompletedProcess[str]:
        arguments = ["--queries", str(bench.manifest), "--out", str(out), "--embedders", "--generators", "random"]
        command = [sys.executable, "-m", "cocola_metric.benchmarks", "table3", *arguments, *options]
        return subprocess.run(command, check=True, capture_output=True, text=True)

    run(tmp_path / "here")
    there = run(tmp_path / "there", "--engine", "ray", "--workers", "2")
    assert (tmp_path / "here/table3.json").read_text() == (tmp_path / "there/table3.json").read_text()
    assert there.stdout.count("\n") == 1
    assert there.stderr.splitlines()[-1].startswith(f"table3: ray scored {COUNT} queries with 2 workers in ")


def test_settings_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="--workers must be 1 or more; got 0"):
        RayEngine(0)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"cocola-metric\[scale\]"):
        RayEngine(2)
