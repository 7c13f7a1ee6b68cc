"""What the documents say about the embedded encoder: brought up to date by a command, and about the weights at hand."""

import json
import re
import shutil
from pathlib import Path

import pytest

from cocola_metric.checkpoints import loading
from cocola_metric.checkpoints.known import EMBEDDED_FOLDER
from cocola_metric.errors import UsageError
from cocola_metric.identity import file_sha256
from cocola_metric.signature import HASH_DIGITS
from cocola_metric.training.evaluation.validity import CUES
from tools import documents

ROOT = Path(__file__).parents[2]
FILES = [file for pattern in documents.DOCUMENTS for file in sorted(ROOT.glob(pattern))]
KNOWN = {*documents.BLOCKS, *documents.PRINTED, *documents.TABLE_3}


def accuracy(percent: float) -> dict[str, float]:
    return {"percent": percent, "low": percent - 5, "high": percent + 5, "tracks": 12, "windows": 60}


def table_2() -> str:
    """What the block in docs/table2.md holds."""
    blocks = documents.BLOCK.finditer((ROOT / "docs" / "table2.md").read_text("utf-8"))
    found = next(block[0] for block in blocks if block["name"] == "table_2")
    return "\n".join(found.splitlines()[1:-1])


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """What the commands of `make documents` write, made up."""
    scores = {"p5": 1.0, "median": 2.5, "p95": 4.0}
    measured = {
        "weights": "0123456789abcdef",
        **{
            test: {
                "other_track": accuracy(91.25),
                "same_track": None if test == "recorded" else accuracy(80.0),
                "coherent_scores": scores,
                "mismatched_scores": scores,
            }
            for test in documents.TESTS
        },
    }
    judged = [
        {
            "test": test,
            "mode": mode,
            "wins": {kind: accuracy(70.0 + number) for kind in documents.KINDS},
            "by_cue": {
                kind: {names[0]: accuracy(90.0 + number), names[1]: accuracy(50.0 + number) if number else None}
                for kind, (_, *names) in CUES.items()
            },
            "track_wins": dict.fromkeys(documents.KINDS, 75.0),
        }
        for number, test in enumerate(documents.TESTS)
        for mode in ("both", "harmonic", None)
    ]
    heard = [
        {"listener": name, "test": test, "negatives": kind, "partition": partition, "accuracy": accuracy(60.0)}
        for name in documents.LISTENERS
        for test in documents.TESTS
        for kind in ("other_track", "same_track")
        for partition in ("track", "window")
    ]
    for name, data in (
        ("accuracy", measured),
        ("calibration", {"reference": "fedcba9876543210"}),
        ("validity", {"results": judged}),
        ("table2", {"results": heard}),
    ):
        (tmp_path / f"{name}.json").write_text(json.dumps(data))
    for file in documents.PRINTED.values():
        (tmp_path / file).write_text(f"| printed in {file} |\n")
    (tmp_path / documents.PRINTED["table_2"]).write_text(table_2())
    return tmp_path


def test_every_document_is_filled(results: Path, tmp_path: Path) -> None:
    root = tmp_path / "checkout"
    for file in [*FILES, *(ROOT / table for table in documents.TABLE_3.values())]:
        copy = root / file.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, copy)
    documents.main([str(results), "--root", str(root)])
    metric, readme = ((root / name).read_text() for name in ("docs/metric.md", "README.md"))
    assert "| chorus | 70.0 [65.0, 75.0]; 75 | 70.0 [65.0, 75.0]; 75 |" in metric
    assert "\n  | recorded | 73.0" in metric  # as deep in its list as it was
    assert "1, 2.5, 4 | 1, 2.5, 4 |" in metric
    assert "12 tracks | 91.2 % [86.2, 96.2] | 80.0 % [75.0, 85.0] |" in readme
    assert "half a beat late or early in 70 to 72 % (73 %)" in readme
    assert "90 to 92 % (93 %) of windows of rendered music" in metric and "in turn, in 51 to 52 % (53 %)." in metric
    assert "where one is not, in 51 to 52 % (53 %)." in metric
    assert "weights:01234567|" in metric and "|ref:fedcba98|" in metric
    assert "| printed in first_minute.md |" in readme
    assert "| printed in calibration.md |" in metric
    assert "| 60.0 / 60.0 | 60.0 / 60.0 |" in (root / "docs" / "training.md").read_text()
    assert "| printed in behaviour.md |" in (root / "docs" / "fad.md").read_text()
    again = {file: file.read_text() for file in root.rglob("*.md")}
    documents.main([str(results), "--root", str(root)])
    assert again == {file: file.read_text() for file in root.rglob("*.md")}


def test_nothing_is_written_when_a_result_is_missing(results: Path, tmp_path: Path, capsys) -> None:
    (results / "validity.json").unlink()
    with pytest.raises(SystemExit):
        documents.main([str(results), "--root", str(ROOT)])
    assert "validity.json: no such file; write it with `make documents`" in capsys.readouterr().err
    with pytest.raises(UsageError, match="nothing was written for the block 'unheard'"):
        documents.fill("<!-- unheard -->\n<!-- end -->", {"heard": ""}, "0" * 64)


def test_rows_that_were_not_computed_stay() -> None:
    title, header = "## Other tracks", "| accuracy | chorus (27 tracks) |\n|---|---:|\n"
    now = f"{title}\n\n{header}| embedded | 99.7 |\n| *loudness* | 52 |\n\nIn brackets: nothing.\n"
    old = "| embedded | 1 |\n| all | 61 |\n| few | 7 |\n| *loudness* | 2 |"
    before = f"<!-- table_2 -->\n{title}\n\n{header}{old}\n<!-- end -->"
    filled = documents.fill(before, {"table_2": now}, "0" * 64)
    rows = "| embedded | 99.7 |\n| all | 61 |\n| few | 7 |\n| *loudness* | 52 |"
    assert filled == f"<!-- table_2 -->\n{title}\n\n{header}{rows}\n\nIn brackets: nothing.\n<!-- end -->"
    assert documents.fill(filled, {"table_2": now}, "0" * 64) == filled
    for other in (before.replace("27", "26"), before.replace("Other", "The same")):
        with pytest.raises(UsageError, match="would be lost: all, few; print them again"):
            documents.fill(other, {"table_2": now}, "0" * 64)


def test_table_2_keeps_the_rows_of_the_paper_when_one_encoder_is_computed() -> None:
    document = (ROOT / "docs" / "table2.md").read_text("utf-8")
    lines = table_2().splitlines()
    kept = ("moisesdb", "slakh2100", "cocochorales", "all")
    alone = "\n".join(line for line in lines if not line.startswith(tuple(f"| {name} (" for name in kept)))
    assert len(alone.splitlines()) == len(lines) - 16
    assert documents.fill(document, {"table_2": alone}, "811b6af4") == document


def test_the_documents_are_about_the_weights_at_hand() -> None:
    weights = loading.load("embedded").sha256[:HASH_DIGITS]
    texts = [file.read_text("utf-8") for file in [*FILES, *(ROOT / "docs" / "table3").glob("*.md")]]
    signed = {found for text in texts for found in documents.SIGNED.findall(text)}
    assert signed == {weights}
    reference = file_sha256(EMBEDDED_FOLDER / "reference.json")[:HASH_DIGITS]
    assert {found for text in texts for found in documents.REFERRED.findall(text)} == {reference}
    blocks = [block["name"] for text in texts for block in documents.BLOCK.finditer(text)]
    assert set(blocks) == KNOWN
    assert len(blocks) == sum(len(re.findall("<!-- end -->", text)) for text in texts)


def test_accuracies_among_more_windows_stand_beside_those_of_two() -> None:
    among = {"2": accuracy(91.0), "8": accuracy(70.0), "16": accuracy(60.0), "64": None}
    measured = {
        test: {"other_track": accuracy(91.25), "same_track": accuracy(80.0), "among": among} for test in documents.TESTS
    }
    header, _, first, *_ = documents.accuracy_table(measured).splitlines()
    cells = header.strip("| ").split(" | ")
    assert cells[:6] == ["test", "K = 2, other tracks", "K = 2, same track", "K = 8", "K = 16", "K = 64"]
    assert cells[6:] == [f"{name}: published, other data, K = 8 / 16 / 64" for name in ("PHALAR", "COCOLA, retrained")]
    assert "70.0 % [" in first and first.endswith("| - | CocoChorales - / - / 98.6 | CocoChorales - / - / 89.3 |")
    desk, recorded = documents.accuracy_table(measured).splitlines()[-2:]
    assert desk.endswith("| MoisesDB 86.8 / 81.5 / 70.9 | MoisesDB 75.8 / 64.4 / 41.8 |")
    assert recorded.endswith("| - | - |")  # songs that nothing is published of
