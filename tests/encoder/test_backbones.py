"""The backbone that tells when and at what pitch."""

import copy

import pytest
import torch

from cocola_metric.encoder.model import CocolaModel, EncoderConfig, fold_batch_norm
from cocola_metric.errors import CheckpointError

PLACED = EncoderConfig(front_end="pitch_onset", backbone="placed_efficientnet_b0")
FOLDING_TOLERANCE = 2e-4


@pytest.fixture(scope="module")
def model() -> CocolaModel:
    torch.manual_seed(0)
    model = CocolaModel(PLACED)
    images = model.encoder.front_end(0.1 * torch.randn(8, 32_000))
    model.train()
    for _ in range(3):  # statistics unlike those of a new network
        model.encoder.embed_features(images)
    return model.eval().requires_grad_(False)


@pytest.mark.parametrize("samples", [4_960, 32_000, 80_000])
def test_windows_of_any_length(model: CocolaModel, samples: int) -> None:
    embeddings = model.encoder(0.1 * torch.randn(2, samples))
    assert embeddings.shape == (2, 512) and embeddings.isfinite().all()


def test_the_series_tells_a_delay_that_the_average_does_not(model: CocolaModel) -> None:
    backbone = model.encoder.backbone
    onset = torch.nn.functional.one_hot(torch.tensor([[[[9]]]]), 32)[0].float()
    here, later = (backbone._series(moved, 8, 15)[0, 0, 0] for moved in (onset, onset.roll(2, dims=-1)))
    assert torch.isclose(here[0], later[0])
    power = [values[1:16].square() + values[16:].square() for values in (here, later)]
    assert torch.allclose(*power, atol=1e-6)
    assert (here[1:] * later[1:]).sum() < 0.2 * here[1:].square().sum()


def test_the_series_keeps_all_of_five_seconds(model: CocolaModel) -> None:
    """31 numbers for 32 frames: two maps have the same inner product as their series, but for the highest frequency."""
    torch.manual_seed(0)
    first, second = torch.nn.functional.avg_pool1d(torch.randn(2, 1, 33), 2, 1).unsqueeze(2)
    left, right = (model.encoder.backbone._series(side[None], 8, 15)[0, 0, 0] for side in (first, second))
    weights = torch.tensor([1.0] + [2.0] * 30)
    expected = (first * second).mean()
    assert torch.isclose((left * right * weights).sum(), expected, atol=0.05)


def test_folding_changes_nothing_but_speed(model: CocolaModel) -> None:
    waveforms = 0.1 * torch.randn(2, 32_000)
    folded = fold_batch_norm(copy.deepcopy(model))
    assert not [module for module in folded.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert (folded.encoder(waveforms) - model.encoder(waveforms)).abs().max() < FOLDING_TOLERANCE


@torch.no_grad()
def movement(backbone: str, first: torch.Tensor, second: torch.Tensor) -> float:
    """How far two of eight embeddings lie apart, for an untrained encoder with the batch's own statistics."""
    torch.manual_seed(2)
    config = EncoderConfig(front_end="pitch_onset", backbone=backbone, drop_connect=0.0, dropout=0.0)
    encoder = CocolaModel(config).train().encoder
    embeddings = encoder(torch.cat([first, second, 0.1 * torch.randn(6, first.shape[1])]))
    return float((embeddings[0] - embeddings[1]).norm())


def test_half_a_beat_of_delay_moves_an_embedding_further() -> None:
    torch.manual_seed(1)
    clicks = 1e-3 * torch.randn(1, 80_000)
    clicks[0, ::8_000] += 1.0
    late = clicks.roll(4_000, dims=1)
    assert movement("placed_efficientnet_b0", clicks, late) > 1.5 * movement("efficientnet_b0", clicks, late)


@pytest.mark.parametrize("front_end", ["mel", "hps"])
def test_images_of_other_rows_are_refused_at_once(front_end: str) -> None:
    with pytest.raises(CheckpointError, match=r"takes images of 128 rows and 0\.02 s a frame"):
        EncoderConfig(front_end=front_end, backbone="placed_efficientnet_b0")
