"""The commands of the three packages: their tables, what --help needs, and extras that are not installed."""

import argparse
import errno
import importlib
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from cocola_metric import dispatch
from cocola_metric.errors import UsageError

PACKAGES = ("cocola_metric", "cocola_metric.training", "cocola_metric.benchmarks")
TABLES = {package: importlib.import_module(f"{package}.__main__").COMMANDS for package in PACKAGES}
ROWS = [(package, command) for package, table in TABLES.items() for command in table]
HEAVY = ["diffusers", "matplotlib", "numpy", "scipy", "soundfile", "timm", "torch", "torchaudio"]
EXTRAS = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"][
    "optional-dependencies"
]
PROJECTS = {"yaml": "pyyaml", "sklearn": "scikit-learn"}  # where the import name is another
HELP = """
import importlib, json, sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {hidden!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Hidden())
commands = importlib.import_module({package!r} + ".__main__").COMMANDS
from cocola_metric.dispatch import run
try:
    run({package!r}, commands, {arguments!r})
except SystemExit as end:
    code = end.code
print(json.dumps([code, sorted({heavy!r} & set(sys.modules))]))
"""


def start(package: str, *arguments: str, hidden: set[str]) -> subprocess.CompletedProcess[str]:
    """Run a command where some packages are not installed; its last line says the exit code and what was imported."""
    code = HELP.format(package=package, arguments=list(arguments), hidden=hidden, heavy=set(HEAVY))
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)


@pytest.mark.parametrize(("package", "command"), ROWS, ids=lambda part: part.rpartition(".")[2])
def test_help_needs_neither_torch_nor_an_extra(package: str, command: str) -> None:
    ended = start(package, command, "--help", hidden=set(dispatch.EXTRAS))
    *printed, told = ended.stdout.splitlines()
    assert json.loads(told) == [0, []]
    assert printed[0].startswith(
        ("usage: python -m " + package + " " + command, "usage: cocola-" + command, "usage: cocola-score " + command)
    )
    assert "options:" in printed


@pytest.mark.parametrize("package", PACKAGES)
def test_without_a_command_they_are_listed(package: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch.run(package, TABLES[package], []) == 0
    printed = capsys.readouterr().out
    assert all(row.summary in printed and f"  {name} " in printed for name, row in TABLES[package].items())


def test_a_name_that_is_no_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch.run("cocola_metric", TABLES["cocola_metric"], ["sing"]) == 2
    assert capsys.readouterr().err == "command must be one of score, compare, fad, examples, convert; got 'sing'\n"


@pytest.mark.parametrize(
    ("command", "missing"),
    [
        (["train", "config.toml", "--out", "run"], "accelerate"),
        (["train-msdm", "config.toml", "--out", "run"], "accelerate"),
        (["train-gmsdi", "config.toml", "--out", "run"], "accelerate"),
        (["train-componet", "config.toml", "--out", "run"], "accelerate"),
        (["train-componet-small", "config.toml", "--out", "run"], "accelerate"),
    ],
    ids=lambda part: part[0] if isinstance(part, list) else part,
)
def test_a_missing_extra_is_named(command: list[str], missing: str) -> None:
    ended = start("cocola_metric.training", *command, hidden={missing})
    assert json.loads(ended.stdout)[0] == 1
    assert ended.stderr == (f"{command[0]}: {missing} is not installed; run pip install 'cocola-metric[train]'\n")


@pytest.mark.parametrize(
    ("command", "missing", "extra"),
    [
        (["training", "evaluate", "--table2", "embedded", "--test", "nowhere"], "sklearn", "train"),
        (["training", "evaluate", "--validity", "embedded", "--test", "nowhere"], "sklearn", "train"),
        (["training", "evaluate", "nowhere", "--plot", "a.png"], "matplotlib", "plot"),
        (["benchmarks", "table3", "--queries", "nowhere", "--out", "out", "--generators", "echo"], "jinja2", "bench"),
        (["benchmarks", "fad-behaviour", "nowhere", "--plot", "a.png"], "matplotlib", "plot"),
    ],
    ids=lambda part: " ".join(part[1:3]) if isinstance(part, list) else part,
)
def test_an_extra_that_is_needed_at_the_end_is_named_before_any_music_is_read(
    command: list[str], missing: str, extra: str
) -> None:
    package, *arguments = command
    ended = start(f"cocola_metric.{package}", *arguments, hidden={missing})
    assert json.loads(ended.stdout)[0] == 1
    assert ended.stderr.startswith(f"{command[1]}: ") and "nowhere" not in ended.stderr
    assert missing in ended.stderr and f"pip install 'cocola-metric[{extra}]'" in ended.stderr


@pytest.mark.parametrize(("name", "extra"), dispatch.EXTRAS.items())
def test_extras_install_what_they_are_named_for(name: str, extra: str) -> None:
    project = PROJECTS.get(name, name)
    wanted = {project.lower().replace("_", "-")}
    assert wanted & {requirement.partition(">")[0].partition("[")[0].replace("_", "-") for requirement in EXTRAS[extra]}


def test_a_package_of_no_extra_keeps_its_error() -> None:
    with pytest.raises(ModuleNotFoundError, match="nobody"), dispatch.reporting(argparse.ArgumentParser()):
        raise ModuleNotFoundError("No module named 'nobody'", name="nobody")


def test_what_goes_wrong_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    parser = dispatch.new_parser("cocola_metric.training", "train", "Train.")
    with pytest.raises(SystemExit, match="1"), dispatch.reporting(parser):
        raise UsageError("steps must be 1 or more; got 0")
    with pytest.raises(SystemExit, match="130"), dispatch.reporting(parser, interrupted="start again"):
        raise KeyboardInterrupt
    assert capsys.readouterr().err == "train: steps must be 1 or more; got 0\ntrain: interrupted; start again\n"


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (KeyboardInterrupt(), 130, "train: interrupted; what is finished stays\n"),
        (OSError(errno.ENOSPC, "No space left on device"), 1, "train: No space left on device; free some space, and"),
        (UsageError("\x1b[31m.wav"), 1, "train: \\x1b[31m.wav\n"),
    ],
)
def test_what_ends_a_command_is_one_line(error: BaseException, code: int, message: str, capsys) -> None:
    with pytest.raises(SystemExit) as stop, dispatch.reporting(dispatch.new_parser("p", "train", "")):
        raise error
    assert stop.value.code == code
    assert capsys.readouterr().err.startswith(message)


def test_other_errors_of_the_system_keep_their_traceback() -> None:
    with pytest.raises(FileNotFoundError), dispatch.reporting(dispatch.new_parser("p", "train", "")):
        raise FileNotFoundError(errno.ENOENT, "x")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
def test_a_result_that_does_not_arrive_is_told() -> None:
    code = """
import sys
from cocola_metric import dispatch
sys.modules["p"] = sys.modules["p.m"] = sys.modules[__name__]
def say(arguments):
    with dispatch.reporting(dispatch.new_parser("p", "say", "")):
        print("x" * int(arguments[0]))
sys.exit(dispatch.run("p", {"say": dispatch.Command("m", "")}, sys.argv[1:]))
"""
    command = ["sh", "-c", 'exec "$0" -c "$1" say "$2" >/dev/full', sys.executable, code, "5"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert done.stderr == "say: No space left on device; free some space, and start again; finished work stays\n"
    command = ["sh", "-c", 'exec "$0" -c "$1" say "$2" >&-', sys.executable, code, "5"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (1, "say: stdout is closed; send it to a file, or to /dev/null\n")
    command = ["sh", "-c", '"$0" -c "$1" say "$2" | head -c 1', sys.executable, code, "9000"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "x")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
@pytest.mark.parametrize("place", [">/dev/full", ">&-"])
@pytest.mark.parametrize(
    "command", ["cocola_metric.benchmarks table1", "cocola_metric compare {one} {one}", "cocola_metric --help"]
)
def test_a_table_that_does_not_arrive_is_no_traceback(tmp_path: Path, command: str, place: str) -> None:
    (tmp_path / "one.csv").write_text(
        "conditioning,accompaniment,score,windows,silent_windows,error,content,signature\n"
        + "".join(f"{name},b,{number},1,0,,,COCOLA|v:1\n" for number, name in enumerate("acd"))
    )
    words = command.format(one=tmp_path / "one.csv").split()
    done = subprocess.run(
        ["sh", "-c", f'exec "$0" -m "$@" {place}', sys.executable, *words], capture_output=True, text=True, timeout=120
    )
    assert "Traceback" not in done.stderr and done.stderr.count("\n") <= 1
    assert done.returncode in ((0, 1) if "--help" in command else (1, 2))
