"""Whatever a command writes to is tried before any work is done: nothing is computed for a file that cannot be kept."""

import argparse
import importlib
from pathlib import Path

import pytest

from cocola_metric.cli.program import local

PACKAGES = ("cocola_metric", "cocola_metric.training", "cocola_metric.benchmarks")
ROWS = [
    (package, command) for package in PACKAGES for command in importlib.import_module(f"{package}.__main__").COMMANDS
]
READ = {
    *("conditioning", "accompaniment", "candidates", "files", "checkpoint", "config", "corpus", "runs"),
    *("--conditioning", "--accompaniment", "--generated", "--reference", "--weights", "--sources", "--maps", "--head"),
    *("head", "cosine", "bilinear", "--pairs", "--queries", "--scores", "--ratings", "--check", "--start-from"),
    "--anchor-pairs",
}
"""Options and arguments that are read."""
FORGIVING = {("fad", "--cache"), ("score", "--cache"), ("fad-behaviour", "folder")}
"""Written to, but the run does without it; or read."""
SUFFIXES = {"--plot": ".png", "--save-reference": ".npz", ("score", "--out"): ".csv"}
RUNS = ["missing.toml", "--out", "run"]
NEEDED = {
    "score": ["a.wav", "b.wav", "--model", "missing/"],
    "fad": ["--generated", "missing", "--reference", "missing"],
    "convert": ["pairs.csv"],
    "examples": [],
    "render": ["--sources", "missing"],
    "sources": [],
    "train": RUNS,
    "maps": RUNS,
    "hear-noise": [*RUNS, "--encoder", "missing/"],
    "bleed": ["missing/", "--test", "missing"],
    "train-head": [*RUNS, "--maps", "missing"],
    "join-head": ["missing", "missing", "--maps", "missing", "--out", "run"],
    "evaluate": ["--table2", "missing/", "--test", "missing"],
    "compare": ["missing/", "missing2/", "--test", "missing"],
    "reference": ["missing/", "missing", "--test", "missing"],
    "figure4": ["missing", "missing"],
    "train-msdm": RUNS,
    "train-gmsdi": RUNS,
    "train-componet": RUNS,
    "train-componet-small": RUNS,
    "queries": ["missing"],
    "export": ["--queries", "missing.jsonl"],
    "generate": ["--queries", "missing.jsonl", "--generator", "noise"],
    "table1": ["--queries", "missing.jsonl"],
    "table3": ["--queries", "missing.jsonl"],
    "fad-behaviour": ["missing"],
    "guidance": ["--queries", "missing.jsonl", "--systems", "AG/noise=noise"],
}
"""What each command needs beside the option in question; none of it is there."""


class Found(Exception):
    """A parser, caught before it parses."""


def path_options(package: str, command: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    def caught(parser: argparse.ArgumentParser, *_: object) -> None:
        raise Found(parser)

    with monkeypatch.context() as patched, pytest.raises(Found) as found:
        patched.setattr(argparse.ArgumentParser, "parse_args", caught)
        start(package, command, [])
    actions = found.value.args[0]._actions
    return [(action.option_strings or [action.dest])[-1] for action in actions if action.type in (Path, local)]


def start(package: str, command: str, arguments: list[str]) -> int | None:
    row = importlib.import_module(f"{package}.__main__").COMMANDS[command]
    main = getattr(importlib.import_module(f".{row.module}", package), row.function or command.replace("-", "_"))
    return main(arguments)


@pytest.mark.parametrize(("package", "command"), ROWS, ids=lambda part: part.rpartition(".")[2])
def test_a_place_that_cannot_be_written_is_refused_before_any_work(
    package: str,
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nothing that the work needs is there, so a message about the place shows that it comes first."""
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("no folder")
    Path("pairs.csv").write_text("conditioning,accompaniment\na.wav,b.wav\n")
    for option in path_options(package, command, monkeypatch):
        if option in READ or (command, option) in FORGIVING:
            continue
        place = f"file/results{SUFFIXES.get((command, option)) or SUFFIXES.get(option, '')}"
        needed = (
            ["--pairs", "pairs.csv", "--model", "missing/"]
            if (command, option) == ("score", "--out")
            else NEEDED[command]
        )
        try:
            code = start(package, command, [*needed, *([option] if option.startswith("-") else []), place])
        except SystemExit as end:
            code = end.code
        message = capsys.readouterr().err
        assert code in (1, 2) and message.count("\n") == 1, message
        assert f"{command}: file" in message.removeprefix("cocola-"), message
