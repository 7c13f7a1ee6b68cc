"""Training in small: runs that go on, several processes, what the loss is of."""

import csv
import json
import math
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tiny_corpus import RATE, write_corpus

from cocola_metric import CocolaScorer, functional
from cocola_metric.checkpoints import CARD_FILE, loading, read_accuracies
from cocola_metric.encoder.model import CocolaModel, EncoderConfig
from cocola_metric.errors import AudioError, CocolaError, UsageError
from cocola_metric.training.componet.learning import small as componet_small
from cocola_metric.training.componet.learning import train as train_componet
from cocola_metric.training.encoder import commands, train, validation
from cocola_metric.training.encoder.card import save_run
from cocola_metric.training.encoder.config import SamplingConfig, TrainingConfig, load_config
from cocola_metric.training.encoder.starts import start_similarity

ENCODER = EncoderConfig(front_end="mel")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def small(monkeypatch) -> None:
    monkeypatch.setattr(validation, "BATCHES", {"shift": 1, "transpose": 1, "stretch": 1})
    monkeypatch.setattr(train, "CALIBRATION_BATCHES", 2)
    monkeypatch.setattr(train, "STEPS_BETWEEN_CHECKPOINTS", 2)
    monkeypatch.setattr(train, "STEPS_BETWEEN_LINES", 1)


def config_of(corpus: Path, **settings) -> TrainingConfig:
    sampling = SamplingConfig(window=1.0, batch_size=4, alterations={"shift": 0.5})
    defaults = {
        "encoder": ENCODER,
        "sampling": sampling,
        "steps": 3,
        "warmup_steps": 2,
        "validation_windows": 4,
        "seed": 5,
    }
    return TrainingConfig(corpora=(str(corpus),), **(defaults | settings))


def log_rows(out: Path) -> list[dict[str, str]]:
    with (out / "log.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_a_resumed_run_ends_where_an_unbroken_one_does(corpus: Path, cache: Path, tmp_path: Path, monkeypatch) -> None:
    config = config_of(corpus)
    whole = train.train(config, tmp_path / "whole", cache=cache, workers=0, cpu=True)
    make_features, calls = train.make_features, []

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return make_features(*arguments)

    monkeypatch.setattr(train, "make_features", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train.train(config, tmp_path / "broken", cache=cache, workers=0, cpu=True)
    resumed = train.train(config, tmp_path / "broken", cache=cache, workers=0, cpu=True)
    for key, value in whole.state_dict().items():
        assert torch.allclose(value, resumed.state_dict()[key], atol=1e-6), key
    losses = [[float(row["loss"]) for row in log_rows(tmp_path / name)] for name in ("whole", "broken")]
    assert losses[0] == pytest.approx(losses[1]) and len(losses[0]) == 3
    assert log_rows(tmp_path / "whole")[-1]["other_track"] != ""
    assert (tmp_path / "whole" / "encoder.onnx").is_file()
    scorer = CocolaScorer.from_pretrained(tmp_path / "whole")
    assert scorer.embed(torch.randn(1, 6 * RATE), sample_rate=RATE).shape[1] == 512
    assert json.loads((tmp_path / "whole" / "training.json").read_text())["sampling"]["batch_size"] == 4


def test_a_run_can_start_from_other_weights_and_end_in_time(corpus: Path, cache: Path, tmp_path: Path) -> None:
    encoder = EncoderConfig(front_end="mel", similarity="cosine")
    config = config_of(corpus, encoder=encoder, learning_rate=0.0, steps=1000)
    torch.manual_seed(1)
    start = CocolaModel(encoder)
    loading.save(start, tmp_path / "start")
    options = {"cache": cache, "start_from": str(tmp_path / "start"), "workers": 0, "cpu": True}
    trained = train.train(config, tmp_path / "run", minutes=1e-6, **options)
    assert [row["step"] for row in log_rows(tmp_path / "run")] == ["1"]
    stated = read_accuracies(tmp_path / "run")
    assert {(one.dataset, one.split) for one in stated} == {(corpus.name, "validation")}
    assert {(one.others, one.among) for one in stated} >= {("other_track", 2)} and 0 <= stated[0].percent <= 100
    own = (tmp_path / "run" / CARD_FILE).read_text() + "\nWords of my own.\n"
    (tmp_path / "run" / CARD_FILE).write_text(own)
    measured = {"other_track": 0.75, "same_track": math.nan}
    save_run(trained, tmp_path / "run", config, measured)
    again = read_accuracies(tmp_path / "run")
    assert [one.percent for one in again if (one.others, one.among) == ("other_track", 2)] == [75.0] and len(
        again
    ) == len(stated)
    assert "Words of my own." in (tmp_path / "run" / CARD_FILE).read_text()
    for key, value in start.named_parameters():
        assert torch.equal(value, trained.get_parameter(key)), key


def test_a_run_can_end_between_its_start_and_what_it_learned(corpus: Path, cache: Path, tmp_path: Path) -> None:
    torch.manual_seed(1)
    loading.save(CocolaModel(ENCODER), tmp_path / "start")
    options = {"cache": cache, "start_from": str(tmp_path / "start"), "workers": 0, "cpu": True}
    start = loading.load(tmp_path / "start").model
    learned = train.train(config_of(corpus, steps=2), tmp_path / "run", **options)
    between = train.train(config_of(corpus, steps=2, start_share=0.25), tmp_path / "between", **options)
    for name, weights in between.named_parameters():
        expected = 0.25 * start.get_parameter(name) + 0.75 * learned.get_parameter(name)
        assert torch.allclose(weights, expected, atol=1e-6), name
    with pytest.raises(UsageError, match="name them by --start-from"):
        train.train(config_of(corpus, start_share=0.25), tmp_path / "nowhere", cache=cache, workers=0, cpu=True)


def test_frozen_stages_keep_what_they_know(corpus: Path, cache: Path, tmp_path: Path) -> None:
    torch.manual_seed(1)
    start = CocolaModel(ENCODER)
    loading.save(start, tmp_path / "start")
    config = config_of(corpus, frozen_stages=2, learning_rate=1e-3)
    options = {"cache": cache, "start_from": str(tmp_path / "start"), "workers": 0, "cpu": True}
    trained = train.train(config, tmp_path / "run", **options).state_dict()
    kept = {key for key, value in start.state_dict().items() if torch.equal(value, trained[key])}
    stages = tuple(f"encoder.backbone.{stage}." for stage in ("conv_stem", "bn1", "blocks.0", "blocks.1"))
    assert {key for key in trained if key.startswith(stages)} == kept


def test_the_loss_can_be_learned() -> None:
    """A few steps on one batch bring its loss far below chance."""
    torch.manual_seed(0)
    model = CocolaModel(EncoderConfig(front_end="mel", drop_connect=0.0, dropout=0.0))
    contrast = train.Contrast(model)
    features = 20 * torch.randn(4, 3, 1, 64, 32)  # sides that share nothing: they must be memorised
    optimizer = torch.optim.Adam(model.parameters(), 1e-4)
    losses = []
    for _ in range(15):
        similarities = contrast(features, torch.zeros(4, dtype=torch.int64), torch.ones(4, dtype=torch.bool))
        loss = functional.contrastive_loss(similarities)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_what_is_no_negative() -> None:
    """Pairs of another mode are none, nor are wrong accompaniments that could not be made."""
    contrast = train.Contrast(CocolaModel(ENCODER)).eval()
    features = torch.randn(3, 3, 1, 64, 32)
    with torch.no_grad():
        alone = contrast(features, torch.arange(3), torch.zeros(3, dtype=torch.bool))
        mixed = contrast(features, torch.tensor([0, 0, 2]), torch.tensor([True, False, True]))
        plain = contrast(features[:, :2], torch.zeros(3, dtype=torch.int64), torch.ones(3, dtype=torch.bool))
    assert functional.contrastive_loss(alone).item() == pytest.approx(0.0, abs=1e-6)
    expected = [[1, 1, 0, 1], [1, 1, 0, 0], [0, 0, 1, 1]]
    assert mixed.isfinite().int().tolist() == expected
    assert plain.shape == (3, 3) and torch.allclose(plain[:2, :2], mixed[:2, :2], atol=1e-4)


@pytest.mark.parametrize("warmup_steps", [0, 2])
def test_learning_rate(corpus: Path, cache: Path, tmp_path: Path, monkeypatch, warmup_steps: int) -> None:
    """Every step of a run has the rate that the published encoders were trained with."""
    rates: list[list[float]] = []
    adam_step = torch.optim.Adam.step

    def noted(self: torch.optim.Adam, closure: None = None) -> object:
        rates.append([group["lr"] for group in self.param_groups])
        return adam_step(self, closure)

    monkeypatch.setattr(torch.optim.Adam, "step", noted)
    config = config_of(corpus, steps=5, warmup_steps=warmup_steps, learning_rate=1e-3, similarity_learning_rate=1e-2)
    train.train(config, tmp_path, cache=cache, workers=0, cpu=True)
    cosine = [0.5 * (1 + math.cos(math.pi * step / 5)) for step in range(5)]
    wanted = [min((step + 1) / 2, value) for step, value in enumerate(cosine)] if warmup_steps else [1.0] * 5
    assert [rate for rate, _ in rates] == pytest.approx([1e-3 * factor for factor in wanted])
    assert [rate for _, rate in rates] == pytest.approx([1e-2 * factor for factor in wanted])


@pytest.mark.parametrize("minutes", [0.0, -1.0])
def test_a_run_without_time_ends_after_its_next_step(corpus: Path, cache: Path, tmp_path: Path, minutes: float) -> None:
    train.train(config_of(corpus, steps=500), tmp_path, cache=cache, minutes=minutes, workers=0, cpu=True)
    assert [row["step"] for row in log_rows(tmp_path)] == ["1"]


def test_a_config_that_cannot_be_read_is_said(tmp_path: Path, capsys) -> None:
    with pytest.raises(SystemExit, match="1"):
        commands.train([str(tmp_path / "absent.toml"), "--out", str(tmp_path)])
    assert "absent.toml: cannot be read" in capsys.readouterr().err
    (tmp_path / "wrong.toml").write_text("steps = \n")
    for load in (load_config, train_componet.load_config, componet_small.load_config):
        with pytest.raises(UsageError, match=r"wrong\.toml: cannot be read"):
            load(tmp_path / "wrong.toml")
    with pytest.raises(UsageError, match="steps must be a table"):
        load_config(Path(train.__file__).parents[1] / "configs" / "embedded.toml", ["steps.more=1"])


def test_the_matrix_of_the_authors_starts_at_random() -> None:
    """W from N(0, 0.05), as in their code; other similarities have no such matrix."""
    torch.manual_seed(0)
    model = CocolaModel(ENCODER)
    start_similarity(model, "identity")
    assert torch.equal(model.similarity.weight, torch.eye(512) / 512**0.5)
    start_similarity(model, "normal")
    assert model.similarity.weight.std().item() == pytest.approx(0.05, rel=0.01)
    assert abs(model.similarity.weight.mean().item()) < 1e-3
    start_similarity(CocolaModel(EncoderConfig(front_end="mel", similarity="cosine")), "normal")
    with pytest.raises(UsageError, match="w_init 'normal' is for similarity 'bilinear'; got 'phasors'"):
        phasors = {"front_end": "pitch_onset", "backbone": "phasor_efficientnet_b0", "embedding_dim": 1312}
        start_similarity(CocolaModel(EncoderConfig(similarity="phasors", **phasors)), "normal")


def test_the_authors_settings_train(corpus: Path, cache: Path, tmp_path: Path) -> None:
    sampling = SamplingConfig(window=1.0, batch_size=4, levels="raw", silent_stems=True, noisy_sides="accompaniment")
    config = config_of(corpus, sampling=sampling, steps=1, warmup_steps=0, w_init="normal", calibration=False)
    trained = train.train(config, tmp_path, cache=cache, workers=0, cpu=True)
    weight = trained.similarity.weight
    assert weight.std().item() == pytest.approx(0.05, rel=0.02) and not weight.diagonal().mean().abs() > 0.01
    steps = [norm.num_batches_tracked.item() for norm in trained.modules() if isinstance(norm, torch.nn.BatchNorm2d)]
    assert set(steps) == {1}  # statistics of the one step, not of the batches of a calibration
    settings = json.loads((tmp_path / "training.json").read_text())
    assert (settings["w_init"], settings["sampling"]["levels"]) == ("normal", "raw")


def test_too_little_music_for_validation_is_said(corpus: Path, cache: Path, tmp_path: Path) -> None:
    message = (
        r"validation: \d+ of the 1000 windows of a batch were found in 4 tracks: windows of 1 s, in which two stems "
        r"sound and of which no two of one track overlap by more than 50%\. Give more or longer tracks to validation, "
        r"or set validation_windows to \d+ or less"
    )
    with pytest.raises(AudioError, match=message):
        train.train(config_of(corpus, validation_windows=1000), tmp_path, cache=cache, workers=0, cpu=True)


@pytest.mark.slow
def test_two_processes_are_one(corpus: Path, cache: Path, tmp_path: Path) -> None:
    """Two gloo processes see the loss of one process on the same global batches, and end with its weights."""
    script = tmp_path / "distributed.py"
    script.write_text(
        "import sys\n"
        "from pathlib import Path\n"
        "from torch import nn\n"
        "from cocola_metric.encoder import EncoderConfig\n"
        "from cocola_metric.training.encoder import train, validation\n"
        "from cocola_metric.training.encoder.config import SamplingConfig, TrainingConfig\n"
        "validation.BATCHES = {'shift': 1, 'transpose': 1, 'stretch': 1}\n"
        "train.STEPS_BETWEEN_LINES, train.CALIBRATION_BATCHES = 1, 0\n"
        "nn.BatchNorm2d.train = lambda self, mode=True: nn.Module.train(self, False)  # of its own rows only\n"
        "train.calibrate_batch_norm = lambda *_: None\n"
        "sampling = SamplingConfig(window=1.0, batch_size=4, noise=0.0, alterations={'shift': 0.5})\n"
        "encoder = EncoderConfig(front_end='mel', dropout=0.0, drop_connect=0.0)\n"
        "settings = {'steps': 3, 'learning_rate': 1e-5, 'validation_windows': 4, 'seed': 3}\n"
        "config = TrainingConfig((sys.argv[1],), encoder, sampling, **settings)\n"
        "train.train(config, Path(sys.argv[3]), cache=Path(sys.argv[2]), workers=0, cpu=True)\n"
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def start(out: str, **environment: object) -> subprocess.Popen[bytes]:
        settings = os.environ | {name: str(value) for name, value in environment.items()}
        command = [sys.executable, "-W", "ignore", script, corpus, cache, tmp_path / out]
        return subprocess.Popen(command, env=settings | {"OMP_NUM_THREADS": "1"})

    together = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": 2, "ACCELERATE_USE_CPU": "true"}
    runs = [start("one")] + [start("two", RANK=rank, LOCAL_RANK=rank, **together) for rank in range(2)]
    assert [run.wait(timeout=300) for run in runs] == [0, 0, 0]
    one, two = (log_rows(tmp_path / out) for out in ("one", "two"))
    assert [float(row["loss"]) for row in two] == pytest.approx([float(row["loss"]) for row in one], rel=2e-3)
    assert len(two) == 3
    weights = [loading.load(tmp_path / out).model.state_dict() for out in ("one", "two")]
    for key, value in weights[0].items():
        assert torch.allclose(value, weights[1][key], atol=2e-3), key
    validated = [[float(row["validation_loss"]) for row in rows if row["validation_loss"]] for rows in (one, two)]
    assert validated[0] == pytest.approx(validated[1], rel=2e-3)


def test_settings_can_be_changed_for_a_run(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text("steps = 10\n[sampling.alterations]\nshift = 0.5\n")
    changes = ["steps=7", "sampling.alterations={}", 'encoder.front_end="mel"', "sampling.mode_shares=[1.0, 0.0, 0.0]"]
    config = load_config(file, changes)
    assert (config.steps, config.sampling.alterations, config.encoder.front_end) == (7, {}, "mel")
    assert config.sampling.mode_shares == (1.0, 0.0, 0.0)
    with pytest.raises(UsageError, match=r"--set encoder\.front_end=mel: .*texts in quotes"):
        load_config(file, ["encoder.front_end=mel"])
    with pytest.raises(CocolaError, match="unknown setting step;"):
        load_config(file, ["step=7"])


def test_unknown_settings_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "typo.toml"
    file.write_text("learning_rat = 1e-3\n")
    with pytest.raises(CocolaError, match=r"typo\.toml: unknown setting learning_rat; known are bfloat16, calib"):
        load_config(file)
