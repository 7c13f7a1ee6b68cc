"""Reading and converting the authors' two files of 2026: known by their keys and settings, and never executed."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from original_2026_names import SETTINGS_2026
from original_2026_names import original_state_2026 as original_state

from cocola_metric import CocolaScorer
from cocola_metric.checkpoints import loading, original_2026
from cocola_metric.checkpoints.original import read_original
from cocola_metric.cli import score
from cocola_metric.encoder.model import CocolaModel
from cocola_metric.errors import CheckpointError

TWO_PATHS = 1e-4  # the file runs in torch, the folder in NumPy and ONNX Runtime: other sums in float32
KINDS = ("phalar", "cocola_2026")


@pytest.fixture(scope="module")
def models() -> dict[str, CocolaModel]:
    torch.manual_seed(0)
    configs = {"phalar": original_2026._phalar_config(), "cocola_2026": original_2026._cocola_config()}
    return {kind: CocolaModel(config).eval() for kind, config in configs.items()}


def write(path: Path, kind: str, state: dict[str, Any], **settings: Any) -> Path:
    torch.save({"state_dict": state, "hyper_parameters": SETTINGS_2026[kind] | settings}, path)
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_both_are_recognised(models, tmp_path: Path, kind: str) -> None:
    file = write(tmp_path / "any.ckpt", kind, original_state(kind, models[kind]))
    config, state = read_original(file)
    expected = models[kind].state_dict()
    assert config == models[kind].config
    assert state.keys() == expected.keys()
    assert all(torch.equal(state[key], tensor) for key, tensor in expected.items())


@pytest.mark.parametrize("kind", KINDS)
def test_the_authors_files_are_recognised(parity_2026, kind: str) -> None:
    config, state = read_original(parity_2026(kind).checkpoint)
    assert config.front_end == {"phalar": "cqt", "cocola_2026": "hps_reflect"}[kind]
    assert len(state) == {"phalar": 192, "cocola_2026": 370}[kind]


def test_a_bare_state_dict_will_do(models, tmp_path: Path) -> None:
    torch.save(original_state("phalar", models["phalar"]), tmp_path / "bare.ckpt")
    assert read_original(tmp_path / "bare.ckpt")[0].front_end == "cqt"


@pytest.mark.parametrize("kind", KINDS)
def test_the_command_converts_it(models, tmp_path: Path, kind: str, capsys) -> None:
    file = write(tmp_path / f"{kind}.ckpt", kind, original_state(kind, models[kind]))
    assert score.convert([str(file), str(tmp_path / "out")]) == 0
    assert json.loads(capsys.readouterr().out)["front_end"] == models[kind].config.front_end
    config = json.loads((tmp_path / "out" / loading.CONFIG_FILE).read_text())
    assert config.items() >= dataclasses.asdict(models[kind].config).items()
    written = safetensors.torch.load_file(tmp_path / "out" / loading.WEIGHTS_FILE)
    assert all(torch.equal(written[key], tensor) for key, tensor in models[kind].state_dict().items())
    noise = 0.1 * torch.randn(2, 1, 6 * 16_000, generator=torch.Generator().manual_seed(0))
    scores = [
        CocolaScorer.from_pretrained(place, device="cpu").score(*noise, sample_rate=16_000)
        for place in (file, tmp_path / "out")
    ]
    assert scores[0] == pytest.approx(scores[1], rel=TWO_PATHS)


@pytest.mark.parametrize(
    ("kind", "changes", "settings", "message"),
    [
        ("phalar", {"extra": torch.zeros(1)}, {}, "unexpected extra"),
        ("phalar", {"encoder.cqt_extractor.0.lenghts": torch.ones(96)}, {}, r"lenghts belongs to another front end"),
        (
            "phalar",
            {"encoder.cqt_extractor.0.other": torch.ones(96)},
            {},
            r"unexpected encoder\.cqt_extractor\.0\.other",
        ),
        ("phalar", {}, {"spec_pool_norm": None}, "hyper-parameter spec_pool_norm is None, not 'global'"),
        (
            "phalar",
            {"encoder.mlp.2.b": torch.zeros(3)},
            {},
            r"encoder\.projection\.2\.threshold is \(3,\), not \(512,\)",
        ),
        ("cocola_2026", {"encoder.mlp.9.weight": torch.zeros(1)}, {}, r"unexpected encoder\.mlp\.9\.weight"),
        ("cocola_2026", {"encoder.backbone.model._fc.weight": torch.zeros(1)}, {}, r"unexpected .*_fc\.weight"),
        ("cocola_2026", {}, {"pool_type": "spec_pool"}, "hyper-parameter pool_type is 'spec_pool', not 'avg'"),
    ],
)
def test_what_is_wrong_is_listed(
    models, tmp_path: Path, kind: str, changes: dict[str, Any], settings: dict[str, Any], message: str
) -> None:
    file = write(tmp_path / "wrong.ckpt", kind, original_state(kind, models[kind]) | changes, **settings)
    with pytest.raises(CheckpointError, match=r"wrong\.ckpt: .*" + message):
        loading.load(file)
