"""The score file: found by content, one run at a time, never somebody else's, whole again after any damage."""

import csv
import json
import multiprocessing
import os
import random
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from filelock import FileLock

from cocola_metric.cli import score
from cocola_metric.cli.pairs import Pair
from cocola_metric.cli.score_file import ScoreFile
from cocola_metric.cli.score_rows import COLUMNS
from cocola_metric.errors import CocolaError, OutputError, UsageError
from cocola_metric.scorer import CocolaScorer, WindowScores

SIGNATURE = "COCOLA|model:embedded|weights:12345678|mode:both|win:5.0|hop:2.5|sr:16000|v:0.1.0"
RATE = 16_000


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture
def pairs(tmp_path: Path) -> list[Pair]:
    """Five pairs of files whose content nobody reads but to tell them apart."""
    made = []
    for number in range(5):
        names = f"left{number}.wav", f"right{number}.wav"
        for name in names:
            (tmp_path / name).write_text(f"content of {name}")
        made.append(Pair(tmp_path / names[0], tmp_path / names[1], *names))
    return made


def scores_of(pair: Pair) -> WindowScores:
    """Stand in for a scorer: a score that only the content decides."""
    assert isinstance(pair.conditioning, Path)
    value = float(sum(pair.conditioning.read_bytes()))
    return WindowScores((0.0, 2.5), (value, float("nan")), value, 1)


def run(out: Path, pairs: list[Pair], *, windows: bool = False, stop_after: int | None = None) -> ScoreFile:
    """Score as the command does; stopping stands for an interrupt."""
    file = ScoreFile(out, SIGNATURE, pairs, with_windows=windows)
    try:
        with file:
            for index, pair in enumerate(file.todo):
                if index == stop_after:
                    raise KeyboardInterrupt
                file.write(index, scores_of(pair))
    except KeyboardInterrupt:
        pass
    return file


def lines(out: Path) -> list[str]:
    return out.read_text().splitlines()


@pytest.fixture(params=["csv", "jsonl"])
def out(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / f"scores.{request.param}"


def test_a_file_that_was_exchanged_is_scored_again(out: Path, pairs: list[Pair], tmp_path: Path) -> None:
    run(out, pairs)
    (tmp_path / "left2.wav").write_text("another song")
    again = run(out, pairs)
    assert again.reused == 4
    assert again.scores() == [scores_of(pair).mean for pair in pairs]


def test_moved_and_renamed_files_keep_their_scores(out: Path, pairs: list[Pair], tmp_path: Path) -> None:
    run(out, pairs)
    (tmp_path / "left0.wav").rename(tmp_path / "renamed.wav")
    renamed = [Pair(tmp_path / "renamed.wav", pairs[0].accompaniment, "renamed.wav", "right0.wav"), *pairs[1:]]
    assert run(out, renamed).reused == 5
    assert "left0.wav" not in out.read_text()
    assert "renamed.wav" in out.read_text()


def test_equal_names_in_two_folders_do_not_share_scores(out: Path, pairs: list[Pair], tmp_path: Path) -> None:
    run(out, pairs[:1])
    (tmp_path / "other").mkdir()
    for name in ("left0.wav", "right0.wav"):
        (tmp_path / "other" / name).write_text("of the other folder")
    other = [Pair(tmp_path / "other/left0.wav", tmp_path / "other/right0.wav", "left0.wav", "right0.wav")]
    assert run(out, other).reused == 0


def test_pairs_that_were_not_asked_for_stay_and_do_not_count(out: Path, pairs: list[Pair]) -> None:
    run(out, pairs)
    whole = out.read_text()
    fewer = run(out, [pairs[3], pairs[1]])
    assert fewer.reused == 2
    assert fewer.scores() == [scores_of(pairs[3]).mean, scores_of(pairs[1]).mean]
    assert sorted(lines(out)) == sorted(whole.splitlines())
    assert run(out, pairs).reused == 5
    assert out.read_text() == whole


def test_an_interrupted_file_ends_as_an_uninterrupted_one(out: Path, pairs: list[Pair]) -> None:
    twice = [*pairs, pairs[0]]
    run(out, twice)
    whole = out.read_bytes()
    out.unlink()
    for stop in (2, 1, 0, 1):
        run(out, list(reversed(twice)), stop_after=stop)
    run(out, twice)
    assert out.read_bytes() == whole


def test_a_cut_at_every_byte_is_mended(out: Path, pairs: list[Pair]) -> None:
    run(out, pairs)
    whole = out.read_bytes()
    first_line = whole.index(b"\n") + 1 if out.suffix == ".csv" else 0
    for size in range(first_line, len(whole), 7):
        out.write_bytes(whole[:size])
        run(out, pairs)
        assert out.read_bytes() == whole


def test_damage_in_the_middle_is_named_and_redone(out: Path, pairs: list[Pair]) -> None:
    run(out, pairs)
    whole = lines(out)
    first = 1 if out.suffix == ".csv" else 0
    torn = whole.copy()
    torn[first + 1] = torn[first + 1][:20] + torn[first + 2]
    torn[first + 3] = torn[first + 3][:-12]
    del torn[first + 2]
    out.write_text("\n".join(torn) + "\n")
    again = run(out, pairs)
    assert [message.split(": ")[0] for message in again.damaged] == [f"{out}, line {first + n}" for n in (2, 3)]
    assert again.reused == 2
    assert lines(out) == whole


def test_the_random_damage_of_a_disk_never_escapes_as_another_error(out: Path, pairs: list[Pair]) -> None:
    run(out, pairs)
    whole = out.read_bytes()
    draw = random.Random(0)
    for _ in range(400):
        damaged = bytearray(whole)
        for _ in range(draw.choice((1, 3, 30))):
            match draw.randrange(4):
                case 0:
                    damaged[draw.randrange(len(damaged))] = draw.randrange(256)
                case 1:
                    del damaged[draw.randrange(len(damaged)) :][:5]
                case 2:
                    place = draw.randrange(len(damaged))
                    damaged[place:place] = draw.choice(
                        (b"\n", b'"', b"\0", b",", b"{", b"NaN", b"9" * 5000, b"[" * 3000)
                    )
                case 3:
                    place = draw.randrange(len(damaged))
                    del damaged[place : place + draw.randrange(60)]
        out.write_bytes(damaged)
        try:
            again = run(out, pairs)
        except CocolaError:
            assert out.read_bytes() == damaged
        else:
            assert len(again.scores()) == 5


def test_a_row_without_score_and_reason_is_not_done(out: Path, pairs: list[Pair]) -> None:
    run(out, pairs)
    score_of_first = str(scores_of(pairs[0]).mean)
    out.write_text(out.read_text().replace(f'"score": {score_of_first}, ', "").replace(f",{score_of_first},", ",,"))
    again = run(out, pairs)
    assert again.reused == 4
    assert "no proper score" in again.damaged[0]
    assert len(again.scores()) == 5


def saved_by_a_spreadsheet(whole: str) -> Iterator[tuple[bytes, str]]:
    yield b"\xef\xbb\xbf" + whole.encode(), "byte order mark"
    yield whole.encode("utf-16"), "UTF-16"
    yield whole.encode("utf-16-le"), "UTF-16"
    yield whole.replace(",", ";").encode(), "no comma between its columns"
    yield whole.replace(",", "\t").encode(), "no comma between its columns"
    yield whole.replace("\n", "\r\n").encode(), "CR LF"
    yield whole.replace("score,", "note,", 1).encode(), "extra 'note'; missing 'score'"
    yield whole.replace("score,", "").encode(), "missing 'score'"
    yield whole.replace("content,", "", 1).encode(), "missing 'content'"


def test_what_a_spreadsheet_saves_is_named_as_that(tmp_path: Path, pairs: list[Pair]) -> None:
    out = tmp_path / "scores.csv"
    run(out, pairs)
    for content, problem in saved_by_a_spreadsheet(out.read_text()):
        out.write_bytes(content)
        with pytest.raises(UsageError, match=problem):
            run(out, pairs)
        assert out.read_bytes() == content


@pytest.mark.parametrize(
    "content",
    [
        "conditioning,accompaniment\na.wav,b.wav\n",
        "id;name\n1;2\n",
        "text\n",
        '{"conditioning": "a.wav", "accompaniment": "b.wav"}\n',
        '{"conditioning": "a.wav", "accompaniment": "b.wav", "score": 1}\n',
        '{"id": 1}\n',
        "[1, 2]\n",
        "5\n",
        "\0" * 100,
    ],
)
def test_a_file_of_somebody_else_is_refused_and_kept(out: Path, pairs: list[Pair], content: str) -> None:
    out.write_text(content)
    with pytest.raises(UsageError, match="give another --out"):
        run(out, pairs)
    assert out.read_text() == content


def test_an_empty_file_may_be_filled(tmp_path: Path, pairs: list[Pair]) -> None:
    (tmp_path / "scores.jsonl").touch()
    assert len(run(tmp_path / "scores.jsonl", pairs).scores()) == 5


def test_two_runs_do_not_share_a_file(out: Path, pairs: list[Pair]) -> None:
    run(out, pairs[:2])
    before = out.read_bytes()
    with FileLock(out.with_name(f".{out.name}.lock")), pytest.raises(UsageError, match="another run writes to it"):
        run(out, pairs)
    assert out.read_bytes() == before
    assert run(out, pairs).reused == 2


def _run_until_it_is_free(out: Path, pairs: list[Pair]) -> None:
    while True:
        try:
            run(out, pairs)
            return
        except UsageError as error:
            assert "another run" in str(error)


def test_processes_that_take_turns_lose_no_row(out: Path, pairs: list[Pair]) -> None:
    context = multiprocessing.get_context("fork" if os.name == "posix" else "spawn")
    halves = [pairs[:3], pairs[2:]]
    processes = [context.Process(target=_run_until_it_is_free, args=(out, half)) for half in halves * 2]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert run(out, pairs).reused == 5


def test_windows_are_scored_anew_where_only_means_are_kept(tmp_path: Path, pairs: list[Pair]) -> None:
    out = tmp_path / "scores.jsonl"
    run(out, pairs)
    assert run(out, pairs, windows=True).reused == 0
    assert all(json.loads(line)["scores"][1] is None for line in lines(out))
    assert run(out, pairs).reused == 5


def test_a_file_that_changes_while_it_is_scored_has_no_score(out: Path, pairs: list[Pair], tmp_path: Path) -> None:
    with ScoreFile(out, SIGNATURE, pairs) as file:
        (tmp_path / "left0.wav").write_text("exchanged meanwhile")
        assert "changed while it was scored" in (file.write(0, scores_of(pairs[0])) or "")
    assert run(out, pairs).reused == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
def test_a_full_disk_ends_with_a_whole_line(out: Path, pairs: list[Pair]) -> None:
    file = ScoreFile(out, SIGNATURE, pairs)
    with pytest.raises(OutputError, match="free some space"), file:
        file.write(0, scores_of(pairs[0]))
        assert file._file is not None
        file._file.close()
        file._file = Path("/dev/full").open("ab", buffering=0)  # noqa: SIM115
        file.write(1, scores_of(pairs[1]))
    assert run(out, pairs).reused == 1


def test_names_that_a_spreadsheet_or_a_terminal_would_run(tmp_path: Path) -> None:
    names = ["=1+1.wav", "@x.wav", "a\nb.wav", "a;b.wav", "\x1b[31m.wav", '["x"].wav', " a.wav"]
    from cocola_metric.cli.pairs import cell

    pairs = []
    for name in names:
        (tmp_path / name).write_text(name)
        pairs.append(Pair(tmp_path / name, tmp_path / name, cell([name]), cell([name])))
    for suffix in ("csv", "jsonl"):
        run(tmp_path / f"scores.{suffix}", pairs)
        assert run(tmp_path / f"scores.{suffix}", pairs).reused == len(names)
    text = (tmp_path / "scores.csv").read_text()
    assert "\x1b" not in text
    assert len(text.splitlines()) == 1 + len(names)
    assert [json.loads(pair.cells[0]) for pair in pairs] == [[name] for name in names]


def command(*arguments: object, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, object], str]:
    code = score.main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, json.loads(captured.out) if captured.out else {}, captured.err


def test_the_manifest_is_not_replaced_by_its_scores(tmp_path: Path, data: Path, capsys) -> None:
    manifest = tmp_path / "p.csv"
    manifest.write_text("conditioning,accompaniment\na.wav,b.wav\n")
    (tmp_path / "link.csv").symlink_to(manifest)
    for out in (manifest, tmp_path / "link.csv"):
        code, _, messages = command("--pairs", manifest, "--out", out, capsys=capsys)
        assert code == 2 and "is the list of pairs" in messages
    assert manifest.read_text() == "conditioning,accompaniment\na.wav,b.wav\n"


def test_the_mean_is_of_what_was_asked_for(tmp_path: Path, data: Path, capsys) -> None:
    waveform, rate = soundfile.read(data / "accompaniment.flac", dtype="float32")
    soundfile.write(tmp_path / "b.wav", np.roll(waveform, rate, axis=0), rate)
    shutil.copy(data / "accompaniment.flac", tmp_path / "a.flac")
    manifest, out = tmp_path / "p.csv", tmp_path / "s.csv"
    both = [f"{data / 'conditioning.flac'},{name}" for name in ("a.flac", "b.wav")]
    manifest.write_text("\n".join(["conditioning,accompaniment", *both]) + "\n")
    code, result, _ = command("--pairs", manifest, "--out", out, capsys=capsys)
    assert code == 0 and (result["pairs"], result["scored"], result["reused"]) == (2, 2, 0)
    manifest.write_text("\n".join(["conditioning,accompaniment", both[1]]) + "\n")
    code, result, _ = command("--pairs", manifest, "--out", out, capsys=capsys)
    assert code == 0 and (result["pairs"], result["scored"], result["reused"]) == (1, 1, 1)
    expected = CocolaScorer.from_pretrained().score(data / "conditioning.flac", tmp_path / "b.wav")
    assert result["mean"] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    ("out", "problem"),
    [("folder.csv", "it is a folder"), ("file/scores.csv", "cannot be written"), ("x" * 300 + ".csv", "too long")],
)
def test_a_place_that_cannot_be_written_is_refused_before_any_work(
    tmp_path: Path, out: str, problem: str, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "p.csv").write_text("conditioning,accompaniment\na.wav,b.wav\n")
    monkeypatch.setattr(CocolaScorer, "from_pretrained", lambda *_, **__: pytest.fail("the model was loaded"))
    code, _, messages = command("--pairs", tmp_path / "p.csv", "--out", tmp_path / out, capsys=capsys)
    assert code == 2 and problem in messages and "Traceback" not in messages


def test_columns_are_documented_once() -> None:
    assert COLUMNS[-2:] == ("content", "signature")


def rows_of(out: Path) -> list[dict[str, str]]:
    if out.suffix == ".csv":
        return list(csv.DictReader(out.open(encoding="utf-8")))
    return [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]


def with_columns(pairs: list[Pair]) -> list[Pair]:
    return [replace(pair, others={"track": f"t{at // 2}", "system": "ours, v2"}) for at, pair in enumerate(pairs)]


def test_other_columns_of_the_manifest_are_kept(out: Path, pairs: list[Pair]) -> None:
    run(out, with_columns(pairs), stop_after=2)
    file = run(out, with_columns(pairs))
    assert file.reused == 2
    rows = rows_of(out)
    assert [row["track"] for row in rows] == ["t0", "t0", "t1", "t1", "t2"]
    assert {row["system"] for row in rows} == {"ours, v2"}
    assert file.groups("track") == ["t0", "t0", "t1", "t1", "t2"]
    with pytest.raises(UsageError, match="--group must be a column"):
        file.groups("artist")


def test_columns_follow_the_manifest_of_now_and_others_keep_theirs(out: Path, pairs: list[Pair]) -> None:
    run(out, with_columns(pairs))
    file = run(out, [replace(pair, others={"take": "2"}) for pair in pairs[:3]])
    assert file.reused == 3
    assert [(row.get("take") or "", row.get("track") or "") for row in rows_of(out)] == [
        *[("2", "")] * 3,
        ("", "t1"),
        ("", "t2"),
    ]


def test_a_column_of_ours_in_a_manifest_is_ours(out: Path, pairs: list[Pair]) -> None:
    run(out, [replace(pair, others={"score": "7", "error": "none", "note": "two\nlines"}) for pair in pairs])
    rows = rows_of(out)
    assert {row["note"] for row in rows} == {"two lines"}
    assert not any(row.get("error") for row in rows)
    assert "7" not in {str(row["score"]) for row in rows}


def test_a_silent_pair_is_done(out: Path, pairs: list[Pair]) -> None:
    nothing = WindowScores((0.0, 2.5), (float("nan"),) * 2, float("nan"), 2)
    with ScoreFile(out, SIGNATURE, pairs) as file:
        for index, pair in enumerate(file.todo):
            assert file.write(index, nothing if index == 1 else scores_of(pair)) is None
    assert (file.silent(), len(file.scores())) == (1, 4)
    again = run(out, pairs)
    assert (again.reused, again.silent(), len(again.scores())) == (5, 1, 4)
    assert [row.get("score") in (None, "") for row in rows_of(out)] == [False, True, False, False, False]
