"""The command line as a user meets it: JSON on stdout, messages on stderr, exit codes, and runs that go on."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from cocola_metric import CocolaScorer
from cocola_metric.cli import score

TOLERANCE = 1e-4
RATE = 16_000


@pytest.fixture
def songs(tmp_path: Path, data: Path) -> Path:
    """Two folders of three files with matching names, mixes/ and parts/."""
    for folder, source in (("mixes", "conditioning.flac"), ("parts", "accompaniment.flac")):
        (tmp_path / folder).mkdir()
        waveform, rate = soundfile.read(data / source, dtype="float32")
        for number in range(3):
            shifted = np.roll(waveform, number * rate // 3, axis=0)
            soundfile.write(tmp_path / folder / f"song{number}.wav", shifted, rate)
    return tmp_path


def run(*arguments: object, capsys) -> tuple[int, dict, str]:
    code = score.main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, json.loads(captured.out) if captured.out else {}, captured.err


def rows(file: Path) -> list[dict]:
    if file.suffix == ".csv":
        with file.open(newline="") as lines:
            return list(csv.DictReader(lines))
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_one_pair(data: Path, capsys) -> None:
    code, result, messages = run(data / "conditioning.flac", data / "accompaniment.mp3", capsys=capsys)
    scorer = CocolaScorer.from_pretrained()
    expected = scorer.score_windows(data / "conditioning.flac", data / "accompaniment.mp3")
    assert code == 0 and messages == ""
    readings = ["percentile", "likelihood", "anchored"]
    assert list(result) == ["score", *readings, "windows", "silent_windows", "echo", "noise", "signature"]
    assert result["score"] == pytest.approx(expected.mean, abs=TOLERANCE)
    assert [window["start"] for window in result["windows"]] == list(expected.starts)
    assert result["signature"] == scorer.signature


def test_a_fresh_process_prints_nothing_but_the_result(data: Path) -> None:
    command = [sys.executable, "-m", "cocola_metric", "score", data / "conditioning.flac", data / "accompaniment.wav"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert isinstance(json.loads(done.stdout)["score"], float)


def test_several_stems_a_side(songs: Path, capsys) -> None:
    stems = [songs / "mixes" / f"song{number}.wav" for number in range(2)]
    code, result, _ = run("-c", *stems, "-a", songs / "parts/song2.wav", capsys=capsys)
    expected = CocolaScorer.from_pretrained().score(stems, songs / "parts/song2.wav")
    assert code == 0 and result["score"] == pytest.approx(expected, abs=TOLERANCE)


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_folders_matched_by_name(songs: Path, suffix: str, capsys) -> None:
    out = songs / "new" / f"scores.{suffix}"
    code, result, _ = run(songs / "mixes", songs / "parts", "--out", out, capsys=capsys)
    written = rows(out)
    assert code == 0 and (result["pairs"], result["scored"], result["failed"]) == (3, 3, 0)
    assert [Path(row["conditioning"]).name for row in written] == ["song0.wav", "song1.wav", "song2.wav"]
    assert result["mean"] == pytest.approx(np.mean([float(row["score"]) for row in written]), abs=1e-4)
    alone = CocolaScorer.from_pretrained().score(songs / "mixes/song1.wav", songs / "parts/song1.wav")
    assert float(written[1]["score"]) == pytest.approx(alone, abs=TOLERANCE)
    assert {row["signature"] for row in written} == {result["signature"]}


def test_manifests_are_relative_and_may_name_stems(songs: Path, capsys) -> None:
    (songs / "pairs.csv").write_text(
        "id,conditioning,accompaniment\n1,mixes/song0.wav;mixes/song1.wav,parts/song0.wav\n"
    )
    (songs / "pairs.jsonl").write_text(
        json.dumps({"conditioning": ["mixes/song0.wav", "mixes/song1.wav"], "accompaniment": "parts/song0.wav"})
    )
    scores = []
    for kind in ("csv", "jsonl"):
        code, _, _ = run(
            "--pairs", songs / f"pairs.{kind}", "--out", songs / f"out_{kind}.jsonl", "--windows", capsys=capsys
        )
        assert code == 0
        [row] = rows(songs / f"out_{kind}.jsonl")
        assert len(row["scores"]) == row["windows"] == len(row["starts"])
        scores.append(row["score"])
    assert scores[0] == pytest.approx(scores[1], abs=TOLERANCE)


def test_a_bad_file_is_reported_skipped_and_tried_again(songs: Path, capsys) -> None:
    good = (songs / "parts/song1.wav").read_bytes()
    (songs / "parts/song1.wav").write_text("not audio")
    arguments = (songs / "mixes", songs / "parts", "--out", songs / "scores.csv")
    code, result, messages = run(*arguments, capsys=capsys)
    assert code == 1 and (result["scored"], result["failed"]) == (2, 1)
    assert "song1.wav" in messages and "cannot be read as audio" in messages
    assert "cannot be read" in rows(songs / "scores.csv")[1]["error"]
    (songs / "parts/song1.wav").write_bytes(good)
    code, result, _ = run(*arguments, capsys=capsys)
    assert code == 0 and (result["scored"], result["failed"]) == (3, 0)
    assert len(rows(songs / "scores.csv")) == 3


def test_strict_stops_at_a_bad_file(songs: Path, capsys) -> None:
    (songs / "parts/song1.wav").write_text("not audio")
    code, _, messages = run(songs / "mixes", songs / "parts", "--out", songs / "s.csv", "--strict", capsys=capsys)
    assert code == 1 and "stopped because of --strict" in messages
    assert [row["error"] != "" for row in rows(songs / "s.csv")] == [False, True]


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_an_interrupted_run_goes_on(songs: Path, suffix: str, capsys, monkeypatch) -> None:
    out = songs / f"scores.{suffix}"
    arguments = (songs / "mixes", songs / "parts", "--out", out)
    run(*arguments, capsys=capsys)
    complete = out.read_text()
    out.write_text(complete[:-20])  # killed while it wrote the third line
    scored = []
    iter_scores = CocolaScorer.iter_scores
    monkeypatch.setattr(
        CocolaScorer, "iter_scores", lambda self, pairs: iter_scores(self, (scored.append(p) or p for p in pairs))
    )
    code, result, _ = run(*arguments, capsys=capsys)
    assert code == 0 and result["scored"] == 3
    assert [Path(pair[0]).name for pair in scored] == ["song2.wav"]
    assert [row["accompaniment"] for row in rows(out)] == [str(songs / f"parts/song{n}.wav") for n in range(3)]
    run(*arguments, capsys=capsys)
    assert len(scored) == 1 and len(rows(out)) == 3


@pytest.mark.slow
def test_a_killed_process_loses_nothing(songs: Path) -> None:
    lines = [f"mixes/song{n % 3}.wav,parts/song{n // 3 % 3}.wav" for n in range(9)] * 60
    (songs / "pairs.csv").write_text("\n".join(["conditioning,accompaniment", *lines]) + "\n")
    out = songs / "scores.jsonl"
    command = [sys.executable, "-m", "cocola_metric", "score", "--pairs", songs / "pairs.csv", "--out", out]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not (out.exists() and out.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    before = rows_that_are_whole(out)
    subprocess.run(command, check=True, capture_output=True)
    after = rows(out)
    assert len(after) == len(lines)
    assert after[: len(before)] == before
    assert [f"{row['conditioning']},{row['accompaniment']}" for row in after] == lines


def rows_that_are_whole(file: Path) -> list[dict]:
    text = file.read_text()
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


def test_scores_of_another_recipe_are_not_mixed(songs: Path, capsys) -> None:
    arguments = (songs / "mixes", songs / "parts", "--out", songs / "scores.csv")
    run(*arguments, capsys=capsys)
    code, _, messages = run(*arguments, "--hop", 1, capsys=capsys)
    assert code == 2 and "holds scores of another recipe" in messages
    assert len(rows(songs / "scores.csv")) == 3


def test_ranking(songs: Path, capsys) -> None:
    candidates = [songs / "parts" / f"song{number}.wav" for number in range(3)]
    (songs / "broken.wav").write_text("")
    code, result, messages = run("rank", songs / "mixes/song0.wav", *candidates, songs / "broken.wav", capsys=capsys)
    scores = [entry["score"] for entry in result["ranking"]]
    assert code == 1 and result["failed"] == 1 and "broken.wav" in messages
    assert scores == sorted(scores, reverse=True)
    assert {entry["candidate"] for entry in result["ranking"]} == {str(path) for path in candidates}


def test_options_reach_the_scorer(data: Path, capsys) -> None:
    code, result, _ = run(
        data / "conditioning.flac",
        data / "accompaniment.flac",
        *("--mode", "harmonic", "--hop", 1, "--window", 4, "--batch-size", 2, "--device", "cpu"),
        capsys=capsys,
    )
    assert code == 0 and "|mode:harmonic|win:4.0|hop:1.0|" in result["signature"]
    assert [window["start"] for window in result["windows"]][:2] == [0.0, 1.0]


def test_plot(data: Path, tmp_path: Path, capsys) -> None:
    pytest.importorskip("matplotlib", reason="needs the extra [plot]")
    picture = tmp_path / "scores.png"
    code, _, _ = run(data / "conditioning.flac", data / "accompaniment.flac", "--plot", picture, capsys=capsys)
    assert code == 0 and picture.read_bytes().startswith(b"\x89PNG")
    single = picture.read_bytes()
    pair = data / "conditioning.flac", data / "accompaniment.flac"
    code, _, _ = run(*pair, "--plot", picture, "--plot-modes", capsys=capsys)
    assert code == 0 and picture.read_bytes() != single
    code, _, messages = run(*pair, "--plot-modes", capsys=capsys)
    assert code == 2 and "name the picture with --plot" in messages


def test_warnings_are_messages(data: Path, tmp_path: Path, capsys) -> None:
    soundfile.write(tmp_path / "short.wav", 0.1 * np.random.default_rng(0).standard_normal(3 * RATE), RATE)
    code, _, messages = run(data / "conditioning.flac", tmp_path / "short.wav", capsys=capsys)
    assert code == 0
    assert all(line.startswith("cocola-score: warning: ") for line in messages.splitlines())
    assert "shorter than the window" in messages and "only the common part is scored" in messages


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["a.wav"], 2, "the accompaniment must be named once"),
        (["a.wav", "b.wav", "-c", "c.wav"], 2, "the conditioning must be named once"),
        (["a.wav", "b.wav"], 1, "a.wav does not exist"),
        (["a.wav", "b.wav", "--out", "x.csv"], 2, "need many pairs"),
        (["--pairs", "none.csv", "--out", "x.csv"], 2, "none.csv: no such file"),
        (["--pairs", "{tmp}/text.csv", "--out", "x.csv"], 2, "no column 'conditioning'; columns are 'some', 'text'"),
        (["--pairs", "{tmp}/text.txt", "--out", "x.csv"], 2, "must name a file that ends in .csv, .tsv or .jsonl"),
        (["{tmp}/one", "{tmp}/one"], 2, "many pairs need --out"),
        (["{tmp}/one", "{tmp}/two", "--out", "x.csv"], 2, "do not match: a, b in only one of them"),
        (["{tmp}/one", "{tmp}/one", "--out", "{tmp}/x.txt"], 2, "must end in .csv or .jsonl"),
        (["a.wav", "b.wav", "--model", "nothing"], 2, "or a known name"),
        (["a.wav", "b.wav", "--hop", "0"], 2, "hop must be"),
        (["a.wav", "b.wav", "--device", "toaster"], 2, "toaster"),
        (["a.wav", "b.wav", "--batch-size", "0"], 2, "batch_size"),
    ],
)
def test_wrong_use(arguments: list[str], code: int, message: str, tmp_path: Path, capsys) -> None:
    for name in ("one/a.wav", "two/b.wav", "text.csv", "text.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("some,text\n1,2\n")
    given = [argument.format(tmp=tmp_path) for argument in arguments]
    assert score.main(given) == code
    captured = capsys.readouterr()
    assert message in captured.err and captured.out == ""


def test_help_and_version(capsys) -> None:
    for arguments in (["--help"], ["rank", "--help"], ["--version"]):
        with pytest.raises(SystemExit) as stop:
            score.main(arguments)
        assert stop.value.code == 0
    assert "cocola-metric 0." in capsys.readouterr().out


def test_unknown_options_are_usage_errors() -> None:
    with pytest.raises(SystemExit) as stop:
        score.main(["a.wav", "b.wav", "--loud"])
    assert stop.value.code == 2
