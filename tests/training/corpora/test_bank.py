"""Banks of several corpora, some of which are only trained on."""

import shutil
from pathlib import Path

import pytest
from tiny_corpus import write_corpus

from cocola_metric.errors import AudioError
from cocola_metric.training.componet.learning.pairs import open_named_banks
from cocola_metric.training.corpora import open_banks


def test_a_folder_without_validation_is_trained_on_beside_one_that_has_it(tmp_path: Path) -> None:
    whole, more = (write_corpus(tmp_path / name) for name in ("whole", "more"))
    shutil.rmtree(more / "validation")
    specs = [str(whole), f"stem_folder:{more}"]
    found = {split: open_banks(specs, split, tmp_path / "cache", workers=0) for split in ("train", "validation")}
    assert {split: len(banks) for split, banks in found.items()} == {"train": 2, "validation": 1}
    _, tracks = open_named_banks(specs, "validation", tmp_path / "cache", device="cpu", workers=0)  # as CompoNet's
    assert len(tracks) == len(found["validation"][0].tracks)
    with pytest.raises(AudioError, match="no folder validation"):
        open_banks(specs[1:], "validation", tmp_path / "cache", workers=0)
