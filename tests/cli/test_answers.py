"""What is printed: a table on a terminal, JSON elsewhere, CSV on request, and the same decimals everywhere."""

import argparse
import csv
import io
import json
import re
import sys
from pathlib import Path

import pytest
from known_references import known_reference

from cocola_metric import CocolaScorer, checkpoints
from cocola_metric.cli import score
from cocola_metric.cli.answers import Answer, as_text
from cocola_metric.reading import write_reference

ROOT = Path(__file__).parents[2]
FOUR_DECIMALS = re.compile(r"-?\d+\.\d{4}")


@pytest.fixture
def files(data: Path) -> list[str]:
    return [str(data / "conditioning.flac"), str(data / "accompaniment.flac")]


@pytest.fixture
def known(tmp_path: Path) -> list[str]:
    """A reference that a test knows, as an option."""
    sha256 = CocolaScorer.from_pretrained(reference=None).weights_sha256
    write_reference(known_reference(sha256), tmp_path / "known.json")
    return ["--reference", str(tmp_path / "known.json")]


def printed(*arguments: object, capsys, code: int = 0) -> str:
    assert score.main([str(argument) for argument in arguments]) == code
    return capsys.readouterr().out


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_table_and_a_pipe_json(files: list[str], known: list[str], capsys, monkeypatch) -> None:
    piped = json.loads(printed(*files, *known, capsys=capsys))
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    assert score.main([*files, *known]) == 0
    lines = dict(line.split(None, 1) for line in screen.getvalue().splitlines())
    assert list(lines) == ["score", "reading", "windows", "signature"]
    assert lines["score"] == f"{piped['score']:.4f}"
    assert "likely to belong together; higher than" in lines["reading"]
    assert lines["signature"] == piped["signature"]


@pytest.mark.parametrize("option", [("--json",), ("--format", "json")])
def test_json_on_request_also_on_a_terminal(files: list[str], option: tuple[str, ...], monkeypatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    assert score.main([*files, *option]) == 0
    assert isinstance(json.loads(screen.getvalue())["score"], float)


def test_csv_and_the_score_only(files: list[str], known: list[str], capsys) -> None:
    whole = json.loads(printed(*files, *known, capsys=capsys))
    [row] = csv.DictReader(io.StringIO(printed(*files, *known, "--format", "csv", capsys=capsys)))
    assert float(row["score"]) == whole["score"] and row["signature"] == whole["signature"]
    assert float(row["likelihood"]) == whole["likelihood"] and int(row["windows"]) == len(whole["windows"])
    assert printed(*files, "--score-only", capsys=capsys) == f"{whole['score']:.4f}\n"


def test_warnings_are_in_the_table_of_people_and_beside_json(files: list[str], capsys) -> None:
    echo = [files[0], files[0]]
    assert "warning    echo" in printed(*echo, "--format", "text", capsys=capsys)
    assert score.main(echo) == 0
    assert "echo" in capsys.readouterr().err


def test_quiet_leaves_out_warnings_and_keeps_errors(files: list[str], capsys) -> None:
    assert score.main([files[0], files[0], "--quiet"]) == 0
    captured = capsys.readouterr()
    assert captured.err == "" and json.loads(captured.out)["echo"] > 0.9
    assert "warning" not in printed(files[0], files[0], "--quiet", "--format", "csv", capsys=capsys)
    assert "\nwarning" not in printed(files[0], files[0], "--quiet", "--format", "text", capsys=capsys)
    assert score.main([files[0], "missing.wav", "--quiet"]) == 1
    assert "missing.wav does not exist" in capsys.readouterr().err


def decimals(values: object) -> set[int]:
    """How many decimals the numbers of a JSON value have at most."""
    if isinstance(values, dict):
        return set().union(*(decimals(value) for value in values.values()))
    if isinstance(values, list):
        return set().union(*map(decimals, values)) if values else set()
    return {len(repr(values).partition(".")[2])} if isinstance(values, float) else set()


def test_numbers_have_four_decimals_everywhere(files: list[str], known: list[str], tmp_path: Path, capsys) -> None:
    pairs, out = tmp_path / "pairs.csv", tmp_path / "scores.jsonl"
    pairs.write_text("conditioning,accompaniment\n" + f"{files[0]},{files[1]}\n{files[1]},{files[0]}\n")
    commands = [
        [*files, *known],
        ["--pairs", pairs, "--out", out, "--windows", *known],
        ["rank", files[0], files[1], *known],
    ]
    for command in commands:
        found = decimals(json.loads(printed(*command, capsys=capsys)))
        assert found and max(found) <= 4
    assert max(set().union(*(decimals(json.loads(line)) for line in out.read_text().splitlines()))) <= 4
    alone = json.loads(printed(*files, *known, capsys=capsys))
    ranked = json.loads(printed("rank", *files, *known, capsys=capsys))["ranking"][0]
    row = json.loads(out.read_text().splitlines()[0])
    for name in ("score", "percentile", "likelihood", "anchored"):
        assert alone[name] == ranked[name] == row[name]
    text = printed("rank", *files, *known, "--format", "text", capsys=capsys)
    assert f"{alone['score']:.4f}" in text and FOUR_DECIMALS.search(text)


@pytest.fixture
def loops(data: Path, tmp_path: Path) -> Path:
    """A folder of three candidates, and of a file that is no audio."""
    folder = tmp_path / "loops"
    folder.mkdir()
    for name, source in (
        ("a.flac", "accompaniment.flac"),
        ("b.flac", "conditioning.flac"),
        ("c.mp3", "accompaniment.mp3"),
    ):
        (folder / name).write_bytes((data / source).read_bytes())
    (folder / "notes.txt").write_text("no audio")
    return folder


def test_candidates_of_a_folder_and_the_first_of_them(files: list[str], loops: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "new" / "ranking.csv"
    result = json.loads(printed("rank", files[0], loops, "--top", 2, "--out", out, capsys=capsys))
    assert len(result["ranking"]) == 2 and result["scored"] == 3
    rows = list(csv.DictReader(out.open(encoding="utf-8")))
    assert [row["rank"] for row in rows] == ["1", "2", "3"]
    assert [row["candidate"] for row in rows][:2] == [entry["candidate"] for entry in result["ranking"]]
    assert {Path(row["candidate"]).name for row in rows} == {"a.flac", "b.flac", "c.mp3"}
    text = printed("rank", files[0], loops, "--top", 1, "--format", "csv", capsys=capsys)
    assert len(text.splitlines()) == 2 and text.startswith("rank,candidate,score,")
    assert len(printed("rank", files[0], loops, "--score-only", capsys=capsys).splitlines()) == 3


def test_stems_of_both_sides_of_a_ranking(files: list[str], capsys) -> None:
    summed = CocolaScorer.from_pretrained().score(files, files)
    result = json.loads(printed("rank", "-c", *files, "-a", ";".join(files), files[1], capsys=capsys))
    scores = {entry["candidate"]: entry["score"] for entry in result["ranking"]}
    assert scores[";".join(files)] == pytest.approx(summed, abs=1e-4)
    assert result["conditioning"] == ";".join(files)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rank"], "rank needs a conditioning"),
        (["rank", "a.wav"], "rank needs candidates"),
        (["rank", "a.wav", "b.wav", "--top", "0"], "--top must be 1 or more; got 0"),
        (["rank", "a.wav", "b.wav", "--out", "x.txt"], "--out must end in .csv; got x.txt"),
        (["a.wav", "b.wav", "--anchor"], "--anchor shuffles many pairs"),
    ],
)
def test_wrong_use(arguments: list[str], message: str, capsys) -> None:
    assert score.main(arguments) == 2
    captured = capsys.readouterr()
    assert message in captured.err and captured.out == ""


def test_bibtex_of_paper_package_and_encoder(capsys) -> None:
    text = printed("--citation", capsys=capsys)
    entries = re.findall(r"^@(\w+)\{(\w+),", text, re.MULTILINE)
    assert [key for _, key in entries] == ["ciranni2024cocola", "cocola_metric", "cocola_encoder_embedded"]
    assert CocolaScorer.from_pretrained().signature.replace("_", r"\_") in text
    paper, package, _ = text.split("\n\n")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert paper in readme and package in readme


def test_an_encoder_of_others_is_cited_as_theirs() -> None:
    from cocola_metric.cli.citation import _encoder

    assert checkpoints.CHECKPOINTS["phalar"].published is not None
    entry = _encoder("phalar", "COCOLA|model:phalar")
    assert "arXiv 2605.03929" in entry and "https://github.com/gladia-research-group/phalar" in entry


def test_an_answer_without_words_of_its_own_has_its_values() -> None:
    answer = Answer({"name": "a\x1b[1m", "mean": 0.123456, "none": None, "list": [1]})
    assert as_text(answer, argparse.Namespace(format="text")) == "name  a\\x1b[1m\nmean  0.1235\nnone  -"
    assert as_text(answer, argparse.Namespace(format="csv")).splitlines()[0] == "name,mean,none"
