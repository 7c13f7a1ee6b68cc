"""Training MSDM in small: stems by instrument, windows at another rate, runs that go on, several processes."""

import csv
import dataclasses
import itertools
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import torchaudio

from cocola_metric.benchmarks.generators import Setting, open_generator
from cocola_metric.benchmarks.queries.draw import parts_of
from cocola_metric.errors import AudioError, CocolaError, UsageError
from cocola_metric.training.corpora.bank import NO_STEM, BankTrack
from cocola_metric.training.corpora.tracks import Stem, Track
from cocola_metric.training.msdm import commands, train
from cocola_metric.training.msdm import stems as msdm_data
from cocola_metric.training.msdm.checkpoint import load_msdm
from cocola_metric.training.msdm.config import MSDMTraining, load_msdm_config
from cocola_metric.training.msdm.loss import Denoising
from cocola_metric.training.msdm.network import MSDM, MSDMConfig
from cocola_metric.training.msdm.noise import Noise, draw_noise
from cocola_metric.training.msdm.stems import Resampler, StemDraws, StemTrack, channels_of, open_stems
from cocola_metric.training.msdm.unet import UNetConfig
from cocola_metric.training.runs.clock import Clock, scheduled_rate

RATE = 16_000
STEMS = ("bass", "drums", "guitar", "piano")
UNET = UNetConfig(
    channels=64,
    multipliers=(1, 1, 1),
    factors=(3, 2),
    blocks=(1, 1),
    attentions=(False, True),
    heads=2,
    head_channels=8,
)
TINY = MSDMConfig(sample_rate=4_000, length=1_920, sigma_data=0.1, unet=UNET)  # 0.48 s
CONFIGS = Path(train.__file__).parents[1] / "configs"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    """Bass and drums that sound together; one track has a fiddle, too, one has nothing that MSDM plays."""
    root, rng = tmp_path_factory.mktemp("corpus"), np.random.default_rng(0)
    time = np.arange(2 * RATE) / RATE
    for split, number in itertools.product(("train", "validation"), range(3)):
        beat = time * rng.uniform(2, 4) % 1
        stems = {
            "bass": 0.2 * np.sin(2 * np.pi * 80 * (1 + number / 12) * time) * (beat < 0.5),
            "drums": rng.normal(0, 0.2, len(time)) * np.exp(-20 * beat),
        }
        if number == 1:
            stems["fiddle"] = 0.1 * np.sin(2 * np.pi * 440 * time)
        if number == 2:
            stems = {"fiddle": stems["bass"], "Drums": stems["drums"]}
        folder = root / split / f"track{number}"
        folder.mkdir(parents=True)
        for name, samples in stems.items():
            soundfile.write(folder / f"{name}.flac", samples, RATE)
    return root


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def small(monkeypatch) -> None:
    monkeypatch.setattr(train, "VALIDATION_WINDOWS", 4)
    monkeypatch.setattr(train, "STEPS_BETWEEN_CHECKPOINTS", 2)
    monkeypatch.setattr(train, "STEPS_BETWEEN_LINES", 1)


def config_of(corpus: Path, **settings) -> MSDMTraining:
    defaults = {"model": TINY, "batch_size": 4, "steps": 3, "warmup_steps": 1, "bfloat16": False, "seed": 5}
    return MSDMTraining(corpora=(str(corpus),), **(defaults | {"learning_rate": 1e-3} | settings))


def log_rows(out: Path) -> list[dict[str, str]]:
    with (out / "log.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_published_settings_are_the_defaults() -> None:
    published = load_msdm_config(CONFIGS / "msdm.toml")
    assert dataclasses.replace(published, corpora=()) == MSDMTraining()
    assert (published.learning_rate, published.betas, published.batch_size) == (1e-4, (0.9, 0.99), 8)
    assert (published.noise_mean, published.noise_deviation) == (-3.0, 1.0)
    assert (published.model.sample_rate, published.model.length) == (22_050, 262_144)
    assert not published.warmup_steps and not published.largest_gradient and not published.stratified


def test_the_small_model_is_small_and_answers_queries() -> None:
    config = load_msdm_config(CONFIGS / "msdm_small.toml")
    with torch.device("meta"):
        parameters = sum(tensor.numel() for tensor in MSDM(config.model).parameters())
    assert parameters * 2 < 10_000_000  # bytes, in float16
    assert config.model.seconds == pytest.approx(5.944, abs=1e-3)
    assert config.model.stems == STEMS


def test_unknown_settings_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "typo.toml"
    file.write_text("[model.unet]\nchanels = 64\n")
    with pytest.raises(CocolaError, match=r"typo\.toml: unknown setting chanels; known are attentions, blocks"):
        load_msdm_config(file)
    with pytest.raises(UsageError, match=r"none\.toml: cannot be read"):
        load_msdm_config(tmp_path / "none.toml")


def test_settings_can_be_changed_for_a_run() -> None:
    changes = ["steps=7", "betas=[0.8, 0.9]", "model.unet.blocks=[1, 1, 1, 1]"]
    config = load_msdm_config(CONFIGS / "msdm_small.toml", changes)
    assert (config.steps, config.betas, config.model.unet.blocks) == (7, (0.8, 0.9), (1, 1, 1, 1))


def test_stems_are_classified_as_in_queries() -> None:
    stems = (
        Stem("S00", (), "Guitar"),
        Stem("S01", (), "Chromatic Percussion"),
        Stem("S02", (), "Drums"),
        Stem("bass", ()),
        Stem("bassoon", ()),
        Stem("S03", (), "guitar"),
    )
    track = Track("a", stems)
    found = channels_of(track, STEMS)
    assert found == {0: 2, 2: 1, 3: 0, 5: 2}
    for part in parts_of(track, STEMS):
        played = {stems[number].name for number, channel in found.items() if part.tag == f"{STEMS[channel]}_1"}
        assert set(part.stems) == played


def test_only_tracks_with_two_of_the_stems_are_loaded(corpus: Path, cache: Path) -> None:
    bank, tracks = open_stems([str(corpus)], "train", cache, STEMS, workers=0, device="cpu")
    assert [track.place.name for track in tracks] == ["track0", "track1"]
    assert [track.channels for track in tracks] == [(0, 1), (0, 1)]
    assert sum(map(len, bank.arrays)) == 4 * 2 * RATE
    second = soundfile.read(corpus / "train" / "track1" / "drums.flac", dtype="float32")[0]
    heard = bank.gather(torch.tensor([[tracks[1].place.offsets(0)[1]]]), 2 * RATE)[0]
    assert torch.allclose(heard, torch.from_numpy(second), atol=1e-4)
    with pytest.raises(AudioError, match=r"none of 3 tracks in .* has two stems of organ, piano"):
        open_stems([str(corpus)], "train", cache, ("organ", "piano"), workers=0, device="cpu")


def test_windows_sound_and_absent_stems_are_silent() -> None:
    """Of three rows, two are guitars that are summed; from the half on only one instrument sounds."""
    blocks = 40
    powers = np.ones((3, blocks), np.float32)
    powers[:2, blocks // 2 :] = 0
    length = blocks * RATE // 10
    track = StemTrack(BankTrack("a", 1000, length, powers, beat=0.5), (2, 2, 0))
    draws = StemDraws([track], 4, RATE // 2, batch_size=16, steps=3, seed=1)
    offsets = draws[2]
    assert offsets.shape == (16, 4, 2) and torch.equal(offsets, draws[2]) and not torch.equal(offsets, draws[1])
    starts = offsets[:, 2, 0] - 1000
    assert starts.min() >= 0 and starts.max() < length // 2
    assert torch.equal(offsets[:, 2, 1] - offsets[:, 2, 0], torch.full((16,), length))
    assert torch.equal(offsets[:, 0, 0] - offsets[:, 2, 1], torch.full((16,), length))
    assert (offsets[:, [1, 3]] == NO_STEM).all() and (offsets[:, 0, 1] == NO_STEM).all()
    with pytest.raises(AudioError, match=r"lasts 5\.0 s"):
        StemDraws([track], 4, 5 * RATE, batch_size=1, steps=1, seed=1)


@pytest.mark.parametrize("rate", [4_000, 11_025, 16_000, 22_050])
def test_resampling_is_that_of_torchaudio(rate: int) -> None:
    resampler = Resampler(rate, 1_500)
    music = torch.randn(2, resampler.reach)
    ahead = -resampler.width % resampler.orig if rate != RATE else 0  # so that one of torchaudio's frames begins there
    padded = torch.nn.functional.pad(music, (ahead, 0))
    first = (ahead + resampler.width) * rate // RATE if rate != RATE else 0
    expected = torchaudio.functional.resample(padded, RATE, rate)[:, first : first + 1_500]
    assert torch.allclose(resampler(music), expected, atol=1e-5)


def test_the_loss_is_that_of_edm() -> None:
    """Weighted by 1 / c_out^2, the error of D itself, where nothing is clamped."""
    torch.manual_seed(0)
    model = MSDM(TINY).double().eval()
    noise = Noise(torch.tensor([0.01, 0.3]).double(), torch.randn(2, 4, TINY.length).double())
    stems = 0.05 * torch.randn(2, 4, TINY.length).double()
    levels, data = noise.levels[:, None, None], TINY.sigma_data
    with torch.no_grad():
        error = model(stems + levels * noise.samples, noise.levels) - stems
        weight = (levels**2 + data**2) / (levels * data) ** 2
        found = Denoising(model)(stems, noise)
    expected = (weight * error.square()).mean(dim=(1, 2))
    assert found.tolist() == pytest.approx(expected.tolist(), rel=1e-5)


@pytest.mark.parametrize("stratified", [False, True])
def test_noise_levels_are_log_normal(stratified: bool) -> None:
    model = dataclasses.replace(TINY, length=96)
    config = MSDMTraining(model=model, noise_mean=-2.0, noise_deviation=1.5, stratified=stratified)
    noise = draw_noise(config, 4000, 3, torch.device("cpu"))
    logarithms = noise.levels.log()
    assert logarithms.mean() == pytest.approx(-2.0, abs=0.01 if stratified else 0.1)
    assert logarithms.std() == pytest.approx(1.5, abs=0.01 if stratified else 0.1)
    assert noise.samples.std() == pytest.approx(1.0, abs=0.01)
    again = draw_noise(config, 4000, 3, torch.device("cpu"))
    assert torch.equal(noise.levels, again.levels) and torch.equal(noise.samples, again.samples)
    assert torch.equal(noise.part(slice(2, 5)).samples, noise.samples[2:5])


def test_the_clock_and_the_learning_rate() -> None:
    assert Clock(100).share(25) == 0.25
    assert Clock(100, minutes=1e-9).share(1) >= 1
    clocks = [Clock(100, minutes=minutes) for minutes in (0.0, -3.0)]
    time.sleep(1e-4)
    assert all(clock.share(1) >= 1 for clock in clocks)
    rates = [scheduled_rate(step, step / 100, 10) for step in range(101)]
    assert rates[0] == 0.1 and rates[50] == pytest.approx(0.5) and rates[100] == 0
    assert {scheduled_rate(step, step / 9, 0) for step in range(10)} == {1.0}


def test_the_loss_falls_and_the_model_answers(corpus: Path, cache: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(train, "STEPS_BETWEEN_CHECKPOINTS", 20)
    config = config_of(corpus, steps=60, learning_rate=4e-3, stratified=True, largest_gradient=1.0)
    trained = train.train_msdm(config, tmp_path, cache=cache, workers=0, cpu=True)
    watched = [float(row["validation_loss"]) for row in log_rows(tmp_path) if row["validation_loss"]]
    losses = [float(row["loss"]) for row in log_rows(tmp_path)]
    assert len(watched) == 3 and watched[2] < 0.8 * watched[0] and losses[-1] < 0.6 * losses[0]
    loaded = load_msdm(tmp_path)
    assert loaded.config == TINY
    for key, value in trained.state_dict().items():
        assert torch.allclose(value, loaded.state_dict()[key], rtol=1e-3, atol=1e-6), key
    assert (tmp_path / "model.safetensors").stat().st_size < 2.2 * sum(p.numel() for p in trained.parameters())
    assert json.loads((tmp_path / "training.json").read_text())["batch_size"] == 4
    generator = open_generator(f"msdm:{tmp_path},steps=4,resamples=2", Setting(audio=None, queries_sha256=""))
    assert generator.name == "MSDM, small, ours" and generator.sampling.resamples == 2


def test_validation_hears_the_same_each_time(corpus: Path, cache: Path) -> None:
    config = config_of(corpus)
    bank, tracks = open_stems(config.corpora, "validation", cache, STEMS, workers=0, device="cpu")
    torch.manual_seed(0)
    model = MSDM(TINY)
    resampler = Resampler(TINY.sample_rate, TINY.length)
    accelerator = train.Accelerator(cpu=True)
    watch = train.Watch(bank, tracks, config, resampler, accelerator)
    first = watch.measure(model)
    torch.randn(7)
    assert watch.measure(model) == first
    assert train.Watch(bank, tracks, config, resampler, accelerator).measure(model) == first
    with torch.no_grad():
        model.unet.to_in.module_list[0]["block"].block1.project.weight.mul_(1.5)
    assert watch.measure(model) != first


def test_a_resumed_run_ends_where_an_unbroken_one_does(corpus: Path, cache: Path, tmp_path: Path, monkeypatch) -> None:
    config = config_of(corpus, steps=5)
    whole = train.train_msdm(config, tmp_path / "whole", cache=cache, workers=0, cpu=True)
    steps = []

    def interrupted(*arguments):
        steps.append(1)
        if len(steps) == 6:  # a batch of validation is among them
            raise KeyboardInterrupt
        return draw_noise(*arguments)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(train, "draw_noise", interrupted)
        train.train_msdm(config, tmp_path / "broken", cache=cache, workers=0, cpu=True)
    assert not (tmp_path / "broken" / "model.safetensors").exists()
    resumed = train.train_msdm(config, tmp_path / "broken", cache=cache, workers=0, cpu=True)
    for key, value in whole.state_dict().items():
        assert torch.allclose(value, resumed.state_dict()[key], atol=1e-6), key
    rows = [log_rows(tmp_path / name) for name in ("whole", "broken")]
    for column in ("step", "loss", "validation_loss"):
        assert [row[column] for row in rows[0]] == [row[column] for row in rows[1]]
    assert [row["step"] for row in rows[1]] == ["1", "2", "3", "4", "5"]


def test_a_run_ends_in_time(corpus: Path, cache: Path, tmp_path: Path) -> None:
    config = config_of(corpus, steps=10_000)
    train.train_msdm(config, tmp_path, cache=cache, minutes=1e-6, workers=0, cpu=True)
    assert [row["step"] for row in log_rows(tmp_path)] == ["1"]
    assert load_msdm(tmp_path).config == TINY


def test_a_command_that_cannot_run_says_why(corpus: Path, tmp_path: Path, capsys) -> None:
    file = tmp_path / "no_corpus.toml"
    file.write_text("bfloat16 = false\n")
    with pytest.raises(SystemExit, match="1"):
        commands.train_msdm([str(file), "--out", str(tmp_path / "run"), "--corpus", str(tmp_path / "none"), "--cpu"])
    assert "train-msdm: " in capsys.readouterr().err


@pytest.mark.slow
def test_two_processes_are_one(corpus: Path, cache: Path, tmp_path: Path) -> None:
    """Two gloo processes see the loss of one process on the same global batches, and end with its weights."""
    config = config_of(corpus, learning_rate=1e-4)
    open_stems(config.corpora, "train", cache, STEMS, workers=0, device="cpu")
    (tmp_path / "config.toml").write_text(
        f'corpora = ["{corpus}"]\nbatch_size = 4\nsteps = 3\nbfloat16 = false\nlearning_rate = 1e-4\n'
        "[model]\nsample_rate = 4000\nlength = 1920\nsigma_data = 0.1\n[model.unet]\nchannels = 64\n"
        "multipliers = [1, 1, 1]\nfactors = [3, 2]\nblocks = [1, 1]\nattentions = [false, true]\nheads = 2\n"
        "head_channels = 8\n"
    )
    script = tmp_path / "distributed.py"
    script.write_text(
        "import sys\n"
        "from cocola_metric.training.msdm import commands, train as train_msdm\n"
        "train_msdm.STEPS_BETWEEN_LINES, train_msdm.VALIDATION_WINDOWS = 1, 4\n"
        "commands.train_msdm(sys.argv[1:])\n"
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def start(out: str, **environment: object) -> subprocess.Popen[bytes]:
        settings = os.environ | {name: str(value) for name, value in environment.items()}
        options = ["--out", tmp_path / out, "--cache", cache, "--workers", "0", "--cpu"]
        command = [sys.executable, "-W", "ignore", script, tmp_path / "config.toml", *options]
        return subprocess.Popen(command, env=settings | {"OMP_NUM_THREADS": "1"}, stdout=subprocess.DEVNULL)

    together = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": 2, "ACCELERATE_USE_CPU": "true"}
    runs = [start("one")] + [start("two", RANK=rank, LOCAL_RANK=rank, **together) for rank in range(2)]
    assert [run.wait(timeout=300) for run in runs] == [0, 0, 0]
    one, two = (log_rows(tmp_path / out) for out in ("one", "two"))
    assert len(two) == 3
    assert [float(row["loss"]) for row in two] == pytest.approx([float(row["loss"]) for row in one], rel=1e-3)
    weights = [load_msdm(tmp_path / out).state_dict() for out in ("one", "two")]
    for key, value in weights[0].items():
        assert torch.allclose(value, weights[1][key], atol=1e-3), key


def test_the_resampler_takes_nothing_from_outside(monkeypatch) -> None:
    assert Resampler(16_000, 480).reach == 480
    halved = Resampler(8_000, 480)
    assert halved.reach == 480 * 2 + 2 * halved.width
    assert halved(torch.ones(1, halved.reach)).sub(1).abs().max() < 2e-2
    assert msdm_data.SAMPLE_RATE == RATE
