"""Runs that are killed at random moments, and started again: what they leave is what an unbroken run leaves.

One kill of each command by default; twenty of each with `make hostile`. A run is killed by SIGKILL after a share of the
time that an unbroken one takes, measured here, and given again until it ends. No moment is a bound: a machine that is
busier than before kills earlier.
"""

import dataclasses
import os
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import killable
import numpy as np
import pytest
import soundfile
import tiny_msdm
import torch
from tiny_benchmark import open_benchmark
from tiny_corpus import write_corpus

from cocola_metric.benchmarks.queries.audio import open_tracks
from cocola_metric.benchmarks.queries.draw import draw_queries
from cocola_metric.benchmarks.queries.manifest import write_queries
from cocola_metric.training.msdm.checkpoint import save_msdm
from cocola_metric.training.msdm.network import MSDM
from cocola_metric.training.paper import Task

KILLS = 20
KILLS_BY_DEFAULT = 1
PATIENCE = 1800  # seconds; a run that takes longer hangs, and fails the test
CONFIGURATION = """
steps = 4
warmup_steps = 2
validation_windows = 4
seed = 5
encoder = {front_end = "mel"}
sampling = {window = 1.0, batch_size = 4, alterations = {shift = 0.5}}
"""


@dataclass(frozen=True)
class Command:
    """A command that goes on where it was stopped.

    Attributes:
        main: Its entry point.
        arguments: Its arguments, given the folder to write to.
        results: Patterns of the files in that folder that come out the same.
        prints_results: Whether what it prints comes out the same, too.
    """

    main: Callable[[Sequence[str]], int | None]
    arguments: Callable[[Path], list[str]]
    results: tuple[str, ...]
    prints_results: bool = False


def write_songs(folder: Path, count: int) -> Path:
    folder.mkdir()
    for number in range(count):
        samples = np.random.default_rng(number).uniform(-0.2, 0.2, 16_000 * (6 + number % 3))
        soundfile.write(folder / f"{number:02}.flac", samples, 16_000)
    return folder


def score(root: Path) -> Command:
    songs = write_songs(root / "songs", 24)
    lines = [f"{number:02}.flac,{(7 * number + 1) % 24:02}.flac" for number in range(24)]
    (songs / "pairs.csv").write_text("\n".join(["conditioning,accompaniment", *lines]) + "\n")
    start = ["score", "--pairs", str(songs / "pairs.csv"), "--out"]
    return Command(killable.core, lambda out: [*start, str(out / "scores.csv")], ("scores.csv",))


def fad(root: Path) -> Command:
    sides = [str(write_songs(root / name, count)) for name, count in (("generated", 16), ("reference", 12))]
    start = ["fad", "--generated", sides[0], "--reference", sides[1], "--per-song", "--save-reference"]
    return Command(
        killable.core,
        lambda out: [*start, str(out / "reference.npz"), "--cache", str(out / "cache")],
        ("cache/**/[!.]*", "reference.npz"),
        prints_results=True,
    )


def table3(root: Path) -> Command:
    bench = open_benchmark(root)
    queries = ["--queries", str(bench.manifest), "--corpus", str(bench.corpus), "--embedders", "timbre"]
    start = ["table3", *queries, "--generators", "ground_truth", "random", "noise", "--out"]
    results = ("table3.md", "table3.json", "table3.html", "**/*.wav", "**/*.jsonl")
    return Command(killable.benchmarks, lambda out: [*start, str(out)], results)


def table1(root: Path) -> Command:
    """UG and SS: MSDM's own commands, whose answers are stems."""
    for song in range(3):
        (root / "bands" / str(song)).mkdir(parents=True)
        for place, stem in enumerate(tiny_msdm.STEMS):
            samples = np.random.default_rng([song, place]).uniform(-0.2, 0.2, 16_000)
            soundfile.write(root / "bands" / str(song) / f"{stem}.wav", samples, 16_000)
    tracks, manifests = open_tracks(str(root / "bands")), []
    for task in (Task.UG, Task.SS):
        manifests.append(str(root / f"{task.name}.jsonl"))
        write_queries(Path(manifests[-1]), draw_queries(tracks, dataset="bands", count=4, seconds=0.5, task=task))
    torch.manual_seed(0)
    model = MSDM(dataclasses.replace(tiny_msdm.TINY, sample_rate=8_000, length=2 * tiny_msdm.LENGTH))
    save_msdm(model, root / "msdm")
    start = ["table1", "--queries", *manifests, "--corpus", str(root / "bands"), "--embedder", "timbre"]
    system = f"MSDM=msdm:{root / 'msdm'},steps=2,churn=0"
    results = ("table1.md", "table1.json", "**/*.wav", "**/*.jsonl")
    return Command(killable.benchmarks, lambda out: [*start, "--systems", system, "--out", str(out)], results)


def train(root: Path) -> Command:
    corpus = write_corpus(root / "corpus")
    (root / "tiny.toml").write_text(CONFIGURATION)
    start = ["train", str(root / "tiny.toml"), "--corpus", str(corpus), "--workers", "0", "--cpu", "--out"]
    return Command(killable.training, lambda out: [*start, str(out)], ("*.safetensors", "config.json", "*.onnx"))


COMMANDS = {"score": score, "fad": fad, "table3": table3, "table1": table1, "train": train}


@dataclass
class Run:
    """A run of a command in a folder that may hold what earlier ones left."""

    command: Command
    out: Path

    def __post_init__(self) -> None:
        self.printed = self.out.with_name(f"{self.out.name}.stdout")
        self.started = time.monotonic()
        self.process = killable.start(self.command.main, self.command.arguments(self.out), self.printed)

    def seconds_to_its_end(self) -> float:
        self.process.join(PATIENCE)
        assert self.process.exitcode == 0, self._story()
        return time.monotonic() - self.started

    def is_killed_after(self, seconds: float) -> bool:
        """Kill it after so many seconds, and tell whether it still ran."""
        self.process.join(seconds)
        self.process.kill()
        self.process.join(PATIENCE)
        assert self.process.exitcode in (0, -9), self._story()
        return self.process.exitcode != 0

    def results(self) -> Mapping[str, bytes]:
        found = [file for pattern in self.command.results for file in sorted(self.out.glob(pattern)) if file.is_file()]
        contents = {str(file.relative_to(self.out)): file.read_bytes() for file in found}
        return contents | ({"printed": self.printed.read_bytes()} if self.command.prints_results else {})

    def _story(self) -> str:
        return f"exit code {self.process.exitcode}: {killable.messages_of(self.printed).read_text()}"


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is of POSIX systems")
@pytest.mark.parametrize("name", COMMANDS)
def test_a_killed_run_ends_as_an_unbroken_one(name: str, tmp_path: Path, in_full: bool):
    """The run is killed at random moments, in one folder until it is done, then in another."""
    command = COMMANDS[name](tmp_path)

    def run(out: str) -> Run:
        (tmp_path / out).mkdir(exist_ok=True)
        return Run(command, tmp_path / out)

    run("first").seconds_to_its_end()  # which imports what the others share
    whole = run("whole")
    seconds = whole.seconds_to_its_end()
    expected = whole.results()
    assert len(expected) >= len(command.results) + command.prints_results
    moments = random.Random(name)
    kills, folder, wanted = 0, 0, KILLS if in_full else KILLS_BY_DEFAULT
    while kills < wanted:
        folder += 1
        broken = run(f"broken{folder}")
        while kills < wanted and broken.is_killed_after(seconds * moments.uniform(0, 1)):
            kills += 1
            broken = run(f"broken{folder}")
        broken.seconds_to_its_end()
        assert_same(broken.results(), expected)


def assert_same(results: Mapping[str, bytes], expected: Mapping[str, bytes]) -> None:
    """Name the files that differ, rather than show their bytes."""
    assert [name for name in results.keys() | expected.keys() if results.get(name) != expected.get(name)] == []
