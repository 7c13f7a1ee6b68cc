"""Files and folders that may not be read or written: one line that names them, and no other input is lost.

Root may read and write everything, so as root each command is started without that right (setpriv, of util-linux).
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

WITHOUT_RIGHTS = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
AS_ROOT = os.name == "posix" and os.geteuid() == 0

pytestmark = pytest.mark.skipif(
    os.name != "posix" or (AS_ROOT and shutil.which("setpriv") is None),
    reason="needs modes of POSIX, and as root setpriv: apt-get install util-linux",
)


@pytest.fixture
def folder(tmp_path: Path):
    """Audio that may be read, a file and two folders that may not, and a folder that may not be written."""
    for name in ("a.wav", "locked.wav", "closed/x.wav", "unlisted/x.wav", "mixed/a.wav", "mixed/b.wav", "real/a.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        soundfile.write(tmp_path / name, np.random.default_rng(0).uniform(-0.2, 0.2, 96_000), 16_000)
    shutil.copy(tmp_path / "real" / "a.wav", tmp_path / "real" / "b.wav")
    (tmp_path / "fixed").mkdir()
    (tmp_path / "fixed.csv").touch()
    (tmp_path / "locked.csv").touch()
    (tmp_path / "pairs.csv").write_text(
        "conditioning,accompaniment\na.wav,locked.wav\na.wav,closed/x.wav\na.wav,unlisted/x.wav\na.wav,a.wav\n"
    )
    modes = {"locked.wav": 0, "locked.csv": 0, "closed": 0, "unlisted": 0o311, "fixed": 0o555, "fixed.csv": 0o444}
    for name, mode in (modes | {"mixed/b.wav": 0}).items():
        (tmp_path / name).chmod(mode)
    yield tmp_path
    for name in modes:
        (tmp_path / name).chmod(0o755)


def run(folder: Path, package: str, *arguments: str) -> tuple[int, str, str]:
    command = [*(WITHOUT_RIGHTS if AS_ROOT else []), sys.executable, "-m", package, *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment, check=False)
    return done.returncode, done.stdout, done.stderr


CORE, TRAINING, BENCHMARKS = "cocola_metric", "cocola_metric.training", "cocola_metric.benchmarks"
REFUSED = [
    (CORE, "score a.wav locked.wav", "locked.wav cannot be read (Permission denied)"),
    (CORE, "score a.wav closed/x.wav", "closed/x.wav cannot be read (Permission denied)"),
    (CORE, "score closed closed --out o.csv", "closed cannot be listed (Permission denied)"),
    (CORE, "score unlisted unlisted --out o.csv", "unlisted cannot be listed (Permission denied)"),
    (CORE, "score --pairs locked.csv --out o.csv", "locked.csv cannot be read"),
    (CORE, "score --pairs pairs.csv --out fixed/o.csv", "fixed/o.csv: cannot be written: Permission denied"),
    (CORE, "score --pairs pairs.csv --out fixed/new/o.csv", "fixed/new: cannot be written: Permission denied"),
    (CORE, "score --pairs pairs.csv --out fixed.csv", "fixed.csv: cannot be written: it is write-protected"),
    (CORE, "score a.wav a.wav --model closed", "closed/encoder.onnx cannot be read (Permission denied)"),
    (CORE, "score a.wav a.wav --model closed/x.ckpt", "closed/x.ckpt cannot be read (Permission denied)"),
    (CORE, "compare locked.csv locked.csv", "locked.csv: cannot be read"),
    (CORE, "fad --generated real --reference closed", "closed cannot be listed (Permission denied)"),
    (CORE, "fad --generated real --reference real --save-reference fixed/r.npz", "fixed/r.npz: cannot be written"),
    (CORE, "convert locked.csv out", "locked.csv: cannot be read (Permission denied)"),
    (TRAINING, "train locked.csv --out run", "locked.csv"),
    (TRAINING, "train x.toml --out fixed/run", "fixed/run: cannot be written: Permission denied"),
    (TRAINING, "evaluate closed", "closed"),
    (TRAINING, "evaluate real --plot fixed/x.png", "fixed/x.png: cannot be written: Permission denied"),
    (BENCHMARKS, "queries closed --out q.jsonl", "closed"),
    (BENCHMARKS, "queries real --out fixed/q.jsonl", "fixed/q.jsonl: cannot be written: Permission denied"),
    (BENCHMARKS, "table3 --queries locked.csv --out t", "locked.csv"),
    (BENCHMARKS, "listening --scores locked.csv", "locked.csv"),
]


TRIED = [row for row in REFUSED if row[0] == CORE or os.environ.get("COCOLA_HOSTILE") == "full"]
"""Commands of the core; `make hostile` also tries those that take seconds to start."""


@pytest.mark.parametrize(("package", "command", "message"), TRIED, ids=[command for _, command, _ in TRIED])
def test_one_line_names_what_may_not_be_read_or_written(folder: Path, package: str, command: str, message: str):
    code, printed, messages = run(folder, package, *command.split())
    assert (code in (1, 2), printed, messages.count("\n")) == (True, "", 1), messages
    assert message in messages


def test_a_file_that_may_not_be_read_costs_its_own_pair(folder: Path):
    code, _, messages = run(folder, CORE, "score", "--pairs", "pairs.csv", "--out", "o.csv")
    assert code == 1 and messages.count("cannot be read (Permission denied)") == 2, messages
    rows = (folder / "o.csv").read_text().splitlines()[1:]
    assert ["Permission denied" in row for row in rows] == [True, True, False, False]


def test_a_cache_that_may_not_be_written_costs_the_cache(folder: Path):
    arguments = ("fad", "--generated", "mixed", "--reference", "real", "--cache", "fixed")
    code, printed, messages = run(folder, CORE, *arguments)
    assert code == 1 and '"failed": 1' in printed and '"tracks": 1' in printed, printed
    assert "mixed/b.wav cannot be read (Permission denied)" in messages
    assert not any((folder / "fixed").iterdir())
