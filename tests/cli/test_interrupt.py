"""Ctrl-C while many pairs are scored: what is finished stays, and the same command goes on."""

import csv
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

RATE = 16_000
PAIRS, SECONDS = 60, 20  # several seconds of work, of which the test must not miss the end
PATIENCE = 120


def start(manifest: Path, out: Path) -> subprocess.Popen:
    command = [sys.executable, "-m", "cocola_metric", "score", "--pairs", str(manifest), "--out", str(out), "--json"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def rows(out: Path) -> list[dict[str, str]]:
    with out.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.usefixtures("ctrl_c")
def test_what_is_scored_stays_and_the_same_command_goes_on(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    for number in range(2):
        samples = 0.1 * generator.standard_normal(PAIRS * RATE + SECONDS * RATE)
        soundfile.write(tmp_path / f"{number}.wav", samples, RATE, subtype="PCM_16")
    lines = ["conditioning,accompaniment"]
    for number in range(PAIRS):
        for side in range(2):
            samples, _ = soundfile.read(tmp_path / f"{side}.wav", start=number * RATE, frames=SECONDS * RATE)
            soundfile.write(tmp_path / f"{side}_{number}.wav", samples, RATE, subtype="PCM_16")
        lines.append(f"0_{number}.wav,1_{number}.wav")
    manifest = tmp_path / "pairs.csv"
    manifest.write_text("\n".join(lines) + "\n")

    out = tmp_path / "scores.csv"
    broken = start(manifest, out)
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and broken.poll() is None and not (out.exists() and len(rows(out)) > 1):
        time.sleep(0.02)
    seen = len(rows(out))
    broken.send_signal(signal.SIGINT)
    printed, said = broken.communicate(timeout=PATIENCE)
    finished = rows(out)
    assert broken.returncode == 130 and printed == "" and "Traceback" not in said, f"{seen} rows, then {said}"
    assert "interrupted" in said and 0 < len(finished) < PAIRS

    again = start(manifest, out)
    printed, said = again.communicate(timeout=PATIENCE)
    assert again.returncode == 0, said
    whole = rows(out)
    assert [row["conditioning"] for row in whole] == [f"0_{number}.wav" for number in range(PAIRS)]
    assert {row["conditioning"]: row["score"] for row in finished}.items() <= {
        row["conditioning"]: row["score"] for row in whole
    }.items()
