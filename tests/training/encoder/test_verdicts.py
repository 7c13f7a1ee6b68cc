"""A verdict on noise: fitted on readings, added to an encoder, which otherwise stays as it was."""

from pathlib import Path

import pytest
import torch
from tiny_corpus import write_corpus

from cocola_metric.checkpoints import loading
from cocola_metric.encoder.model import CocolaModel, EncoderConfig
from cocola_metric.encoder.noise_verdict import PENALTY
from cocola_metric.encoder.phasor_sizes import WIDE
from cocola_metric.errors import UsageError
from cocola_metric.training.encoder import commands, verdicts

REAL = 64
JOINED = EncoderConfig(
    front_end="pitch_onset",
    backbone="placed_wide_phasor_efficientnet_b0",
    similarity="wide_phasors",
    embedding_dim=REAL + WIDE.time.width + WIDE.pitch.width,
)


@pytest.fixture(scope="module")
def joined() -> CocolaModel:
    torch.manual_seed(0)
    return CocolaModel(JOINED).eval()


def test_a_regression_tells_two_kinds_apart_and_is_cautious() -> None:
    generator = torch.Generator().manual_seed(0)
    music, noise = torch.randn(2, 400, 8, generator=generator)
    noise[:, 3] += 6
    logit = verdicts.fit_logit(music, noise)
    assert (logit(music) < 0).float().mean() > 0.995
    assert (logit(noise) > 0).float().mean() > 0.5
    assert logit(music).median() < -verdicts.CAUTION and logit(noise).median() > 0


def test_what_was_there_stays_and_noise_takes_the_penalty_off(joined: CocolaModel) -> None:
    width = joined.encoder.backbone.width
    never, always = torch.nn.Linear(width, 1), torch.nn.Linear(width, 1)
    for layer, sign in ((never, -1), (always, 1)):
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.constant_(layer.bias, 40.0 * sign)
    waveforms = 0.1 * torch.randn(2, 2, 32_000, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        before = joined(*waveforms)
        assert torch.allclose(verdicts.add_verdict(joined, never)(*waveforms), before, atol=1e-4)
        heard = verdicts.add_verdict(joined, always)
        assert torch.allclose(heard(*waveforms), before - 2 * PENALTY, atol=1e-4)
        heard.similarity.noise.penalty.add_(3.0)  # as training may have left it
        assert torch.allclose(verdicts.add_verdict(heard, never)(*waveforms), before, atol=1e-4), "replaced"
        assert torch.allclose(verdicts.add_verdict(heard, always)(*waveforms), before - 2 * PENALTY, atol=1e-4)


def test_an_encoder_without_wide_phasors_is_refused() -> None:
    placed = CocolaModel(EncoderConfig(front_end="pitch_onset", backbone="placed_efficientnet_b0"))
    with pytest.raises(UsageError, match="join-head"):
        verdicts.add_verdict(placed, torch.nn.Linear(2, 1))


def test_the_command_writes_an_encoder_with_a_verdict(joined: CocolaModel, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(verdicts, "WINDOWS_OF_NOISE", 6)
    loading.save(joined, tmp_path / "joined")
    settings = tmp_path / "config.toml"
    settings.write_text(
        'corpora = []\n[sampling]\nwindow = 2.0\nbatch_size = 4\nwindows_per_track = 2\npartition = "track"\n'
    )
    corpus = write_corpus(tmp_path / "corpus")
    out = tmp_path / "heard"
    commands.hear_noise(
        [
            str(settings),
            "--encoder",
            str(tmp_path / "joined"),
            "--corpus",
            str(corpus),
            "--batches",
            "2",
            "--out",
            str(out),
        ]
    )
    lines = [line for line in capsys.readouterr().err.splitlines() if "pass for noise" in line]
    assert [line.split(":")[0] for line in lines] == ["train", "validation"]
    model = loading.load(out).model
    assert model.config.embedding_dim == JOINED.embedding_dim + 2
    assert model.config.similarity == "wide_phasors_noise"
