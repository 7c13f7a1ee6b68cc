"""Encoders on the same windows: equal ones do not differ, and the order only changes signs."""

from pathlib import Path

import pytest
import torch
from tiny_corpus import write_corpus

from cocola_metric.checkpoints import loading
from cocola_metric.encoder.model import CocolaModel, EncoderConfig
from cocola_metric.training.corpora.registry import index_stem_folder
from cocola_metric.training.evaluation import commands, paired
from cocola_metric.training.evaluation.encoders import Encoders

MEL = EncoderConfig(front_end="mel", embedding_dim=32)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus"), tracks=3, seconds=13.0) / "train"


def encoder(seed: int) -> CocolaModel:
    torch.manual_seed(seed)
    return CocolaModel(MEL)


@pytest.fixture(scope="module")
def differences(corpus: Path) -> list[paired.Difference]:
    tracks = {"tones": index_stem_folder(corpus, None)}
    return paired.compare_encoders(Encoders({"a": encoder(0), "b": encoder(1)}), tracks)


def test_equal_encoders_do_not_differ(corpus: Path) -> None:
    tracks = {"tones": index_stem_folder(corpus, None)}
    for one in paired.compare_encoders(Encoders({"a": encoder(0), "b": encoder(0)}), tracks, most_windows=1):
        assert one.first == one.second and one.difference.percent == one.difference.low == one.difference.high == 0


def test_the_difference_is_that_of_the_accuracies(differences: list[paired.Difference]) -> None:
    assert {one.measure for one in differences} == {key for key in paired.TITLES if "among" not in key}  # 6 windows
    for one in differences:
        assert one.difference.percent == pytest.approx(one.second.percent - one.first.percent)
        assert one.difference.low <= one.difference.percent <= one.difference.high
        assert 0 <= one.first.percent <= 100 and one.first.tracks == 3


def test_what_could_not_be_measured_has_a_place_in_the_table(differences: list[paired.Difference]) -> None:
    table = paired.differences_markdown(["a", "b"], differences).splitlines()
    assert table[0] == "| tones (3 tracks, 6 windows), % | a | b |"
    assert sum(line.endswith("| - | - |") for line in table) == 3


def test_noise_counts_against_other_tracks_alone() -> None:
    """Noise above the own accompaniment but below all others is below a random accompaniment."""
    heard = paired._Scores(left=[torch.ones(1)] * 3, noise=[1.0] * 3)
    heard.right = [torch.tensor([0.0]), torch.tensor([2.0]), torch.tensor([2.0])]
    heard.versions = [torch.zeros(len(paired.CONDITIONING), len(paired.ACCOMPANIMENT)).numpy()] * 3
    wins = paired._wins(heard, torch.tensor([0, 1, 2]).numpy())["noise"]
    assert wins.tolist() == [1.0, 0.5, 0.5]


def test_from_the_command_line(corpus: Path, tmp_path: Path, capsys) -> None:
    loading.save(encoder(0), tmp_path / "old")
    file = tmp_path / "table.md"
    arguments = [f"old={tmp_path / 'old'}", f"new={tmp_path / 'old'}", "--test", f"tones={corpus}"]
    commands.compare([*arguments, "--max-tracks", "2", "--max-windows", "1", "--out", str(file)])
    assert file.read_text() == capsys.readouterr().out
    with pytest.raises(SystemExit) as exit_code:
        commands.compare([*arguments, "--test", f"tones={corpus}"])
    assert exit_code.value.code == 1 and "label them" in capsys.readouterr().err
