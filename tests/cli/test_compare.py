"""Comparing score files: how rows of two systems find each other, and what is printed."""

import csv
import json
from pathlib import Path

import pytest

from cocola_metric.cli import score
from cocola_metric.comparison import compare_scores

SIGNATURE = "COCOLA|model:embedded|weights:00000000|mode:both|win:5.0|hop:2.5|sr:16000|v:0.1.0"
COLUMNS = ("conditioning", "accompaniment", "score", "signature", "error", "track")
SCORES = {"a": [1.0, 2.0, 3.0, 4.0], "b": [2.5, 2.0, 4.0, 3.5]}


def write(path: Path, system: str, scores, **changes) -> Path:
    """Write a score file of a system: a mix and an answer for each score, two of a track."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for number, value in enumerate(scores):
            row = {"conditioning": f"mixes/{number}.wav", "accompaniment": f"{system}/{number}.wav", "score": value}
            row |= {"error": "" if value is not None else "silent", "signature": SIGNATURE, "track": f"t{number // 2}"}
            writer.writerow({key: "" if cell is None else cell for key, cell in (row | changes).items()})
    return path


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    return [str(write(tmp_path / f"{name}.csv", name, scores)) for name, scores in SCORES.items()]


def run(capsys, *arguments: str) -> tuple[int, str, str]:
    code = score.main(["compare", *arguments])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def test_json_has_the_comparison(files, capsys) -> None:
    code, out, _ = run(capsys, *files, "--format", "json")
    found = json.loads(out)
    expected = compare_scores(SCORES["a"], SCORES["b"])
    assert code == 0 and found["signature"] == SIGNATURE and found["only_in"] == {"b": [0, 0]}
    assert found["comparisons"]["b"]["difference"] == expected.difference == 0.5
    assert tuple(found["comparisons"]["b"]["interval"]) == expected.interval


def test_the_order_of_the_rows_does_not_matter(files, tmp_path: Path, capsys) -> None:
    _, expected, _ = run(capsys, *files, "--format", "json")
    header, *rows = Path(files[1]).read_text().splitlines()
    Path(files[1]).write_text("\n".join([header, *reversed(rows)]))
    assert run(capsys, *files, "--format", "json")[1] == expected


def test_groups_are_drawn_together(files, capsys) -> None:
    found = json.loads(run(capsys, *files, "--format", "json", "--group", "track")[1])
    assert (found["comparisons"]["b"]["groups"], found["comparisons"]["b"]["pairs"]) == (2, 4)


def test_pairs_of_one_file_are_counted_and_left_out(tmp_path: Path, capsys) -> None:
    first = write(tmp_path / "a.csv", "a", [1.0, None, 3.0, 4.0])
    second = write(tmp_path / "b.csv", "b", [1.5, 2.0, 3.5])
    code, out, _ = run(capsys, str(first), str(second))
    assert code == 0 and "left out: 1 pairs only in a, 1 only in b" in out
    assert "2 / 0 / 0" in out


def test_several_answers_to_one_conditioning(tmp_path: Path, capsys) -> None:
    paths = [write(tmp_path / f"{name}.csv", name, scores, conditioning="mix.wav") for name, scores in SCORES.items()]
    found = json.loads(run(capsys, *map(str, paths), "--format", "json")[1])
    assert found["comparisons"]["b"]["pairs"] == 4


def test_jsonl_files(files, tmp_path: Path, capsys) -> None:
    rows = list(csv.DictReader(Path(files[1]).read_text().splitlines()))
    lines = [json.dumps({**row, "score": float(row["score"])}) for row in rows]
    (tmp_path / "b.jsonl").write_text("\n".join(lines))
    _, expected, _ = run(capsys, *files, "--format", "json")
    assert run(capsys, files[0], str(tmp_path / "b.jsonl"), "--format", "json")[1] == expected


@pytest.mark.parametrize("kind", ["text", "csv", "latex"])
def test_tables(files, capsys, kind: str) -> None:
    code, out, err = run(capsys, *files, "--format", kind)
    assert (code, err) == (0, "")
    assert "+0.500" in out and "2 / 1 / 1" in out
    assert out.count("\\\\") == (3 if kind == "latex" else 0)


@pytest.mark.parametrize(
    ("change", "arguments", "message"),
    [
        ({}, ["--group", "song"], "--group must be a column of every row (conditioning, accompaniment"),
        ({"signature": "COCOLA|model:other|v:0.1.0"}, [], "several recipes"),
        ({"conditioning": "mix.wav"}, ["--key", "conditioning"], "two rows have the same pair mix.wav"),
        ({"score": "loud"}, [], "a row is damaged"),
        ({"score": ""}, [], "has no score"),
        ({}, ["--resamples", "1"], "at least 100"),
    ],
)
def test_files_that_cannot_be_compared(files, tmp_path: Path, capsys, change, arguments, message: str) -> None:
    write(tmp_path / "b.csv", "b", SCORES["b"], **change)
    code, out, err = run(capsys, *files, *arguments)
    assert (code, out) == (1, "") and message in err and "Traceback" not in err


def test_no_pair_in_common(files, tmp_path: Path, capsys) -> None:
    other = write(tmp_path / "c.csv", "c", [1.0], conditioning="elsewhere.wav")
    code, _, err = run(capsys, files[0], str(other))
    assert code == 1 and "no pair in common, such as mixes/0.wav and elsewhere.wav" in err


def test_one_file_is_no_comparison(files, capsys) -> None:
    assert "compare needs two score files or more" in run(capsys, files[0])[2]
    assert "cannot be read" in run(capsys, files[0], "absent.csv")[2]
