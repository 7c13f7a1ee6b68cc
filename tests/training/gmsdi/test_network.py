"""The denoiser of tagged sub-mixes: its tags, its guidance, its preconditioning and its files."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from tiny_gmsdi import TINY, TINY_UNET, tiny_gmsdi

from cocola_metric.errors import CheckpointError, UsageError
from cocola_metric.training.gmsdi.checkpoint import gmsdi_sha256, load_gmsdi, load_weights_of, save_gmsdi
from cocola_metric.training.gmsdi.network import GMSDI, GMSDIConfig
from cocola_metric.training.gmsdi.train import Denoising
from cocola_metric.training.msdm.noise import Noise

NOISY = 0.1 * torch.randn(2, 1, TINY.length, generator=torch.Generator().manual_seed(0))


def test_tags_are_words_in_any_order() -> None:
    words = tiny_gmsdi().words([["piano", "bass"], {"drums"}, []])
    assert words.tolist() == [[1, 0, 0, 1], [0, 1, 0, 0], [0, 0, 0, 0]]


def test_a_tag_that_the_model_does_not_know_is_refused() -> None:
    with pytest.raises(UsageError, match="knows bass, drums, guitar, piano, not lute"):
        tiny_gmsdi().words([["bass", "lute"]])


def test_tags_change_what_is_estimated() -> None:
    model = tiny_gmsdi()
    with torch.no_grad():
        one, other = (model(NOISY, 0.2, model.words([tags, tags])) for tags in (["bass"], ["drums", "piano"]))
    assert (one - other).abs().max() > 1e-4


def test_guidance_is_a_line_through_the_estimates_with_tags_and_without() -> None:
    model, calls = tiny_gmsdi(), []
    words = model.words([["bass"], ["drums"]])
    model.unet.register_forward_hook(lambda *_: calls.append(1))
    with torch.no_grad():
        free, tagged, strong = (model(NOISY, 0.2, words, weight) for weight in (0.0, 1.0, 3.0))
    torch.testing.assert_close(strong, free + 3 * (tagged - free), rtol=0, atol=1e-6)
    assert len(calls) == 1 + 1 + 2
    assert torch.equal(free, model(NOISY, 0.2, torch.zeros_like(words)))


def test_a_hardly_noisy_sub_mix_is_kept() -> None:
    model = tiny_gmsdi()
    with torch.no_grad():
        kept = model(NOISY, 1e-5, model.words([[], []]))
    torch.testing.assert_close(kept, NOISY, rtol=0, atol=1e-4)


def test_the_loss_is_the_weighted_error_of_the_denoiser() -> None:
    model = tiny_gmsdi().double()
    noise = Noise(torch.tensor([0.01, 0.3]).double(), torch.randn(2, 1, TINY.length).double())
    music, words = 0.05 * torch.randn(2, 1, TINY.length).double(), model.words([["bass"], ["drums"]]).double()
    levels, data = noise.levels[:, None, None], TINY.sigma_data
    with torch.no_grad():
        error = model(music + levels * noise.samples, noise.levels, words) - music
        found = Denoising(model)(music, words, noise)
    expected = ((levels**2 + data**2) / (levels * data) ** 2 * error.square()).mean(dim=(1, 2))
    assert found.tolist() == pytest.approx(expected.tolist(), rel=1e-5)


@pytest.mark.parametrize("shape", [(2, TINY.length), (2, 2, TINY.length), (2, 1, TINY.length + 1)])
def test_shapes_that_do_not_fit_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match=r"x must have the shape \(batch, 1, a multiple of 96\)"):
        tiny_gmsdi()(torch.zeros(shape), 0.1, torch.zeros(2, 4))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tags": ()}, "tags must be one or more"),
        ({"tags": ("bass", "bass")}, "different words"),
        ({"length": 100}, "length must be a multiple of 96"),
        ({"unet": dataclasses.replace(TINY_UNET, stems=2)}, r"unet\.stems must be 1"),
    ],
)
def test_configurations_that_make_no_sense_are_refused(changes: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        GMSDIConfig(**({"length": TINY.length, "unet": TINY_UNET} | changes))


def test_a_saved_model_comes_back(tmp_path: Path) -> None:
    model = tiny_gmsdi()
    save_gmsdi(model, tmp_path / "model")
    loaded = load_gmsdi(tmp_path / "model")
    assert loaded.config == TINY and not loaded.training
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, loaded.state_dict()[name]), name
    save_gmsdi(tiny_gmsdi(1), tmp_path / "other")
    assert gmsdi_sha256(tmp_path / "model") != gmsdi_sha256(tmp_path / "other")


def test_files_that_are_no_model_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such folder"):
        load_gmsdi(tmp_path / "nowhere")
    save_gmsdi(tiny_gmsdi(), tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"tags": ["bass"]}))
    with pytest.raises(CheckpointError, match="another network than expected"):
        load_gmsdi(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(config | {"stems": ["bass"]}))
    with pytest.raises(CheckpointError, match="no configuration of GMSDI"):
        load_gmsdi(tmp_path)


def test_a_run_starts_from_a_model_of_its_own_configuration_alone(tmp_path: Path) -> None:
    save_gmsdi(tiny_gmsdi(1), tmp_path)
    model = tiny_gmsdi(0)
    load_weights_of(model, tmp_path)
    assert torch.equal(model.tags.weight, tiny_gmsdi(1).tags.weight)
    other = GMSDI(dataclasses.replace(TINY, sample_rate=8_000))
    with pytest.raises(CheckpointError, match="other sizes, tags or rate"):
        load_weights_of(other, tmp_path)
