"""Model cards: accuracies become the model-index of the Hub, and all else in a card stays."""

from pathlib import Path

import pytest
import torch
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
    assert card.data.eval_results[:3] == [accuracy.as_result() for accuracy in accuracies]
    assert [(result.dataset_name, result.metric_value) for result in card.data.eval_results or []] == [
        ("bands", 96.82),
        ("bands", 85.05),
        ("desk", 86.43),
        ("not stated", 12),
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
    head, _, table = after.text.partition("## Accuracy")
    assert head == before.text.partition("## Accuracy")[0].replace(
        f"`{scorer.weights_sha256}`. Signatures show it as `weights:{scorer.weights_sha256[:8]}`.", f"`{'f' * 64}`."
    )
    assert "| bands (test) | 97.5 | - | - | - | - |" in table and after.text.count("## Accuracy") == 1


def test_published_accuracies_stand_beside_those_of_a_card(scorer: CocolaScorer, tmp_path: Path) -> None:
    """At K = 2, 8, 16 and 64, whether measured or not; other values of K follow; words after the table stay."""
    both_ways = CardAccuracy("bands", "test", 64, "all", 80.0, symmetric=True)
    scorer.save_pretrained(tmp_path, accuracies=[BANDS, AMONG, both_ways])
    card = tmp_path / CARD_FILE
    card.write_text(card.read_text() + "\n## Thanks\n\nTo all.\n")
    note_accuracies(tmp_path, [DESK, CardAccuracy("desk", "validation", 32, "all", 50.0)], scorer.weights_sha256)
    rows = [line for line in card.read_text().partition("## Accuracy")[2].splitlines() if line.startswith("| ")]
    assert rows == [
        "| accuracy (%) | K = 2, other tracks | K = 2, same track | K = 8 | K = 16 | K = 64 | K = 32 |",
        "| bands (test), 42 tracks | 96.8 [92.7, 98.5] | - | - | 85.0 [77.1, 91.0] | - | - |",
        "| bands (test), mean of both directions | - | - | - | - | 80.0 | - |",
        "| desk (validation) | - | 86.4 | - | - | - | 50.0 |",
        "| published: PHALAR, MoisesDB | - | - | 86.8 | 81.5 | 70.9 | - |",
        "| published: PHALAR, Slakh2100 | - | - | 87.7 | 83.3 | 72.4 | - |",
        "| published: PHALAR, CocoChorales | - | - | - | - | 98.6 | - |",
        "| published: COCOLA, retrained, MoisesDB | - | - | 75.8 | 64.4 | 41.8 | - |",
        "| published: COCOLA, retrained, Slakh2100 | - | - | 79.3 | 71.6 | 55.8 | - |",
        "| published: COCOLA, retrained, CocoChorales | - | - | - | - | 89.3 | - |",
    ]
    assert card.read_text().endswith("| - |\n<!-- end -->\n\n## Thanks\n\nTo all.\n")
    assert set(read_accuracies(tmp_path)) >= {both_ways, DESK}


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


def facts(folder: Path) -> tuple[str | None, list[str], dict[str, object], str]:
    card = ModelCard.load(folder / CARD_FILE)
    results = {result.metric_name: result.metric_value for result in card.data.eval_results or []}
    return card.data.license, card.data.tags, results, card.text


def test_saving_over_a_card_erases_nothing(scorer: CocolaScorer, tmp_path: Path) -> None:
    scorer.save_pretrained(
        tmp_path, license="mit", training_data="Our 40 songs.", results={"songs": 12, "ear": "good"}, accuracies=[BANDS]
    )
    before = (tmp_path / CARD_FILE).read_text()
    scorer.save_pretrained(tmp_path)
    assert (tmp_path / CARD_FILE).read_text() == before
    scorer.save_pretrained(tmp_path, training_data="And 9 more.", results={"songs": 13, "hours: ours (test)": 2.5})
    stated, _, results, text = facts(tmp_path)
    assert stated == "mit" and results == {BANDS.measure: 96.82, "songs": 13, "hours": 2.5}
    assert text.index("Our 40 songs.") < text.index("And 9 more.") < text.index("## Results")
    assert "| songs | 13 |\n| ear | good |\n" in text and "| hours: ours (test) | 2.5 |" in text
    assert text.count("## Results") == text.count("## Configuration") == text.count("SHA-256 of") == 1
    again = (tmp_path / CARD_FILE).read_text()
    scorer.save_pretrained(tmp_path, license="mit", training_data="Our 40 songs.", results={"songs": 13})
    assert (tmp_path / CARD_FILE).read_text() == again


OWN = """---
license: cc-by-4.0
language: de
tags:
- funk
datasets:
- lab/songs
---

# Our encoder

Words of our own.

```sh
## no heading
```

## Configuration

We chose it with care.

## Thanks

To all who listened.
"""


def test_a_card_of_ones_own_keeps_its_words_and_metadata(scorer: CocolaScorer, tmp_path: Path) -> None:
    (tmp_path / CARD_FILE).write_text(OWN)
    scorer.save_pretrained(tmp_path, training_data="Our 40 songs.", results={"songs": 12})
    card = ModelCard.load(tmp_path / CARD_FILE)
    assert (card.data.license, card.data.to_dict()["language"], card.data.datasets) == (
        "cc-by-4.0",
        "de",
        ["lab/songs"],
    )
    assert card.data.tags[:2] == ["funk", "audio"] and card.data.library_name == "cocola-metric"
    assert card.text.startswith("\n# Our encoder\n\nWords of our own.\n\n```sh\n## no heading\n```\n")
    assert "We chose it with care.\n\n| setting | value |" in card.text and "To all who listened." in card.text
    assert f"`{scorer.weights_sha256}`" in card.text and "| songs | 12 |" in card.text
    assert card.data.eval_results[0].dataset_name == "not stated"
    with pytest.raises(CheckpointError, match=r"its card says license: cc-by-4\.0; got mit; change the card first, or"):
        scorer.save_pretrained(tmp_path, license="mit")
    assert (tmp_path / CARD_FILE).read_text() == str(card)


def test_results_of_other_weights_say_so(scorer: CocolaScorer, tmp_path: Path) -> None:
    scorer.save_pretrained(tmp_path, results={"songs": 12, "hours": 2}, accuracies=[BANDS])
    half = CocolaScorer.from_pretrained(scorer.save_pretrained(tmp_path, dtype=torch.float32), device="cpu")
    old, new = scorer.weights_sha256[:8], half.weights_sha256[:8]
    assert old != new
    half.save_pretrained(tmp_path, results={"songs": 11})
    card = ModelCard.load(tmp_path / CARD_FILE)
    assert f"`weights:{new}`" in card.text and f"`weights:{old}`" not in card.text
    assert "| songs | 11 |" in card.text and f"| hours | 2 (weights:{old}) |" in card.text
    assert f"| 96.8 (weights:{old}) |" in card.text
    weights = {result.metric_name: (result.metric_args or {}).get("weights") for result in card.data.eval_results}
    assert weights == {"songs": None, "hours": old, BANDS.measure: old}
    assert read_accuracies(tmp_path) == [BANDS]
