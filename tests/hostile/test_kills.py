"""Runs that are killed at random moments, and started again: what they leave is what an unbroken run leaves.

One kill of one command by default; twenty of every command with `make hostile`.
"""

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tiny_benchmark import open_benchmark
from tiny_corpus import write_corpus

KILLS = 20
KILLS_BY_DEFAULT = 1
PATIENCE = 600  # seconds, for a machine that does other things

TRAINING = """
import sys
from pathlib import Path
from cocola_metric.encoder import EncoderConfig
from cocola_metric.training.encoder import train, validation
from cocola_metric.training.encoder.config import SamplingConfig, TrainingConfig
validation.BATCHES = {"shift": 1}
train.CALIBRATION_BATCHES, train.STEPS_BETWEEN_CHECKPOINTS, train.STEPS_BETWEEN_LINES = 2, 1, 1
corpus, out = map(Path, sys.argv[1:])
sampling = SamplingConfig(window=1.0, batch_size=4, alterations={"shift": 0.5})
config = TrainingConfig(
    corpora=(str(corpus),),
    encoder=EncoderConfig(front_end="mel"),
    sampling=sampling,
    steps=6,
    warmup_steps=2,
    validation_windows=4,
    seed=5,
)
train.train(config, out, workers=0, cpu=True)
"""


@dataclass(frozen=True)
class Command:
    """A command that goes on where it was stopped.

    Attributes:
        arguments: Of the interpreter, given the folder to write to.
        results: What must come out the same, given that folder and what was printed.
    """

    arguments: Callable[[Path], list[str]]
    results: Callable[[Path, str], Mapping[str, bytes]]


def files_in(*patterns: str) -> Callable[[Path, str], Mapping[str, bytes]]:
    def read(out: Path, printed: str) -> Mapping[str, bytes]:
        found = [file for pattern in patterns for file in sorted(out.glob(pattern)) if file.is_file()]
        assert found, f"nothing of {patterns} in {out}"
        return {str(file.relative_to(out)): file.read_bytes() for file in found}

    return read


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
    start = ["-m", "cocola_metric", "score", "--pairs", str(songs / "pairs.csv"), "--out"]
    return Command(lambda out: [*start, str(out / "scores.csv")], files_in("scores.csv"))


def fad(root: Path) -> Command:
    sides = [write_songs(root / name, count) for name, count in (("generated", 16), ("reference", 12))]
    start = ["-m", "cocola_metric", "fad", "--generated", str(sides[0]), "--reference", str(sides[1])]
    return Command(
        lambda out: [*start, "--per-song", "--cache", str(out / "cache")],
        lambda out, printed: {
            "printed": printed.encode(),
            **files_in("cache/**/*.npy", "cache/**/*.npz")(out, printed),
        },
    )


def table3(root: Path) -> Command:
    bench = open_benchmark(root)
    queries = ["--queries", str(bench.manifest), "--corpus", str(bench.corpus), "--embedders", "timbre"]
    start = ["-m", "cocola_metric.benchmarks", "table3", *queries, "--generators", "ground_truth", "random", "noise"]
    return Command(lambda out: [*start, "--out", str(out)], files_in("table3.md", "table3.json", "**/*.wav"))


def train(root: Path) -> Command:
    corpus = write_corpus(root / "corpus")
    return Command(lambda out: ["-c", TRAINING, str(corpus), str(out)], files_in("*.safetensors"))


COMMANDS = {"score": score, "fad": fad, "table3": table3, "train": train}


def run_to_its_end(command: Command, out: Path) -> Mapping[str, bytes]:
    started = [sys.executable, *command.arguments(out)]
    done = subprocess.run(started, capture_output=True, text=True, timeout=PATIENCE, check=False, env=environment())
    assert done.returncode == 0, done.stderr
    return command.results(out, done.stdout)


def run_for(seconds: float, command: Command, out: Path) -> bool:
    """Start a command, kill it after so many seconds, and tell whether it still ran."""
    started = [sys.executable, *command.arguments(out)]
    process = subprocess.Popen(started, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment())
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return True
    return False


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_a_killed_run_ends_as_an_unbroken_one(name: str, tmp_path: Path, in_full: bool):
    """The run is killed at random moments, in one folder until it is done, then in another."""
    if not in_full and name != "score":
        pytest.skip("make hostile kills this command, too")
    command = COMMANDS[name](tmp_path)
    (tmp_path / "whole").mkdir()
    start = time.monotonic()
    whole = run_to_its_end(command, tmp_path / "whole")
    seconds = time.monotonic() - start
    moments = random.Random(0)
    kills, run = 0, 0
    while kills < (KILLS if in_full else KILLS_BY_DEFAULT):
        out = tmp_path / f"broken{run}"
        out.mkdir()
        while kills < (KILLS if in_full else KILLS_BY_DEFAULT):
            if not run_for(seconds * moments.uniform(0.3, 1.0), command, out):
                break
            kills += 1
        assert run_to_its_end(command, out) == whole
        run += 1
