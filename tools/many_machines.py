"""Pairs per second with one worker of Ray and with two, and on paper what a million pairs cost.

It writes pairs of noise and tones, scores them in one process and with workers, in turns, sees that the bytes are
equal, and prints the figures of docs/howto/many_machines.md: medians. Prices are assumptions: pass your own.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile

RATE = 44_100
MILLION = 1_000_000
REQUESTS = 6
"""Requests that a pair of objects costs: each is asked about twice and fetched once, up to 8 MB."""
_RATE = re.compile(r"then ([\d.]+) a second; ([\d.]+) s of CPU each")


def write_pairs(folder: Path, count: int, seconds: float) -> Path:
    """Write stereo pairs of 44.1 kHz, and return their list."""
    rng, time = np.random.default_rng(0), np.arange(round(seconds * RATE)) / RATE
    lines = ["conditioning,accompaniment"]
    for number in range(count):
        for side in range(2):
            tone = 0.1 * np.sign(np.sin(2 * np.pi * 55 * (number % 12 + side + 2) * time)) * (np.sin(9 * time) > 0)
            samples = tone[:, None] + rng.normal(0, 0.02, (len(time), 2))
            soundfile.write(folder / f"{side}_{number}.flac", samples, RATE)
        lines.append(f"0_{number}.flac,1_{number}.flac")
    manifest = folder / "pairs.csv"
    manifest.write_text("\n".join(lines) + "\n")
    return manifest


def run(manifest: Path, out: Path, *options: str) -> str:
    """Score the pairs, and return what the command says."""
    command = [sys.executable, "-m", "cocola_metric", "score", "--pairs", str(manifest), "--out", str(out)]
    environment = os.environ | {"RAY_worker_niceness": "0"}  # by default 15: on a busy machine workers would starve
    done = subprocess.run([*command, *options], capture_output=True, text=True, env=environment)
    if done.returncode:
        sys.exit(done.stderr)
    return done.stderr


def core_seconds(manifest: Path, folder: Path, turn: int) -> float:
    """Return the CPU time of scoring the pairs in one process, beyond that of the first pair, in seconds."""
    first = folder / "first.csv"
    first.write_text("\n".join(manifest.read_text().splitlines()[:2]) + "\n")
    times = []
    for pairs, out in ((first, folder / f"one_{turn}.csv"), (manifest, folder / f"here_{turn}.csv")):
        before = os.times()
        run(pairs, out)
        after = os.times()
        times.append(after.children_user + after.children_system - before.children_user - before.children_system)
    return times[1] - times[0]


def measured(options: argparse.Namespace, folder: Path) -> tuple[float, dict[int, tuple[float, float]]]:
    """Return the CPU seconds of a pair in one process, and pairs per second and CPU seconds by number of workers."""
    manifest = write_pairs(folder, options.pairs, options.seconds)
    here: list[float] = []
    there: dict[int, list[tuple[float, float]]] = {workers: [] for workers in options.workers}
    for turn in range(options.times):
        here.append(core_seconds(manifest, folder, turn) / (options.pairs - 1))
        for workers, runs in there.items():
            out = folder / f"{workers}_{turn}.csv"
            said = run(manifest, out, "--engine", "ray", "--workers", str(workers))
            figures = _RATE.search(said)
            if figures is None or out.read_bytes() != (folder / f"here_{turn}.csv").read_bytes():
                sys.exit(f"{workers} workers: no rate, or other bytes\n{said}")
            runs.append((float(figures[1]), float(figures[2])))
    medians = {
        workers: (statistics.median(rate for rate, _ in runs), statistics.median(cpu for _, cpu in runs))
        for workers, runs in there.items()
    }
    return statistics.median(here), medians


def main() -> None:
    """Measure, and print the table and the costs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--pairs", type=int, default=200, metavar="N", help="pairs to score (default: 200)")
    parser.add_argument("--seconds", type=float, default=10.0, metavar="S", help="length of each audio (default: 10)")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2], help="numbers of workers (default: 1 2)")
    parser.add_argument("--times", type=int, default=3, metavar="N", help="runs of each kind (default: 3)")
    parser.add_argument("--core-hour", type=float, default=0.05, metavar="USD", help="price of a core hour (0.05)")
    parser.add_argument("--requests", type=float, default=0.4, metavar="USD", help="price of a million requests (0.4)")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as name:
        here, there = measured(options, Path(name))
    cpu = max([here, *(each for _, each in there.values())])
    hours = MILLION * cpu / 3600
    music = f"{options.pairs} pairs of {options.seconds:g} s of 44.1 kHz stereo FLAC"
    busy = f"load {load:.1f} to {os.getloadavg()[0]:.1f}"
    print(f"{music}, {options.times} runs in turns; {os.cpu_count()} cores, {busy}\n")
    print("| engine | pairs per second, as it ran | CPU for a pair | pairs per second, were a core free for each |")
    print("|---|---:|---:|---:|")
    print(f"| one process | | {here:.3f} s | {1 / here:.1f} |")
    for workers, (rate, each) in there.items():
        print(f"| `--engine ray --workers {workers}` | {rate:.1f} | {each:.3f} s | {workers / each:.1f} |")
    cost = hours * options.core_hour
    print(
        f"\nA million such pairs: {hours:.0f} core hours; at {options.core_hour:g} USD each (assumed) {cost:.2f} USD."
    )
    print(
        f"From addresses, {REQUESTS} million requests besides; at {options.requests:g} USD a million (assumed) "
        f"{REQUESTS * options.requests:.2f} USD."
    )


if __name__ == "__main__":
    main()
