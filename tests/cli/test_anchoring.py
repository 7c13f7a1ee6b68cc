"""Anchors of a user's own pairs: shuffled ones are 0 on average, true ones 1."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from cocola_metric import CocolaScorer, UsageError
from cocola_metric.cli import score
from cocola_metric.cli.anchoring import SHUFFLES, anchors_of, shuffled_pairs
from cocola_metric.cli.pairs import Pair, read_pairs

EXAMPLES = Path(__file__).parents[2] / "examples"


def pairs(count: int, tracks: int) -> list[Pair]:
    return [
        Pair(Path(f"c{n}.wav"), Path(f"a{n}.wav"), f"c{n}.wav", f"a{n}.wav", {"track": f"t{n % tracks}"})
        for n in range(count)
    ]


def test_shuffled_pairs_are_of_strangers() -> None:
    shuffled = shuffled_pairs(pairs(12, 3), "track")
    assert len(shuffled) == 12 * SHUFFLES
    for conditioning, accompaniment in shuffled:
        numbers = [int(str(path)[1:-4]) for path in (conditioning, accompaniment)]
        assert numbers[0] % 3 != numbers[1] % 3
    assert shuffled == shuffled_pairs(pairs(12, 3), "track")


def test_one_piece_of_music_cannot_be_shuffled() -> None:
    for given, group in ((pairs(1, 1), None), (pairs(4, 1), "track")):
        with pytest.raises(UsageError, match="two pieces of music or more"):
            shuffled_pairs(given, group)
    with pytest.raises(UsageError, match="need scores of true and of shuffled pairs"):
        anchors_of([], [1.0])


def run(*arguments: object, capsys) -> dict:
    assert score.main([str(argument) for argument in arguments]) == 0
    return json.loads(capsys.readouterr().out)


def test_own_pairs_are_1_on_average_and_shuffled_ones_0(tmp_path: Path, capsys) -> None:
    manifest, out = EXAMPLES / "pairs.csv", tmp_path / "scores.csv"
    result = run("--pairs", manifest, "--out", out, "--anchor", capsys=capsys)
    scorer = CocolaScorer.from_pretrained()
    listed = read_pairs(manifest)
    matrix = scorer.similarity_matrix([p.conditioning for p in listed], [p.accompaniment for p in listed])
    apart = matrix[~np.eye(len(listed), dtype=bool)]
    assert result["anchored"] == pytest.approx(1, abs=1e-3)
    assert result["anchors"]["coherent"] == pytest.approx(np.diag(matrix).mean(), abs=1e-3)
    assert result["anchors"]["mismatched"] == pytest.approx(apart.mean(), abs=1e-3)  # four pairs: all are drawn
    assert "|anchor:own|" in result["signature"]
    rows = list(csv.DictReader(out.open(encoding="utf-8")))
    spread = result["anchors"]["coherent"] - result["anchors"]["mismatched"]
    for row in rows:
        expected = (float(row["score"]) - result["anchors"]["mismatched"]) / spread
        assert float(row["anchored"]) == pytest.approx(expected, abs=1e-3)
    again = run("--pairs", manifest, "--out", out, "--anchor", capsys=capsys)
    assert again["reused"] == 4 and again["anchors"] == result["anchors"]
    assert list(csv.DictReader(out.open(encoding="utf-8"))) == rows


def test_other_pairs_are_read_on_the_scale_of_a_list(tmp_path: Path, capsys) -> None:
    own = run("--pairs", EXAMPLES / "pairs.csv", "--out", tmp_path / "a.csv", "--anchor", capsys=capsys)
    options = ("--anchor-pairs", EXAMPLES / "pairs.csv")
    swapped = run("--pairs", EXAMPLES / "swapped.csv", "--out", tmp_path / "b.csv", *options, capsys=capsys)
    assert swapped["anchors"] == own["anchors"]
    assert abs(swapped["anchored"]) < 0.3 < own["anchored"]
    one = run(EXAMPLES / "harbour/drums.flac", EXAMPLES / "harbour/keys.flac", *options, capsys=capsys)
    anchors = own["anchors"]
    expected = (one["score"] - anchors["mismatched"]) / (anchors["coherent"] - anchors["mismatched"])
    assert one["anchored"] == pytest.approx(expected, abs=1e-3)
    assert one["signature"] == swapped["signature"] != own["signature"]


def test_scores_do_not_depend_on_how_they_are_read(tmp_path: Path, capsys) -> None:
    """A file of scores is gone on with, whatever the anchors; the columns are those of the last run."""
    out = tmp_path / "scores.csv"
    plain = run("--pairs", EXAMPLES / "pairs.csv", "--out", out, capsys=capsys)
    anchored = run("--pairs", EXAMPLES / "pairs.csv", "--out", out, "--anchor", capsys=capsys)
    assert anchored["reused"] == 4 and anchored["mean"] == plain["mean"]
    before = {row["signature"] for row in csv.DictReader(out.open(encoding="utf-8"))}
    assert before == {anchored["signature"]}
    again = run("--pairs", EXAMPLES / "pairs.csv", "--out", out, capsys=capsys)
    assert again["anchored"] == plain["anchored"] and again["reused"] == 4
