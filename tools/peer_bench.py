"""The costs of scoring in a whole process, beside another installation: python -m tools.peer_bench PYTHON.

PYTHON is the interpreter of an environment with another version of this package; `make bench` makes one of the version
that scored with torch. That version, this one and the original authors' recipe run in turn, five times each, after a
first run that nobody times and in which Python compiles modules. The medians are printed as a Markdown table.

CPU time is that of the whole process; warm rows leave the start out. The recipe (librosa, torch, torchaudio, the
network with its own padding and BatchNorm) is given 10 of 100 pairs and 1 of 5, and counted as often. The floor
is what no version can do without: the Fourier transforms and the network, alone.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

RATE = 44_100
RUNS = 5
WINDOWS = 23  # of a file of 60 s
MINUTES = "5 pairs of 10 files of 60 s, CPU"
CLIP = 80_000  # samples of a window at 16 kHz
HELPERS = Path(__file__).parents[1] / "tests" / "helpers"
MEASURED = """
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
print(json.dumps({"work": time.process_time() - ready, "peak": peak}))
"""
SCORER = """
import json, resource, sys, time
from pathlib import Path
work, folder = sys.argv[1], Path(sys.argv[2])
from cocola_metric import CocolaScorer
files = [str(file) for file in sorted(folder.glob("*.wav"))]
scorer = CocolaScorer.from_pretrained(device="cpu")
scorer.score(files[0], files[1])
ready = time.process_time()
if work == "warm":
    for _ in range(10):
        scorer.score(files[0], files[1])
elif work == "pairs":
    scorer.score_pairs(files[::2], files[1::2])
elif work == "growth":
    for _ in scorer.iter_scores(zip(files[::2], files[1::2])):
        pass
"""
RECIPE = """
import json, resource, sys, time
from importlib.util import find_spec
from pathlib import Path
work, folder = sys.argv[1], Path(sys.argv[2])
import torch, torchaudio, librosa, soundfile
for package in ("lightning", "efficientnet_pytorch"):
    if find_spec(package):
        __import__(package)
sys.path.insert(0, sys.argv[3])
from original_recipe import librosa_chain
from cocola_metric.encoder.model import CocolaModel
torch.set_num_threads(1)
model = CocolaModel().eval()
files = sorted(folder.glob("*.wav"))
def embedded(file):
    samples, rate = soundfile.read(file, dtype="float32", always_2d=True)
    waveform = torchaudio.functional.resample(torch.from_numpy(samples.mean(1)), rate, 16000)
    features = [torch.from_numpy(librosa_chain(window.numpy())).float() for window in waveform.unfold(0, 80000, 40000)]
    return model.encoder.embed_features(torch.stack(features))
def score(conditioning, accompaniment):
    return model.similarity.pairs(embedded(conditioning), embedded(accompaniment)).mean().item()
with torch.inference_mode():
    score(files[0], files[1])
    ready = time.process_time()
    if work == "warm":
        for _ in range(10):
            score(files[0], files[1])
    elif work == "pairs":
        for first in range(0, max(2, len(files) // 10), 2):
            score(files[first], files[first + 1])
"""
FLOOR = """
import json, resource, sys, time
import numpy as np
from cocola_metric import CocolaScorer
from cocola_metric.encoder.spectra import of_spectra
encoder = CocolaScorer.from_pretrained(device="cpu")._embedder.encoder
step = int(sys.argv[1])
audio = 0.1 * np.random.default_rng(0).standard_normal(7 * step + 80000, np.float32)
clips = np.stack([audio[start : start + 80000] for start in range(0, 8 * step, step)])
images = encoder.front_end(clips)
def floor():
    for size in (4096, 1024):
        of_spectra(lambda spectra: spectra[..., :1].real, clips, np.ones(size, np.float32), size, 320)
    for first in (0, 4):
        encoder._session.run(None, {"features": images[first : first + 4]})
floor()
ready = time.process_time()
for _ in range(12):
    floor()
"""


class Row(NamedTuple):
    """A row of the table: the work of a process, its repetitions, and the clips of 5 s that it embeds each time.

    Attributes:
        name: name of the row.
        work: kind of work, an argument of the programs.
        folder: folder of the audio.
        count: times that the process does it.
        clips: number of clips of the floor; 0 without a floor.
        part: part of a process's report.
        by_recipe: share of the work that the recipe is given.
        step: number of samples from one clip to the next, on which the floor depends.
    """

    name: str
    work: str
    folder: Path
    count: int = 1
    clips: int = 0
    part: str = "work"
    by_recipe: float = 1.0
    step: int = CLIP


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m tools.peer_bench", description=__doc__)
    parser.add_argument("peer", help="interpreter of the other installation")
    parser.add_argument("--runs", type=int, default=RUNS, help=f"of each side (default: {RUNS})")
    parser.add_argument("--growth", type=int, nargs="*", default=[], metavar="N", help="also score N pairs of 60 s")
    options = parser.parse_args(arguments)
    print("| whole process | original recipe | before | now | before / now | floor | now / floor |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as scratch:
        bench = _Bench(options.peer, Path(scratch), options.runs)
        bench.print_shell()
        for row in (
            Row("peak memory after one pair", "none", bench.short, part="peak"),
            Row("one warm pair of 5 s, CPU", "warm", bench.short, 10, 2),
            Row("100 pairs of 200 clips of 5 s, CPU", "pairs", bench.short, 1, 200, by_recipe=1 / 10),
            Row(MINUTES, "pairs", bench.long, 1, 10 * WINDOWS, by_recipe=1 / 5, step=CLIP // 2),
        ):
            bench.print_row(row)
        for pairs in options.growth:
            bench.print_growth(pairs)
    loads = f"load {load:.1f} before, {os.getloadavg()[0]:.1f} after"
    print(f"\nMedians of {options.runs} runs in turn on {os.cpu_count()} cores; {loads}.")


class _Bench:
    """The sides that run in turn, and the audio that they are given."""

    def __init__(self, peer: str, scratch: Path, runs: int) -> None:
        self.python = {"before": peer, "now": sys.executable}
        self.runs, self.scratch = runs, scratch
        self.short, self.long = _clips(scratch / "short", 200, 5), _clips(scratch / "long", 10, 60)
        # As after a first use: modules compiled, whatever the caller's environment says of that.
        self.environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(scratch / "compiled")}
        self.environment.pop("PYTHONDONTWRITEBYTECODE", None)
        self.floors = {step: self._floor(step) for step in (CLIP, CLIP // 2)}

    def _floor(self, step: int) -> float:
        """Return the least CPU time of a window, where one begins every ``step`` samples."""
        return statistics.median(self._program(sys.executable, FLOOR, step)["work"] / 96 for _ in range(self.runs))

    def print_shell(self) -> None:
        """Print what the command line takes, from a cold shell."""
        two = [str(file) for file in sorted(self.short.glob("*.wav"))[:2]]
        command = {side: [Path(python).with_name("cocola-score"), *two] for side, python in self.python.items()}
        recipe = [sys.executable, "-P", "-W", "ignore", "-c", RECIPE + MEASURED, "none", self.short, HELPERS]
        sides = {"recipe": lambda: self._timed(recipe)}
        sides |= {side: (lambda given=given: self._timed(given)) for side, given in command.items()}
        for run in sides.values():  # for nothing: Python compiles modules, and the system reads files
            run()
        found = self._in_turn(sides)
        for at, unit in enumerate(("CPU", "wall")):
            _print(
                f"`cocola-score a.wav b.wav`, clips of 5 s, {unit}", {side: each[at] for side, each in found.items()}
            )

    def print_row(self, row: Row) -> None:
        """Print what a row takes on each side."""

        def ours(python: str) -> tuple[float]:
            return (self._program(python, SCORER, row.work, row.folder)[row.part] / row.count,)

        def recipe() -> tuple[float]:
            value = self._program(sys.executable, RECIPE, row.work, row.folder, HELPERS)[row.part]
            return (value / row.count / row.by_recipe,)

        sides = {side: (lambda python=python: ours(python)) for side, python in self.python.items()}
        found = self._in_turn({"recipe": recipe} | sides)
        megabytes = row.part == "peak"
        medians = {side: each[0] for side, each in found.items()}
        _print(row.name, medians, floor=self.floors[row.step] * row.clips, megabytes=megabytes)

    def print_growth(self, pairs: int) -> None:
        """Print the peak memory of many pairs of 60 s, no two of them of the same files."""
        folder = self.scratch / f"pairs{pairs}"
        folder.mkdir()
        originals = sorted(self.long.glob("*.wav"))
        for number in range(2 * pairs):
            (folder / f"{number:05}.wav").symlink_to(originals[number % len(originals)])
        peak = self._program(sys.executable, SCORER, "growth", folder)["peak"]
        print(f"| peak memory, {pairs:,} pairs of 60 s (once) | | | {peak:.0f} MB | | | |", flush=True)

    def _in_turn(self, sides: Mapping[str, Callable[[], tuple[float, ...]]]) -> dict[str, list[float]]:
        """Run all sides in turn; return the medians of what they report."""
        runs = [{side: run() for side, run in sides.items()} for _ in range(self.runs)]
        return {
            side: [statistics.median(values) for values in zip(*(run[side] for run in runs), strict=True)]
            for side in sides
        }

    def _timed(self, command: Sequence[str | Path]) -> tuple[float, float]:
        """Return CPU and wall seconds of a command."""
        before, start = os.times(), time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, env=self.environment)
        wall, after = time.perf_counter() - start, os.times()
        cpu = after.children_user + after.children_system - before.children_user - before.children_system
        return cpu, wall

    def _program(self, python: str, program: str, *arguments: str | Path | int) -> dict[str, float]:
        command = [
            python,
            "-P",
            "-W",
            "ignore",
            "-c",
            program + MEASURED,
            *map(str, arguments),
        ]  # -P: what is installed
        run = subprocess.run(command, check=True, capture_output=True, text=True, env=self.environment)
        found: dict[str, float] = json.loads(run.stdout)
        return found


def _clips(folder: Path, count: int, seconds: int) -> Path:
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(count):
        soundfile.write(folder / f"{number:03}.wav", 0.1 * rng.normal(size=seconds * RATE), RATE)
    return folder


def _print(name: str, found: Mapping[str, float], *, floor: float = 0.0, megabytes: bool = False) -> None:
    def shown(value: float) -> str:
        return f"{value:.0f} MB" if megabytes else f"{value:.3f} s"

    recipe, before, now = (found[side] for side in ("recipe", "before", "now"))
    alone = f"{shown(floor)} | {now / floor:.2f}" if floor else " | "
    print(f"| {name} | {shown(recipe)} | {shown(before)} | {shown(now)} | {before / now:.1f} | {alone} |", flush=True)


if __name__ == "__main__":
    main()
