"""--engine ray with Ray itself: the bytes of one process, whoever is killed; nothing is left running."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pair_lists import write_pairs
from s3_server import BUCKET, serving_s3, settings

from cocola_metric.cli.score_rows import COLUMNS

pytest.importorskip("ray", reason="Ray is not installed: pip install 'cocola-metric[scale]'")
pytestmark = pytest.mark.slow

PAIRS = 96
PATIENCE = 300  # seconds; a run that takes longer hangs
SPREAD = ("--engine", "ray", "--workers", "2")


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pairs(tmp_path_factory.mktemp("pairs"), PAIRS)


@pytest.fixture(scope="module")
def here(manifest: Path) -> bytes:
    """The score file of one process."""
    out = manifest.parent / "here.csv"
    _, said = start(manifest, out).communicate(timeout=PATIENCE)
    assert "Traceback" not in said, said
    return out.read_bytes()


def start(manifest: Path, out: Path, *options: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "cocola_metric", "score", "--pairs", str(manifest), "--out", str(out), "--json"]
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([*command, *options], text=True, env=environment, **pipes)


def rows(out: Path) -> int:
    with out.open(newline="") as file:
        return len(list(csv.reader(file))) - 1


def wait_for_rows(run: "subprocess.Popen[str]", out: Path, count: int = 1) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and run.poll() is None and not (out.exists() and rows(out) >= count):
        time.sleep(0.05)


def descendants(parent: int) -> dict[int, str]:
    """Return the numbers and names of the processes below one, as Linux tells them."""
    parents, names = {}, {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            number, _, rest = status.read_text().partition(" (")
        except OSError:
            continue
        name, _, fields = rest.rpartition(") ")
        parents[int(number)], names[int(number)] = int(fields.split()[1]), name
    found = {parent}
    while new := {number for number, above in parents.items() if above in found} - found:
        found |= new
    return {number: names[number] for number in found - {parent}}


needs_linux = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds workers in Linux's /proc")


@needs_linux
def test_a_worker_killed_in_the_middle_changes_no_byte(manifest: Path, here: bytes, tmp_path: Path) -> None:
    out = tmp_path / "there.csv"
    run = start(manifest, out, *SPREAD)
    wait_for_rows(run, out)
    workers = [number for number, name in descendants(run.pid).items() if name.startswith("ray::Worker")]
    assert workers and 0 < rows(out) < PAIRS  # rows are there while it works
    os.kill(workers[0], signal.SIGKILL)
    printed, said = run.communicate(timeout=PATIENCE)
    assert run.returncode == 1, said  # one file is damaged
    assert out.read_bytes() == here
    assert json.loads(printed)["scored"] == PAIRS - 2 and "1 died and were replaced" in said


@needs_linux
@pytest.mark.usefixtures("ctrl_c")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_is_stopped_leaves_no_process_and_goes_on(
    manifest: Path, here: bytes, tmp_path: Path, how: signal.Signals
) -> None:
    out = tmp_path / "there.csv"
    run = start(manifest, out, *SPREAD)
    wait_for_rows(run, out)
    started = descendants(run.pid)
    run.send_signal(how)
    printed, said = run.communicate(timeout=PATIENCE)
    assert printed == "" and "Traceback" not in said, said
    if how == signal.SIGINT:
        assert run.returncode == 130 and "goes on from here" in said, said
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and any(Path(f"/proc/{number}/cmdline").exists() for number in started):
        time.sleep(0.1)
    assert not [name for number, name in started.items() if Path(f"/proc/{number}").exists()]
    finished = rows(out)
    assert 0 < finished < PAIRS
    again = start(manifest, out, *SPREAD)
    printed, said = again.communicate(timeout=PATIENCE)
    assert again.returncode == 1 and out.read_bytes() == here, said
    assert json.loads(printed)["reused"] >= finished - 1


def test_a_frechet_distance_is_the_same(manifest: Path, tmp_path: Path) -> None:
    for side, name in enumerate(("generated", "reference")):
        (tmp_path / name).mkdir()
        for number in range(20, 28):
            os.link(manifest.parent / f"{side}_{number}.wav", tmp_path / name / f"{number}.wav")
    command = [sys.executable, "-m", "cocola_metric", "fad", "--no-cache", "--per-song"]
    command += ["--generated", str(tmp_path / "generated"), "--reference", str(tmp_path / "reference")]
    there, here = (
        subprocess.run([*command, *options], capture_output=True, text=True, timeout=PATIENCE)
        for options in (SPREAD, ())
    )
    assert there.returncode == here.returncode == 0, there.stderr
    assert there.stdout == here.stdout and "ray embedded 16 mixes with 2 workers" in there.stderr


def test_no_cluster_is_one_line(manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = ["--pairs", str(manifest), "--out", str(tmp_path / "out.csv"), *SPREAD]
    environment = os.environ | {"RAY_ADDRESS": "127.0.0.1:1"}
    done = subprocess.run(
        [sys.executable, "-m", "cocola_metric", "score", *command],
        capture_output=True,
        text=True,
        env=environment,
        timeout=PATIENCE,
    )
    (line,) = done.stderr.splitlines()
    assert done.returncode == 2
    assert line.startswith("cocola-score: no Ray cluster answers at RAY_ADDRESS=127.0.0.1:1 ("), line


def test_workers_read_from_s3(manifest: Path, here: bytes, tmp_path: Path) -> None:
    with serving_s3() as bucket:
        bucket.put({f"many/{file.name}": file.read_bytes() for file in manifest.parent.glob("*.wav")})
        bucket.put({"many/pairs.csv": manifest.read_bytes()})
        command = ["--pairs", f"s3://{BUCKET}/many/pairs.csv", "--out", str(tmp_path / "out.csv"), *SPREAD]
        done = subprocess.run(
            [sys.executable, "-m", "cocola_metric", "score", *command],
            capture_output=True,
            text=True,
            env={name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"} | settings(bucket.url),
            timeout=PATIENCE,
        )
    assert done.returncode == 1, done.stderr
    there, expected = (
        [row[: COLUMNS.index("error")] for row in csv.reader(text.splitlines())]
        for text in ((tmp_path / "out.csv").read_text(), here.decode())
    )
    assert there == expected  # the error and the content of a file name its place
