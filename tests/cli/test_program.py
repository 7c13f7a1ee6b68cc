"""Whatever stdout and stderr are, a result is printed whole, or its loss is told."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PRINT = """
import sys
from cocola_metric.cli import program
from cocola_metric.cli.answers import Answer
from cocola_metric.errors import UsageError
def command():
    {body}
sys.exit(program.run("cocola-x", command, bad_input=UsageError, unfinished="nothing"))
"""
RESULT = 'return Answer({"score": float("nan"), "windows": [float("inf"), 1.5]})'
posix = pytest.mark.skipif(os.name != "posix", reason="redirections of a POSIX shell")


def shell(redirection: str, body: str = RESULT) -> "subprocess.CompletedProcess[str]":
    command = ["sh", "-c", f'exec "$0" -c "$1" {redirection}', sys.executable, PRINT.format(body=body)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


@posix
def test_no_nan_in_json() -> None:
    assert json.loads(shell("").stdout) == {"score": None, "windows": [None, 1.5]}


@posix
def test_a_closed_stdout_is_told() -> None:
    done = shell(">&-")
    assert done.returncode == 2
    assert (
        done.stderr == "cocola-x: stdout is closed, the result cannot be printed; send it to a file, or to /dev/null\n"
    )


@posix
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
def test_a_full_stdout_is_told_once() -> None:
    done = shell(">/dev/full")
    assert done.returncode == 2
    assert done.stderr == "cocola-x: the result cannot be printed (No space left on device); send it elsewhere\n"


@posix
def test_a_closed_stderr_leaves_the_result_alone() -> None:
    done = shell(
        "2>&-",
        'import warnings; from cocola_metric.audio import AudioWarning; warnings.warn("w", AudioWarning); ' + RESULT,
    )
    assert done.returncode == 0
    assert json.loads(done.stdout)["windows"] == [None, 1.5]
    assert shell("2>&-", 'raise UsageError("x")').stdout == ""


@posix
def test_a_name_in_a_message_cannot_steer_the_terminal() -> None:
    done = shell("", r'raise UsageError("\x1b]0;owned\x07 \u202e.wav")')
    assert done.stderr == "cocola-x: \\x1b]0;owned\\x07 \\u202e.wav\n"


def test_a_picture_that_cannot_be_drawn_is_told_before_the_model_is_loaded(
    tmp_path: Path, data: Path, capsys, monkeypatch
) -> None:
    pytest.importorskip("matplotlib", reason="needs the extra [plot]")
    from cocola_metric import CocolaScorer
    from cocola_metric.cli import score

    files = [str(data / name) for name in ("conditioning.flac", "accompaniment.flac")]
    monkeypatch.setattr(CocolaScorer, "from_pretrained", lambda *_, **__: pytest.fail("the model was loaded"))
    for name, problem in (("missing/p.png", "its folder does not exist"), ("p.xyz", "must end in .png")):
        assert score.main([*files, "--plot", str(tmp_path / name)]) == 2
        assert problem in capsys.readouterr().err


def test_a_picture_that_fails_costs_no_score(tmp_path: Path, data: Path, capsys, monkeypatch) -> None:
    pytest.importorskip("matplotlib", reason="needs the extra [plot]")
    from cocola_metric import plot
    from cocola_metric.cli import score
    from cocola_metric.errors import OutputError

    def fail(*_: object, **__: object) -> None:
        raise OutputError("no space left")

    monkeypatch.setattr(plot, "plot_scores", fail)
    files = [str(data / name) for name in ("conditioning.flac", "accompaniment.flac")]
    assert score.main([*files, "--plot", str(tmp_path / "p.png")]) == 2
    captured = capsys.readouterr()
    assert json.loads(captured.out)["score"] and "no space left" in captured.err


@posix
@pytest.mark.parametrize(
    "body",
    [
        'raise ModuleNotFoundError("No module named \'ray.data\'", name="ray.data")',
        "from cocola_metric.dispatch import missing_extra; raise missing_extra(ModuleNotFoundError(name='ray'))",
    ],
    ids=["not found", "told"],
)
def test_a_missing_extra_is_named_in_one_line(body: str) -> None:
    done = shell("", body)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == "cocola-x: ray is not installed; run pip install 'cocola-metric[scale]'\n"


@posix
def test_a_missing_package_of_no_extra_is_a_bug_and_keeps_its_traceback() -> None:
    done = shell("", 'raise ModuleNotFoundError("No module named \'unheard_of\'", name="unheard_of")')
    assert "Traceback" in done.stderr and "unheard_of" in done.stderr
