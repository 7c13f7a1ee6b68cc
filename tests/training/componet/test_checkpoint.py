"""Lightning files of the released kind, adapter alone or with attentions, and files of our own."""

import contextlib
import io
import pickle
import zipfile
from pathlib import Path

import pytest
import torch
from tiny_audioldm2 import SMALL, random_latents, random_text, small_unet, stir

from cocola_metric.errors import CheckpointError
from cocola_metric.training.componet.checkpoint import load_weights, save_weights
from cocola_metric.training.componet.network import CompoNet, is_attention
from cocola_metric.training.componet.unet import build_unet

STEP = torch.tensor(500)


class LogNormal:
    """Stands for a class of the authors' code that their files name."""

    def __init__(self, mean: float) -> None:
        self.mean = mean


class Touch:
    """A pickle that would write a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def trained(*, attentions: bool = False) -> CompoNet:
    componet = CompoNet(small_unet())
    stir(componet.controlnet, seed=11)
    if attentions:
        generator = torch.Generator().manual_seed(12)
        with torch.no_grad():
            for name, parameter in componet.unet.named_parameters():
                if is_attention(name):
                    parameter += 0.05 * torch.randn(parameter.shape, generator=generator)
    return componet


def lightning_file(path: Path, componet: CompoNet, *, drop: str = " ", extra: object = None) -> Path:
    """Write what the authors' trainer writes: all parts under prefixes, optimiser state, hyper-parameters."""
    state = {name: value for name, value in componet.state_dict().items() if not name.startswith(drop)}
    frozen = {"vae.encoder.conv_in.weight": torch.ones(3), "stft.mel_basis": torch.ones(2, 2)}
    frozen |= {"text_encoder.logit_scale": torch.tensor(1.0), "language_model.wpe.weight": torch.ones(2)}
    moments = {number: {"step": 7, "exp_avg": torch.zeros(3)} for number in range(3)}
    content = {
        "epoch": 423,
        "global_step": 1000,
        "pytorch-lightning_version": "1.7.7",
        "state_dict": state | frozen,
        "callbacks": {"ModelCheckpoint": {"best_model_score": torch.tensor(0.1), "dirpath": "ckpts"}},
        "optimizer_states": [{"state": moments, "param_groups": [{"lr": 1e-4, "betas": (0.95, 0.999)}]}],
        "lr_schedulers": [],
        "hyper_parameters": {"sigmas": LogNormal(-3.0), "folder": Path("data"), "extra": extra},
    }
    torch.save(content, path)
    return path


def output(componet: CompoNet) -> torch.Tensor:
    with torch.no_grad():
        return componet(random_latents(), STEP, random_text(), random_latents(seed=8))


@pytest.mark.parametrize(("attentions", "kind"), [(False, "adapter"), (True, "attentions")])
def test_both_released_kinds_are_recognised(tmp_path: Path, attentions: bool, kind: str) -> None:
    original = trained(attentions=attentions)
    componet = CompoNet(small_unet())
    assert not torch.equal(output(componet), output(original))
    loaded = load_weights(lightning_file(tmp_path / "epoch=423.ckpt", original), componet)
    of_unet = [name for name, _ in original.unet.named_parameters()]
    assert loaded.trained == kind
    assert loaded.adapter == len(original.controlnet.state_dict())
    assert loaded.unet == len(of_unet)
    assert loaded.unet_changed == (sum(map(is_attention, of_unet)) if attentions else 0)
    assert torch.equal(output(componet), output(original))


def test_the_adapter_alone_is_not_the_slakh_model(tmp_path: Path) -> None:
    original = trained(attentions=True)
    path = lightning_file(tmp_path / "stripped.ckpt", original, drop="unet.")
    componet = CompoNet(small_unet())
    assert load_weights(path, componet).unet == 0
    assert not torch.equal(output(componet), output(original))


def test_a_unet_trained_from_scratch_is_told(tmp_path: Path) -> None:
    original = CompoNet(small_unet(seed=4))
    componet = CompoNet(small_unet())
    assert load_weights(lightning_file(tmp_path / "scratch.ckpt", original), componet).trained == "unet"
    assert torch.equal(output(componet), output(original))


def test_weights_frozen_in_half_precision_are_not_taken_for_trained(tmp_path: Path) -> None:
    path = lightning_file(tmp_path / "adapter.ckpt", trained())
    componet = CompoNet(small_unet()).bfloat16()
    assert load_weights(path, componet).trained == "adapter"
    assert next(componet.parameters()).dtype == torch.bfloat16


def test_the_file_is_mapped(tmp_path: Path, monkeypatch) -> None:
    path = lightning_file(tmp_path / "adapter.ckpt", trained())
    seen, real = {}, torch.load
    monkeypatch.setattr(torch, "load", lambda *args, **kw: seen.update(kw) or real(*args, **kw))
    load_weights(path, CompoNet(small_unet()))
    assert seen["mmap"] is True
    assert seen["weights_only"] is True


def test_nothing_in_the_file_is_executed(tmp_path: Path) -> None:
    target = tmp_path / "written"
    path = lightning_file(tmp_path / "bad.ckpt", trained(), extra=Touch(target))
    with zipfile.ZipFile(path) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("data.pkl"))
        assert b"touch" in archive.read(name)
    with contextlib.suppress(CheckpointError):
        load_weights(path, CompoNet(small_unet()))
    assert not target.exists()


@pytest.mark.parametrize("content", [b"", b"no pickle", pickle.dumps({"a": 1})])
def test_files_that_are_no_checkpoint(tmp_path: Path, content: bytes) -> None:
    for suffix in (".ckpt", ".safetensors"):
        path = tmp_path / f"damaged{suffix}"
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match="not a readable"):
            load_weights(path, CompoNet(small_unet()))


def test_a_truncated_file(tmp_path: Path) -> None:
    path = lightning_file(tmp_path / "half.ckpt", trained())
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(CheckpointError, match=r"half\.ckpt: not a readable"):
        load_weights(path, CompoNet(small_unet()))


def test_a_file_without_adapter(tmp_path: Path) -> None:
    path = lightning_file(tmp_path / "other.ckpt", trained(), drop="controlnet.")
    with pytest.raises(CheckpointError, match="holds no CompoNet"):
        load_weights(path, CompoNet(small_unet()))
    torch.save([torch.ones(2)], path)
    with pytest.raises(CheckpointError, match="no state_dict"):
        load_weights(path, CompoNet(small_unet()))


def test_missing_and_misshapen_tensors_are_named_and_nothing_is_changed(tmp_path: Path) -> None:
    incomplete = lightning_file(tmp_path / "lacking.ckpt", trained(), drop="controlnet.controlnet_mid")
    componet = CompoNet(small_unet())
    before = output(componet)
    with pytest.raises(
        CheckpointError,
        match=r"missing controlnet.controlnet_mid_block.weight; missing",
    ):
        load_weights(incomplete, componet)
    torch.manual_seed(0)
    wide = CompoNet(build_unet(SMALL | {"block_out_channels": (8, 16)}))
    with pytest.raises(CheckpointError, match=r"does not fit this U-Net: controlnet.* is .*, not .*; and \d+ more"):
        load_weights(lightning_file(tmp_path / "wide.ckpt", wide), componet)
    assert torch.equal(output(componet), before)


@pytest.mark.parametrize("attentions", [False, True])
def test_own_files_hold_what_was_trained(tmp_path: Path, attentions: bool) -> None:
    original = trained(attentions=attentions)
    original.select_trained(unet_attentions=attentions)
    path = tmp_path / "new" / "componet.safetensors"
    save_weights(original, path)
    componet = CompoNet(small_unet())
    loaded = load_weights(path, componet)
    assert loaded.trained == ("attentions" if attentions else "adapter")
    assert loaded.unet == loaded.unet_changed
    assert torch.equal(output(componet), output(original))


def test_a_lightning_file_becomes_one_of_ours(tmp_path: Path) -> None:
    original = trained(attentions=True)
    componet = CompoNet(small_unet())
    load_weights(lightning_file(tmp_path / "slakh.ckpt", original), componet)
    componet.select_trained(unet_attentions=True)
    save_weights(componet, tmp_path / "slakh.safetensors")
    again = CompoNet(small_unet())
    assert load_weights(tmp_path / "slakh.safetensors", again).trained == "attentions"
    assert torch.equal(output(again), output(original))
    assert (tmp_path / "slakh.safetensors").stat().st_size < (tmp_path / "slakh.ckpt").stat().st_size


def test_a_bare_state_dict_is_read_too(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    torch.save(trained().state_dict(), buffer)
    (tmp_path / "bare.ckpt").write_bytes(buffer.getvalue())
    assert load_weights(tmp_path / "bare.ckpt", CompoNet(small_unet())).trained == "adapter"
