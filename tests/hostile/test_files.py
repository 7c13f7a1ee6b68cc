"""More than 500 bad audio files: each ends in a score or in one AudioError, soon and cheaply, and stops no other.

A few of them by default; all with `make hostile`.
"""

import json
import signal
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from bad_files import BROKEN, WHOLE, BadFile, encoded, write_bad_files

from cocola_metric import CocolaScorer
from cocola_metric.audio import AudioWarning
from cocola_metric.cli import score
from cocola_metric.errors import AudioError

SHARE = 8  # one file of so many by default
MOST_SECONDS = 10.0  # of the processor, a file
HANG = 120  # seconds after which a file that waits for something is given up
MOST_MEMORY = 1024  # MB beyond the imports and the encoder

pytestmark = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs POSIX signals, FIFOs and links")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bad")


@pytest.fixture(scope="module")
def files(folder: Path, in_full: bool) -> list[BadFile]:
    found = write_bad_files(folder)
    assert len(found) > 500
    strange = [file for file in found if not file.encoding or file.kind == "name"]
    return found if in_full else strange + [file for file in found if file not in strange][::SHARE]


@pytest.fixture(scope="module")
def scorer() -> CocolaScorer:
    return CocolaScorer.from_pretrained()


class GivenUp(BaseException):
    """Nothing may catch it."""


@contextmanager
def given_up() -> Iterator[None]:
    def stop(*_: object) -> None:
        raise GivenUp("it waits for something that does not come")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, HANG)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def peak_memory() -> float:
    """Return the most memory that this process has held, in MB; 0 where the system does not say."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)


def result_of(scorer: CocolaScorer, good: Path, path: Path) -> float | AudioError:
    with warnings.catch_warnings(), given_up():
        warnings.simplefilter("ignore", AudioWarning)
        warnings.simplefilter("error", RuntimeWarning)
        try:
            return scorer.score(good, path)
        except AudioError as error:
            return error


def test_each_ends_in_a_score_or_in_one_error(folder: Path, files: list[BadFile], scorer: CocolaScorer):
    good = folder / "good.flac"
    whole = {encoding: result_of(scorer, good, folder / f"good.{encoding}") for encoding in encoded()}
    memory = peak_memory()
    wrong: list[str] = []
    for file in files:
        start = time.process_time()
        result = result_of(scorer, good, file.path)
        used = time.process_time() - start
        problems = {
            f"{used:.1f} s": used > MOST_SECONDS,
            f"{result!r} instead of {whole.get(file.encoding)!r}": file.wanted == WHOLE
            and result != whole[file.encoding],
            f"{result!r} instead of an error": file.wanted == BROKEN and not isinstance(result, AudioError),
            f"a message that does not name it: {result}": isinstance(result, AudioError)
            and str(file.path) not in str(result)
            and "one side is silent" not in str(result),
        }
        wrong += [f"{file.kind} {file.path.name!r}: {problem}" for problem, is_one in problems.items() if is_one]
    assert not wrong, "\n".join(wrong)
    assert peak_memory() - memory < MOST_MEMORY


def test_one_bad_file_stops_no_other(folder: Path, files: list[BadFile], tmp_path: Path, capfd):
    """The command line scores what it can, names what it cannot, and every pair has its row."""
    names = [str(file.path) for file in files]
    rows = [{"conditioning": str(folder / "good.flac"), "accompaniment": [name]} for name in names]
    (tmp_path / "pairs.jsonl").write_text("\n".join(map(json.dumps, rows)))
    with given_up():
        code = score.main(["--pairs", str(tmp_path / "pairs.jsonl"), "--out", str(tmp_path / "scores.jsonl")])
    captured = capfd.readouterr()
    assert code == 1
    assert "Traceback" not in captured.err and "mpg123" not in captured.err
    scored = [json.loads(line) for line in (tmp_path / "scores.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(scored) == len(files)
    for file, row in zip(files, scored, strict=True):
        silent = "error" not in row and row["windows"] == row["silent_windows"]
        assert ("score" in row) + ("error" in row) + silent == 1, file
        assert ("score" in row, file.wanted) not in ((True, BROKEN), (False, WHOLE)), (file, row)
    printed = json.loads(captured.out)
    assert printed["pairs"] == len(files)
    assert printed["failed"] == sum("error" in row for row in scored)


@pytest.mark.parametrize("command", ["pair", "rank"])
def test_a_bad_file_on_the_command_line_is_one_message(command: str, folder: Path, files: list[BadFile], capfd):
    """Of every kind one file: the exit code is 1, one line says why."""
    broken = {file.kind: file for file in files if file.wanted == BROKEN and "\0" not in str(file.path)}
    for file in broken.values():
        arguments = [str(folder / "good.flac"), str(file.path)]
        with given_up():
            code = score.main(arguments if command == "pair" else ["rank", *arguments])
        captured = capfd.readouterr()
        assert code == 1, file
        errors = [line for line in captured.err.strip().splitlines() if "cocola-score: warning: " not in line]
        assert len(errors) == 1 and errors[0].startswith("cocola-score: "), (file, captured.err)
        assert (captured.out == "") == (command == "pair")
