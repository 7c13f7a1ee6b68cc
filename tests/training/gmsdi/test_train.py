"""Training the model behind GMSDI in small: sub-mixes and their tags, runs that go on, what the tags are worth."""

import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from tiny_gmsdi import TINY

from cocola_metric.errors import AudioError, CocolaError, UsageError
from cocola_metric.training.corpora.bank import NO_STEM, BankTrack
from cocola_metric.training.gmsdi import commands, train
from cocola_metric.training.gmsdi.checkpoint import load_gmsdi, save_gmsdi
from cocola_metric.training.gmsdi.config import GMSDITraining, load_gmsdi_config
from cocola_metric.training.gmsdi.network import GMSDI
from cocola_metric.training.gmsdi.submixes import SubmixDraws, measure_powers
from cocola_metric.training.msdm.stems import StemTrack

RATE = 16_000
CONFIG = Path(train.__file__).parents[1] / "configs" / "gmsdi_small.toml"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    """Bass and drums: a low tone and bursts of noise."""
    root, rng = tmp_path_factory.mktemp("corpus"), np.random.default_rng(0)
    time = np.arange(2 * RATE) / RATE
    for split in ("train", "validation"):
        for number in range(2):
            beat = time * rng.uniform(2, 4) % 1
            folder = root / split / f"track{number}"
            folder.mkdir(parents=True)
            tone = 0.2 * np.sin(2 * np.pi * 80 * (1 + number / 12) * time)
            soundfile.write(folder / "bass.flac", tone, RATE)
            soundfile.write(folder / "drums.flac", rng.normal(0, 0.2, len(time)) * np.exp(-20 * beat), RATE)
    return root


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def small(monkeypatch) -> None:
    monkeypatch.setattr(train, "VALIDATION_WINDOWS", 8)
    monkeypatch.setattr(train, "STEPS_BETWEEN_CHECKPOINTS", 2)
    monkeypatch.setattr(train, "STEPS_BETWEEN_LINES", 1)


def config_of(corpus: Path, **settings) -> GMSDITraining:
    defaults = {"model": TINY, "batch_size": 4, "steps": 3, "warmup_steps": 1, "bfloat16": False, "seed": 5}
    return GMSDITraining(corpora=(str(corpus),), **(defaults | {"learning_rate": 1e-3} | settings))


def log_rows(out: Path) -> list[dict[str, str]]:
    with (out / "log.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_small_model_is_small_and_lasts_as_long_as_its_queries() -> None:
    config = load_gmsdi_config(CONFIG, ["steps=7"])
    with torch.device("meta"):
        parameters = sum(tensor.numel() for tensor in GMSDI(config.model).parameters())
    assert parameters * 2 < 5_000_000  # bytes, in float16
    assert config.model.seconds == 5.12 and config.steps == 7


def test_unknown_settings_and_shares_out_of_range_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "typo.toml"
    file.write_text("[model]\nstems = ['bass']\n")
    with pytest.raises(CocolaError, match=r"typo\.toml: unknown setting stems; known are length"):
        load_gmsdi_config(file)
    with pytest.raises(UsageError, match="untagged must be from 0 to 1"):
        GMSDITraining(untagged=1.5)


def track_of_three() -> StemTrack:
    """Two rows of guitar (2), one of bass (0); in the second half nothing sounds but the bass."""
    powers = np.ones((3, 40), np.float32)
    powers[:2, 20:] = 0
    return StemTrack(BankTrack("a", 1000, 4 * RATE, powers, beat=0.5), (2, 2, 0))


def draws_of(track: StemTrack, **settings) -> SubmixDraws:
    return SubmixDraws([track], 4, RATE // 2, **({"batch_size": 64, "steps": 3, "untagged": 0.0, "seed": 1} | settings))


def test_tags_say_what_sounds_in_a_sub_mix() -> None:
    offsets, words = draws_of(track_of_three())[1]
    assert offsets.shape == (64, 3) and words.shape == (64, 4)
    assert (words.sum(dim=1) >= 1).all() and not words[:, [1, 3]].any()
    rows = torch.where(offsets == NO_STEM, NO_STEM, (offsets - 1000) // (4 * RATE))
    starts = torch.where(offsets == NO_STEM, 0, (offsets - 1000) % (4 * RATE)).amax(dim=1)
    for present, start, (bass, _, guitar, _) in zip(rows.tolist(), starts.tolist(), words.tolist(), strict=True):
        assert (2 in present) == bool(bass)
        assert (0 in present) == (1 in present) == bool(guitar)
        assert not guitar or start < 2 * RATE
    assert {tuple(row) for row in words.tolist()} == {(1, 0, 0, 0), (0, 0, 1, 0), (1, 0, 1, 0)}


def test_batches_are_the_same_each_time_and_some_have_no_tags() -> None:
    first, again = (draws_of(track_of_three(), untagged=0.25)[2] for _ in range(2))
    assert torch.equal(first.offsets, again.offsets) and torch.equal(first.words, again.words)
    bare = sum((~draws_of(track_of_three(), untagged=0.25, seed=seed)[0].words.any(dim=1)).sum() for seed in range(8))
    assert bare / 512 == pytest.approx(0.25, abs=0.06)
    assert not draws_of(track_of_three(), untagged=1.0)[0].words.any()


def test_short_music_is_refused() -> None:
    with pytest.raises(AudioError, match=r"lasts 5\.0 s"):
        SubmixDraws([track_of_three()], 4, 5 * RATE, batch_size=1, steps=1, untagged=0, seed=1)


def test_the_loss_falls_and_the_tags_help(corpus: Path, cache: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(train, "STEPS_BETWEEN_CHECKPOINTS", 20)
    config = config_of(corpus, steps=80, learning_rate=4e-3, batch_size=8)
    trained = train.train_gmsdi(config, tmp_path, cache=cache, workers=0, cpu=True)
    rows = log_rows(tmp_path)
    watched = [row for row in rows if row["validation_loss"]]
    losses = [float(row["validation_loss"]) for row in watched]
    assert len(losses) == 4 and losses[-1] < 0.9 * losses[0]
    assert losses[-1] < float(watched[-1]["untagged_loss"])
    loaded = load_gmsdi(tmp_path)
    assert loaded.config == trained.config and len(loaded.config.powers) == 4 and min(loaded.config.powers) > 1e-4
    for key, value in trained.state_dict().items():
        assert torch.allclose(value, loaded.state_dict()[key], rtol=1e-3, atol=1e-6), key


def test_a_resumed_run_ends_where_an_unbroken_one_does(corpus: Path, cache: Path, tmp_path: Path, monkeypatch) -> None:
    config = config_of(corpus, steps=5)
    whole = train.train_gmsdi(config, tmp_path / "whole", cache=cache, workers=0, cpu=True)
    draw_noise, steps = train.draw_noise, []

    def interrupted(*arguments):
        steps.append(1)
        if len(steps) == 7:  # two batches of validation are among them
            raise KeyboardInterrupt
        return draw_noise(*arguments)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(train, "draw_noise", interrupted)
        train.train_gmsdi(config, tmp_path / "broken", cache=cache, workers=0, cpu=True)
    assert not (tmp_path / "broken" / "model.safetensors").exists()
    resumed = train.train_gmsdi(config, tmp_path / "broken", cache=cache, workers=0, cpu=True)
    for key, value in whole.state_dict().items():
        assert torch.allclose(value, resumed.state_dict()[key], atol=1e-6), key
    assert [row["step"] for row in log_rows(tmp_path / "broken")] == ["1", "2", "3", "4", "5"]


def test_a_run_starts_from_other_weights(corpus: Path, cache: Path, tmp_path: Path) -> None:
    config = config_of(corpus, steps=1, warmup_steps=0, learning_rate=1e-9)
    other = GMSDI(dataclasses.replace(TINY))
    save_gmsdi(other, tmp_path / "first")
    begun = train.train_gmsdi(
        config, tmp_path / "second", cache=cache, start_from=tmp_path / "first", workers=0, cpu=True
    )
    for key, value in other.state_dict().items():
        assert torch.allclose(value, begun.state_dict()[key], atol=1e-6), key


def test_the_command_trains(corpus: Path, cache: Path, tmp_path: Path, capsys) -> None:
    settings = [
        "batch_size=2",
        "steps=2",
        "bfloat16=false",
        "model.sample_rate=4000",
        "model.length=2304",
        "model.unet.channels=32",
        "model.unet.multipliers=[1, 1]",
        "model.unet.factors=[2]",
        "model.unet.blocks=[1]",
        "model.unet.attentions=[false]",
    ]
    where = ["--corpus", str(corpus), "--cache", str(cache), "--out", str(tmp_path / "run")]
    commands.train_gmsdi([str(CONFIG), "--set", *settings, *where, "--workers", "0", "--cpu", "--minutes", "1"])
    assert str(tmp_path / "run") in capsys.readouterr().out
    assert load_gmsdi(tmp_path / "run").config.length == 2304


def test_powers_are_measured_where_an_instrument_sounds() -> None:
    powers = np.zeros((3, 40), np.float32)
    powers[0, :10], powers[1, 5:15], powers[2] = 0.01, 0.03, 0.002
    track = StemTrack(BankTrack("a", 1000, 4 * RATE, powers, beat=0.5), (2, 2, 0))
    bass, drums, guitar, piano = measure_powers([track], 4)
    assert (bass, guitar) == (pytest.approx(0.002), pytest.approx(0.02))
    assert drums == piano == pytest.approx((10 * 0.01 + 10 * 0.03 + 40 * 0.002) / 60)
