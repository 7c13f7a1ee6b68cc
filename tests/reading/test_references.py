"""A score is read by the reference of its encoder, which belongs to its weights."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from known_references import WEIGHTS, known_reference

from cocola_metric import CheckpointError, CocolaScorer, UsageError
from cocola_metric.reading import (
    REFERENCE_FILE,
    Anchors,
    Lengths,
    copy_reference,
    drop_reference,
    find_reference,
    read_reference,
    sentence,
    write_reference,
)

SCORES = st.floats(-1e6, 1e6)


@pytest.fixture
def lengths() -> Lengths:
    found = known_reference().of("both")
    assert found is not None
    return found


def test_a_score_is_read(lengths: Lengths) -> None:
    reading = lengths.read(8.0, 1)
    assert (reading.percentile, reading.anchored, reading.windows) == (pytest.approx(25), pytest.approx(0.75), 1)
    assert reading.likelihood == pytest.approx(0.8)


def test_a_mean_is_compared_with_means_over_as_many_windows(lengths: Lengths) -> None:
    assert lengths.read(9.0, 1).percentile == pytest.approx(37.5)
    assert lengths.read(9.0, 3).windows == 1
    assert lengths.read(9.0, 4).percentile == lengths.read(9.0, 100).percentile == pytest.approx(25)


@given(SCORES, SCORES, st.integers(1, 20))
def test_a_higher_score_never_reads_lower(first: float, second: float, windows: int) -> None:
    lengths = known_reference().of("both")
    assert lengths is not None
    low, high = (lengths.read(score, windows) for score in sorted((first, second)))
    assert 0 <= low.percentile <= high.percentile <= 100
    assert 0 < low.likelihood <= high.likelihood < 1
    assert low.anchored <= high.anchored


def test_anchors_are_0_and_1(lengths: Lengths) -> None:
    assert lengths.anchored([2.0, 10.0]).tolist() == [0, 1]
    assert Anchors(2.0, 10.0, 4, 12).anchored(10.0) == 1
    with pytest.raises(UsageError, match="true pairs that score higher than shuffled ones"):
        Anchors(2.0, 2.0, 4, 12)


def test_no_score_has_no_reading(lengths: Lengths) -> None:
    assert all(math.isnan(value) for value in lengths.percentile([math.nan, math.nan]))
    assert math.isnan(lengths.likelihood(math.nan))


def test_the_band_of_a_picture(lengths: Lengths) -> None:
    assert lengths.band() == pytest.approx([6.4, 10, 13.6])
    assert lengths.band(coherent=False, levels=(50,), windows=4) == pytest.approx([2])


def test_the_sentence_names_what_a_musician_asks(lengths: Lengths) -> None:
    words = sentence(lengths.read(13.9, 1))
    assert words.startswith("fits: 99 % likely to belong together; higher than 99 of 100 pairs that do")
    assert sentence(lengths.read(6.0, 1)).startswith("unclear: 50 %")
    assert sentence(lengths.read(-3.0, 1)).startswith("does not fit: 1 %")


def test_a_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = write_reference(known_reference(), tmp_path / REFERENCE_FILE)
    assert len(written.sha256) == 64
    found = find_reference(tmp_path, WEIGHTS)
    assert found is not None and found.of("both", symmetric=True) == written.of("both", symmetric=True)
    assert found == written
    assert find_reference(tmp_path / "nothing", WEIGHTS) is None


def test_a_reference_of_other_weights_is_refused(tmp_path: Path) -> None:
    write_reference(known_reference(), tmp_path / REFERENCE_FILE)
    with pytest.raises(CheckpointError, match=r"made for other weights \('01234567'\) than those of the encoder"):
        find_reference(tmp_path, "f" * 64)


def test_a_copy_is_bound_to_its_weights(tmp_path: Path) -> None:
    copy_reference(known_reference(), tmp_path, "f" * 64)
    assert read_reference(tmp_path / REFERENCE_FILE, "f" * 64).parts == known_reference().parts


def test_replaced_weights_lose_their_reference(tmp_path: Path) -> None:
    write_reference(known_reference(), tmp_path / REFERENCE_FILE)
    drop_reference(tmp_path, WEIGHTS)
    assert (tmp_path / REFERENCE_FILE).exists()
    drop_reference(tmp_path, "f" * 64)
    assert not (tmp_path / REFERENCE_FILE).exists()


def _without_parts(values: dict) -> None:
    values["parts"] = []


def _shorter(values: dict) -> None:
    values["parts"][0]["lengths"][0]["coherent"].pop()


def _falling(values: dict) -> None:
    values["parts"][0]["lengths"][0]["likelihoods"].reverse()


def _beyond_one(values: dict) -> None:
    values["parts"][0]["lengths"][0]["likelihoods"][-1] = 1.5


def _no_difference(values: dict) -> None:
    values["parts"][0]["coherent_mean"] = values["parts"][0]["mismatched_mean"]


def _no_single_windows(values: dict) -> None:
    del values["parts"][0]["lengths"][0]


def _later(values: dict) -> None:
    values["format"] = 99


def _text(values: dict) -> None:
    values["parts"] = "many"


@pytest.mark.parametrize(
    "damage",
    [_without_parts, _shorter, _falling, _beyond_one, _no_difference, _no_single_windows, _later, _text],
)
def test_a_damaged_file_is_one_error(tmp_path: Path, damage) -> None:
    file = tmp_path / REFERENCE_FILE
    write_reference(known_reference(), file)
    values = json.loads(file.read_text())
    damage(values)
    file.write_text(json.dumps(values))
    with pytest.raises(CheckpointError, match="make it again"):
        read_reference(file, WEIGHTS)


def test_only_windows_of_its_length_are_read() -> None:
    reference = known_reference()
    assert reference.fits(5.0, 2.5) and not reference.fits(5.0, 5.0)
    assert replace(reference, parts=()).of("both") is None
    assert reference.of("harmonic") is None


def test_numbers_are_read_without_loss(tmp_path: Path) -> None:
    write_reference(known_reference(), tmp_path / REFERENCE_FILE)
    found = find_reference(tmp_path, WEIGHTS)
    assert found is not None
    np.testing.assert_array_equal(found.parts[0].lengths[0].coherent, known_reference().parts[0].lengths[0].coherent)


def test_ranked_candidates_are_read_as_pairs_are(data: Path, tmp_path: Path) -> None:
    sha256 = CocolaScorer.from_pretrained(reference=None).weights_sha256
    write_reference(known_reference(sha256), tmp_path / "known.json")
    scorer = CocolaScorer.from_pretrained(reference=tmp_path / "known.json")
    mix, candidates = data / "conditioning.flac", [data / "accompaniment.flac", data / "conditioning.flac"]
    for ranked in (
        scorer.rank(mix, candidates),
        scorer.rank(scorer.embeddings([mix])[0], scorer.embeddings(candidates)),
    ):
        for entry in ranked:
            expected = scorer.score_windows(mix, candidates[entry.index]).reading
            assert entry.reading is not None and expected is not None
            assert entry.reading.windows == expected.windows
            assert entry.reading.percentile == pytest.approx(expected.percentile, abs=0.01)
    assert all(entry.reading is None for entry in CocolaScorer.from_pretrained(reference=None).rank(mix, candidates))
