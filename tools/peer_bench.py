"""The costs of scoring in a whole process, beside another installation: python -m tools.peer_bench PYTHON.

PYTHON is the interpreter of an environment with another version of this package. The two run in turn, three times each;
the medians are printed as a Markdown table. CPU time is that of the whole process; start-up is taken off where a row is
of warm work.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

RATE = 44_100
RUNS = 3
PROGRAM = """
import json, os, resource, sys, time
from pathlib import Path
work, folder = sys.argv[1], Path(sys.argv[2])
start = time.process_time()
from cocola_metric import CocolaScorer
files = [str(file) for file in sorted(folder.glob("*.wav"))]
scorer = CocolaScorer.from_pretrained(device="cpu")
scorer.score(files[0], files[1])
ready = time.process_time()
if work == "warm pair":
    for _ in range(10):
        scorer.score(files[0], files[1])
elif work == "pairs":
    scorer.score_pairs(files[::2], files[1::2])
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
print(json.dumps({"start": ready - start, "work": time.process_time() - ready, "peak": peak}))
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m tools.peer_bench", description=__doc__)
    parser.add_argument("peer", help="interpreter of the other installation")
    options = parser.parse_args(arguments)
    sides = {"before": options.peer, "now": sys.executable}
    print("| whole process, medians of three runs in turn | before | now | ratio |\n|---|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as scratch:
        short, long = _clips(Path(scratch) / "short", 200, 5), _clips(Path(scratch) / "long", 10, 60)
        two = [str(file) for file in sorted(short.glob("*.wav"))[:2]]
        shell: dict[str, list[tuple[float, ...]]] = {side: [] for side in sides}
        for _ in range(RUNS):
            for side, python in sides.items():
                shell[side].append(_shell(python, two))
        for at, (row, unit) in enumerate({"CPU seconds": "s", "wall seconds": "s"}.items()):
            _print_row(f"`cocola-score a.wav b.wav`, clips of 5 s, {row}", shell, at, unit)
        for row, work, folder, count, part in (
            ("peak memory after one pair", "none", short, 1, "peak"),
            ("one warm pair of 5 s, CPU", "warm pair", short, 10, "work"),
            ("100 pairs of 200 clips of 5 s, CPU", "pairs", short, 1, "work"),
            ("5 pairs of 10 files of 60 s, CPU", "pairs", long, 1, "work"),
        ):
            found: dict[str, list[tuple[float, ...]]] = {side: [] for side in sides}
            for _ in range(RUNS):
                for side, python in sides.items():
                    found[side].append((_program(python, work, folder)[part] / count,))
            _print_row(row, found, 0, "MB" if part == "peak" else "s")


def _clips(folder: Path, count: int, seconds: int) -> Path:
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(count):
        soundfile.write(folder / f"{number:03}.wav", 0.1 * rng.normal(size=seconds * RATE), RATE)
    return folder


def _shell(python: str, files: Sequence[str]) -> tuple[float, float]:
    """Return CPU and wall seconds of the command line."""
    before, start = os.times(), time.perf_counter()
    subprocess.run([Path(python).with_name("cocola-score"), *files], check=True, capture_output=True)
    wall, after = time.perf_counter() - start, os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system, wall


def _program(python: str, work: str, folder: Path) -> dict[str, float]:
    command = [python, "-P", "-W", "ignore", "-c", PROGRAM, work, str(folder)]  # -P: not the package in this folder
    found: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


def _print_row(name: str, found: dict[str, list[tuple[float, ...]]], at: int, unit: str) -> None:
    before, now = (statistics.median(run[at] for run in found[side]) for side in ("before", "now"))
    digits = 0 if unit == "MB" else 3
    print(f"| {name} | {before:.{digits}f} {unit} | {now:.{digits}f} {unit} | {before / now:.1f} |", flush=True)


if __name__ == "__main__":
    main()
