"""Reading the original authors' files: both formats, and nothing in them is ever executed."""

import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from cocola_metric import hub
from cocola_metric.convert import read_original
from cocola_metric.errors import CheckpointError


class Malice:
    """An object whose unpickling leaves a mark."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


@pytest.mark.parametrize("kind", ["mel", "hps"])
def test_the_front_end_is_recognised(parity, kind: str) -> None:
    config, state = read_original(parity(kind).folder / "reference.ckpt")
    assert config.front_end == kind
    assert len(state) == 363


def test_a_malicious_pickle_does_not_run(tmp_path: Path) -> None:
    mark, file = tmp_path / "mark", tmp_path / "evil.ckpt"
    torch.save({"state_dict": {"similarity.w": torch.zeros(1)}, "evil": Malice(mark)}, file)
    with pytest.raises(CheckpointError):
        read_original(file)
    assert not mark.exists()
    file.write_bytes(pickle.dumps(Malice(mark)))
    with pytest.raises(CheckpointError):
        read_original(file)
    assert not mark.exists()


def test_files_that_are_no_checkpoints(tmp_path: Path) -> None:
    text = tmp_path / "notes.ckpt"
    text.write_text("not a checkpoint")
    with pytest.raises(CheckpointError, match=r"notes\.ckpt: not a readable PyTorch checkpoint"):
        read_original(text)
    other = tmp_path / "other.ckpt"
    torch.save({"state_dict": {"layer.weight": torch.zeros(2)}}, other)
    with pytest.raises(CheckpointError, match=r"other\.ckpt: holds no COCOLA model"):
        read_original(other)


def test_an_original_file_and_its_conversion_score_alike(parity, tmp_path: Path) -> None:
    vectors = parity("hps")
    hub.save(vectors.model, tmp_path / "converted")
    again = hub.load(tmp_path / "converted").model
    with torch.inference_mode():
        assert torch.equal(again.encoder(vectors.waveforms[:2]), vectors.model.encoder(vectors.waveforms[:2]))


def test_missing_tensors_are_listed(parity, tmp_path: Path) -> None:
    state = parity("hps").model.state_dict()
    del state["encoder.layer_norm.bias"]
    state["similarity.weight"] = torch.zeros(3, 3)
    hub.save(parity("hps").model, tmp_path)
    save_file(state, tmp_path / hub.WEIGHTS_FILE)
    with pytest.raises(CheckpointError, match=r"missing encoder\.layer_norm\.bias; similarity\.weight is \(3, 3\)"):
        hub.load(tmp_path)
