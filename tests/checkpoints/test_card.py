"""Model cards: accuracies become the model-index of the Hub, and all else in a card stays."""

from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from cocola_metric import CocolaScorer
from cocola_metric.checkpoints import CARD_FILE, CardAccuracy, note_accuracies, read_accuracies
from cocola_metric.errors import CheckpointError

BANDS = CardAccuracy("bands", "test", 2, "other_track", 96.82, (92.66, 98.53), 42, 324)
AMONG = CardAccuracy("bands", "test", 16, "all", 85.05, (77.07, 90.95), 42, 324)
DESK = CardAccuracy("desk", "validation", 2, "same_track", 86.43)


@pytest.fixture(scope="module")
def scorer() -> CocolaScorer:
    return CocolaScorer.from_pretrained("embedded", device="cpu")


def test_accuracies_come_back_from_the_card(scorer: CocolaScorer, tmp_path: Path) -> None:
    accuracies = [BANDS, AMONG, DESK]
    scorer.save_pretrained(tmp_path, license="mit", results={"songs": 12}, accuracies=accuracies)
    card = ModelCard.load(tmp_path / CARD_FILE)
    assert card.data.model_name == "COCOLA encoder" and card.data.license == "mit"
    assert card.data.eval_results == [accuracy.as_result() for accuracy in accuracies]
    assert [(result.dataset_name, result.metric_value) for result in card.data.eval_results or []] == [
        ("bands", 96.82),
        ("bands", 85.05),
        ("desk", 86.43),
    ]
    assert card.data.to_dict()["model-index"][0]["results"][0]["metrics"][1]["args"]["K"] == 16
    assert read_accuracies(tmp_path) == accuracies
    assert "| songs | 12 |" in card.text
    assert "| accuracy (%), K = 16, among windows of all tracks: bands (test) | 85.0 |" in card.text


def test_a_card_without_accuracies_has_no_model_index(scorer: CocolaScorer, tmp_path: Path) -> None:
    scorer.save_pretrained(tmp_path)
    text = (tmp_path / CARD_FILE).read_text()
    assert "model-index" not in text and "## Results" not in text
    assert read_accuracies(tmp_path) == [] == read_accuracies(tmp_path / "nowhere")


def test_noting_accuracies_keeps_the_rest_of_a_card(scorer: CocolaScorer, tmp_path: Path) -> None:
    scorer.save_pretrained(tmp_path, license="mit", training_data="Our 40 songs.", accuracies=[BANDS, DESK])
    before = ModelCard.load(tmp_path / CARD_FILE)
    better = CardAccuracy("bands", "test", 2, "other_track", 97.5)
    note_accuracies(tmp_path, [better, AMONG], "f" * 64)
    after = ModelCard.load(tmp_path / CARD_FILE)
    assert set(read_accuracies(tmp_path)) == {better, AMONG, DESK}
    assert after.data.license == "mit" and after.data.tags == before.data.tags and "Our 40 songs." in after.text
    assert after.text == before.text.replace(
        f"`{scorer.weights_sha256}`. Signatures show it as `weights:{scorer.weights_sha256[:8]}`.", f"`{'f' * 64}`."
    )


def test_a_text_of_ones_own_becomes_a_card_and_stays(tmp_path: Path) -> None:
    (tmp_path / CARD_FILE).write_text("# Mine\n\nWords of my own.\n")
    note_accuracies(tmp_path, [BANDS], "0" * 64)
    assert read_accuracies(tmp_path) == [BANDS]
    assert "# Mine\n\nWords of my own.\n" in (tmp_path / CARD_FILE).read_text()


def test_a_damaged_card_is_named(tmp_path: Path) -> None:
    (tmp_path / CARD_FILE).write_text("---\na: [1\n---\ntext\n")
    with pytest.raises(CheckpointError, match=r"README\.md: not a model card .*; mend it or move it away"):
        note_accuracies(tmp_path, [BANDS], "0" * 64)
    assert (tmp_path / CARD_FILE).read_text() == "---\na: [1\n---\ntext\n"
