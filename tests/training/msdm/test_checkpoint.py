"""MSDM's weights: the released files' doubled keys and foreign objects, nothing executed, and our own folders."""

import json
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_msdm import TINY, example_input, tiny_msdm

from cocola_metric.errors import CheckpointError
from cocola_metric.identity import file_sha256
from cocola_metric.training.msdm.checkpoint import COPIES, load_msdm, msdm_sha256, read_lightning, save_msdm
from cocola_metric.training.msdm.network import MSDM


def doubled(model: MSDM) -> dict[str, torch.Tensor]:
    """The state_dict of the training program: one network under two names."""
    return {prefix + key: value for prefix in COPIES for key, value in model.unet.state_dict().items()}


def foreign(module: str, name: str, monkeypatch: pytest.MonkeyPatch) -> type:
    """A class of a module that is not there when the file is read."""
    parent, _, _ = module.partition(".")
    kind = type(name, (), {"__module__": module})
    place = types.ModuleType(module)
    setattr(place, name, kind)
    monkeypatch.setitem(sys.modules, parent, types.ModuleType(parent))
    monkeypatch.setitem(sys.modules, module, place)
    return kind


@pytest.fixture
def released(tmp_path: Path) -> Path:
    """A file as the training program leaves it, with hyper-parameters of its own classes."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        noise = foreign("audio_diffusion_pytorch.diffusion", "LogNormalDistribution", monkeypatch)()
        noise.mean, noise.std = -3.0, 1.0
        music = foreign("main.data", "MultiSourceDataset", monkeypatch)()
        music.folder, music.durations = Path("/slakh/train"), np.arange(3.0)
        content = {
            "epoch": 729,
            "pytorch-lightning_version": "1.7.7",
            "state_dict": doubled(tiny_msdm()),
            "hyper_parameters": {"learning_rate": 1e-4, "diffusion_sigma_distribution": noise},
            "datamodule_hyper_parameters": {"train_dataset": music},
        }
        torch.save(content, tmp_path / "released.ckpt")
    return tmp_path / "released.ckpt"


def write(path: Path, state: dict[str, Any]) -> Path:
    torch.save({"state_dict": state}, path)
    return path


def sound(model: MSDM) -> torch.Tensor:
    with torch.inference_mode():
        return model(example_input()[0], 0.7)


def test_a_released_file_is_read(released: Path) -> None:
    assert torch.equal(sound(load_msdm(released, TINY)), sound(tiny_msdm()))
    assert msdm_sha256(released) == file_sha256(released)


def test_one_copy_of_the_network_will_do(tmp_path: Path) -> None:
    for prefix in COPIES:
        file = write(tmp_path / "one.ckpt", {k: v for k, v in doubled(tiny_msdm()).items() if k.startswith(prefix)})
        assert torch.equal(sound(load_msdm(file, TINY)), sound(tiny_msdm()))


def test_a_bare_state_dict_will_do(tmp_path: Path) -> None:
    torch.save(doubled(tiny_msdm()), tmp_path / "bare.ckpt")
    assert torch.equal(sound(load_msdm(tmp_path / "bare.ckpt", TINY)), sound(tiny_msdm()))


def test_half_precision_is_read_as_float32(tmp_path: Path) -> None:
    file = write(tmp_path / "half.ckpt", {key: value.half() for key, value in doubled(tiny_msdm()).items()})
    assert {tensor.dtype for tensor in read_lightning(file).values()} == {torch.float32}


class Malice:
    """An object whose unpickling leaves a mark."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return leave_mark, (str(self.mark),)


def leave_mark(place: str) -> None:
    Path(place).touch()


def test_a_pickled_program_does_not_run(tmp_path: Path) -> None:
    mark, file = tmp_path / "mark", tmp_path / "evil.ckpt"
    torch.save({"state_dict": doubled(tiny_msdm()), "evil": Malice(mark)}, file)
    load_msdm(file, TINY)
    assert not mark.exists()
    torch.load(file, weights_only=False)
    assert mark.exists()  # as it would have


def test_a_file_of_other_sizes_is_not_the_released_model(released: Path) -> None:
    with pytest.raises(CheckpointError, match=r"missing downsamples\.0\.blocks\.1\.block1.* and \d+ more"):
        load_msdm(released)


def change(key: str, value: object) -> dict[str, Any]:
    return {**doubled(tiny_msdm()), key: value}


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({}, "no state_dict"),
        (change("model.ema.weight", torch.zeros(1)), r"unexpected model\.ema\.weight"),
        (change("model.unet.to_mapping.0.bias", "text"), r"unexpected to_mapping\.0\.bias"),
        (change("model.unet.to_mapping.0.bias", torch.zeros(256)), r"differ in to_mapping\.0\.bias"),
        (change("model.unet.to_mapping.9.bias", torch.zeros(256)), r"differ in to_mapping\.9\.bias"),
    ],
    ids=["empty", "other-network", "no-tensor", "copies-differ", "copy-has-more"],
)
def test_other_files_are_refused(tmp_path: Path, state: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        load_msdm(write(tmp_path / "other.ckpt", state), TINY)


def test_damaged_and_absent_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "damaged.ckpt").write_bytes(b"PK\x03\x04 no more")
    with pytest.raises(CheckpointError, match="damaged, or with objects"):
        load_msdm(tmp_path / "damaged.ckpt")
    with pytest.raises(CheckpointError, match="glorious-star-335"):
        load_msdm(tmp_path / "absent.ckpt")


def test_a_model_goes_to_a_folder_and_back(tmp_path: Path) -> None:
    save_msdm(tiny_msdm(), tmp_path / "model")
    loaded = load_msdm(tmp_path / "model")
    assert loaded.config == TINY
    assert torch.equal(sound(loaded), sound(tiny_msdm()))
    assert msdm_sha256(tmp_path / "model") == file_sha256(tmp_path / "model" / "model.safetensors")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tempo": 120}, "unknown tempo"),
        ({"length": 1000}, "multiple of 96"),
        ({"unet": 3}, "no configuration"),
        ({"unet": {"blocks": [1]}}, "6 factors"),
    ],
)
def test_a_wrong_configuration_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    save_msdm(tiny_msdm(), tmp_path)
    file = tmp_path / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))
    with pytest.raises(CheckpointError, match=message):
        load_msdm(tmp_path)


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    save_msdm(tiny_msdm(), tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(CheckpointError, match="missing or damaged"):
        load_msdm(tmp_path)
