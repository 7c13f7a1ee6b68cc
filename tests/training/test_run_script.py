"""training/offline/run.sh: in a checkout, with an interpreter that only takes notes, or fails where it is told to."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "training" / "offline" / "run.sh"
STUB = """#!/bin/bash
all="$*"
echo "${all//$'\\n'/ }" >>"$NOTES"
case "$all" in
    *"$FAILS"*) echo "no such thing"; exit 3 ;;
    *" render "*) mkdir -p corpora; echo '{}' >corpora/manifest.json ;;
    *"$SLEEPS"*) sleep 60 ;;
    *--out*) out=${all##*--out }; out=${out%% *}; mkdir -p "$out"; echo 1 >"$out/log.csv" ;;
esac
"""

pytestmark = pytest.mark.skipif(
    not shutil.which("bash") or os.uname().sysname != "Linux", reason="run.sh needs bash and GNU tools"
)


def run(folder: Path, *lanes: str, fails: str = "nothing", sleeps: str = "nothing", **environment: str):
    stub = folder / "python"
    stub.write_text(STUB)
    stub.chmod(0o755)
    given = {"PYTHON": str(stub), "NOTES": str(folder / "notes"), "WORK": str(folder / "work"), "SOURCES": str(folder)}
    return subprocess.run(
        ["bash", str(SCRIPT), str(folder / "results"), "600", "0.3", *lanes],
        env={**os.environ, **given, "FAILS": fails, "SLEEPS": sleeps, **environment},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


def test_every_corpus_is_rendered_and_every_lane_trained(tmp_path: Path) -> None:
    done = run(tmp_path, "ablation_none=embedded:3 moisesdb:1", "msdm_small:4", "componet_small:2")
    assert done.returncode == 0, done.stdout + done.stderr
    notes = (tmp_path / "notes").read_text()
    assert notes.count("cocola_metric.training render corpora") == 3 and notes.count("--hours 0.1 ") == 3
    assert "training train " + str(SCRIPT.parents[1] / "configs" / "embedded.toml") + " --set steps=1500" in notes
    assert "training train-msdm " in notes and "training train-componet-small " in notes
    assert (tmp_path / "results" / "moisesdb" / "log.csv").exists()
    assert done.stdout.splitlines()[-1].endswith("done")


def test_the_first_error_stops_all_lanes_and_nothing_is_called_done(tmp_path: Path) -> None:
    failed = run(tmp_path, "moisesdb:1 slakh2100:1", "msdm_small:4", fails="moisesdb.toml", sleeps="msdm_small.toml")
    log = (tmp_path / "results" / "job.log").read_text()
    assert failed.returncode == 1 and "failed: train moisesdb" in log and "no such thing" in failed.stdout
    assert log.splitlines()[-1].endswith("failed: a lane; all others were stopped") and "done" not in log
    assert "slakh2100" not in (tmp_path / "notes").read_text()


@pytest.mark.parametrize(
    ("lane", "environment", "message"),
    [
        ("moisesdb:1", {"fails": "render"}, "failed: render desk"),
        ("nowhere:1", {}, "failed: no configuration"),
        ("moisesdb:0", {"fails": "--minutes 0"}, "failed: train moisesdb"),
    ],
)
def test_an_error_before_training_ends_the_script(tmp_path: Path, lane: str, environment, message: str) -> None:
    failed = run(tmp_path, lane, **environment)
    assert failed.returncode == 1 and message in failed.stdout and "done" not in failed.stdout


def test_a_dry_run_prints_the_commands_and_runs_none(tmp_path: Path) -> None:
    printed = run(tmp_path, "ablation_places=embedded:3", DRY_RUN="1")
    assert printed.returncode == 0 and 'encoder.backbone="efficientnet_b0" --out runs/ablation_places' in printed.stdout
    assert not (tmp_path / "notes").exists() and printed.stdout.endswith("dry run: nothing was run\n")


def test_a_log_that_cannot_be_written_is_a_failure_too(tmp_path: Path) -> None:
    (tmp_path / "results" / "job.log").mkdir(parents=True)
    failed = run(tmp_path, "moisesdb:1")
    assert failed.returncode == 1 and "done" not in failed.stdout
