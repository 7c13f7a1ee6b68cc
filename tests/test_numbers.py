"""NaN is not silence: weights, embeddings and scores that are no numbers are errors, and are counted by the metric."""

import copy
import sys
from pathlib import Path

import pytest
import torch

from cocola_metric import CocolaScorer
from cocola_metric.audio.limits import AudioWarning
from cocola_metric.checkpoints.loading import load
from cocola_metric.encoder.model import CocolaModel
from cocola_metric.errors import AudioError, CheckpointError, UsageError
from cocola_metric.scoring import devices

RATE = 16_000


@pytest.fixture(scope="module")
def model() -> CocolaModel:
    return load("embedded").model


def noise(amplitude: float = 0.1, *, seconds: int = 6) -> torch.Tensor:
    return amplitude * torch.randn(seconds * RATE, generator=torch.Generator().manual_seed(0))


def spoiled(model: CocolaModel, name: str, value: float) -> CocolaScorer:
    """Return a scorer whose weights were spoilt after they were loaded."""
    spoiled = copy.deepcopy(model)
    with torch.no_grad():
        spoiled.get_parameter(name).flatten()[0] = value
    return CocolaScorer(spoiled)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["encoder.projection.weight", "encoder.layer_norm.bias"])
def test_embeddings_that_are_no_numbers_are_not_silence(model: CocolaModel, name: str, value: float) -> None:
    scorer = spoiled(model, name, float("nan") if "bias" in name else value)
    for call in (scorer.score, lambda a, b, **k: scorer.similarity_matrix([a], [b], **k)):
        with pytest.raises(CheckpointError, match="NaN or infinite"):
            call(noise(), noise(), sample_rate=RATE)


def test_scores_that_are_no_numbers_are_not_silence(model: CocolaModel) -> None:
    scorer = spoiled(model, "similarity.weight", float("inf"))
    with pytest.raises(CheckpointError, match="NaN or infinite"):
        scorer.score(noise(), noise(), sample_rate=RATE)
    with pytest.raises(CheckpointError, match="NaN or infinite"):
        scorer.similarity_matrix([noise()], [noise()], sample_rate=RATE)


def test_samples_beyond_all_measure_are_named(model: CocolaModel) -> None:
    scorer = CocolaScorer(copy.deepcopy(model))
    results = list(scorer.iter_scores([(noise(1e30), noise()), (noise(), noise())], sample_rate=RATE))
    assert isinstance(results[0], AudioError) and "full scale of 1" in str(results[0])
    assert not isinstance(results[1], AudioError)


def test_the_metric_leaves_out_and_counts_what_is_no_number() -> None:
    pytest.importorskip("torchmetrics", reason="needs the extra [torchmetrics]")
    from cocola_metric import CocolaMetric

    metric = CocolaMetric()
    metric.update(noise()[None], noise()[None])
    alone = metric.compute()
    metric.update(torch.stack([noise(1e30), noise()]), torch.stack([noise(), noise()]))
    with pytest.warns(AudioWarning, match="1 pairs have a NaN or infinite score"):
        assert metric.compute().item() == pytest.approx(alone.item(), rel=1e-5)
    assert (int(metric.scored_pairs), int(metric.unfit_pairs), int(metric.silent_pairs)) == (2, 1, 0)


@pytest.mark.parametrize("device", ["cuda:99", "meta", "toaster", "mps", "xpu:3"])
def test_a_device_that_is_not_there_is_named(device: str) -> None:
    if device == "mps" and torch.backends.mps.is_available():
        pytest.skip("there is one")
    with pytest.raises(UsageError, match=f"device '{device}' cannot be used here .*; pass cpu"):
        CocolaScorer.from_pretrained(device=device)


def test_the_command_names_a_missing_gpu(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from cocola_metric.cli import score

    if torch.cuda.is_available():
        pytest.skip("there is one")
    files = [str(data / name) for name in ("conditioning.flac", "accompaniment.flac")]
    assert score.main([*files, "--device", "cuda"]) == 2
    assert "device 'cuda' cannot be used here" in capsys.readouterr().err


def test_mps_is_the_default_where_it_is_and_works(monkeypatch: pytest.MonkeyPatch) -> None:
    if torch.cuda.is_available():
        pytest.skip("CUDA comes first")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(devices, "_transforms_on", lambda device: device == "mps")
    assert devices.chosen_device(None) == "mps" and devices.chosen_device("cpu") == "cpu"
    monkeypatch.setattr(devices, "_transforms_on", lambda device: False)
    assert devices.chosen_device(None) == "cpu"


def test_what_front_ends_need_of_a_device_is_tried() -> None:
    assert devices._transforms_on("cpu")
    if not torch.backends.mps.is_available():
        assert not devices._transforms_on("mps")


def test_apple_silicon_may_have_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "torch")
    monkeypatch.setattr(sys, "platform", "darwin")
    for machine, found in (("arm64", True), ("x86_64", False)):
        monkeypatch.setattr(devices.platform, "machine", lambda machine=machine: machine)
        assert devices._may_have_gpu() is found
