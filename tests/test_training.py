"""Training in small: pairs from a corpus, batches without overlapping windows, runs that go on, evaluation."""

import csv
import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from cocola_metric import CocolaScorer, hub
from cocola_metric.errors import AudioError, CocolaError
from cocola_metric.model import CocolaModel, EncoderConfig
from cocola_metric.training import evaluate, train
from cocola_metric.training.config import TrainingConfig, load_config
from cocola_metric.training.corpora import index_stem_folder
from cocola_metric.training.pairs import PairFeatures, PairStore, draw_pair, read_window

RATE = 16_000
CONFIG = TrainingConfig(
    encoder=EncoderConfig(front_end="mel"), window=1.0, batch_size=4, steps=3, warmup_steps=2, pairs=12, seed=5
)
CONFIGS = Path(train.__file__).parent / "configs"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    """Two splits of four tracks with three stems of 8 s: tones and clicks that share key and tempo within a track."""
    root = tmp_path_factory.mktemp("corpus")
    rng = np.random.default_rng(0)
    time = np.arange(8 * RATE) / RATE
    for split in ("train", "validation"):
        for number in range(4):
            folder = root / split / f"track{number}"
            folder.mkdir(parents=True)
            pitch, tempo = 110 * 2 ** (rng.integers(12) / 12), rng.uniform(1, 3)
            for stem, partial in (("low", 1), ("high", 3)):
                tone = 0.2 * np.sin(2 * np.pi * pitch * partial * time) * (time * tempo % 1 < 0.5)
                soundfile.write(folder / f"{stem}.flac", tone, RATE)
            soundfile.write(folder / "drums.flac", rng.normal(0, 0.1, len(time)) * (time * tempo % 1 < 0.1), RATE)
    return root


def log_rows(out: Path) -> list[dict[str, str]]:
    with (out / "log.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_pair_depends_on_seed_and_index_only(corpus: Path) -> None:
    tracks = index_stem_folder(corpus / "train")
    settings = {"seed": 1, "window": 1.0, "noise": 1e-3}
    first, again, other = (draw_pair(tracks, index, **settings) for index in (7, 7, 8))
    assert np.array_equal(first.waveforms, again.waveforms)
    assert first.waveforms.shape == other.waveforms.shape == (2, RATE)
    assert not np.array_equal(first.waveforms, other.waveforms)


def test_the_noise_has_the_size_asked_for(corpus: Path) -> None:
    tracks = index_stem_folder(corpus / "train")
    clean, noisy = (draw_pair(tracks, 3, seed=1, window=1.0, noise=noise).waveforms for noise in (0.0, 1e-3))
    assert (noisy - clean).std() == pytest.approx(1e-3, rel=0.05)


def test_windows_read_past_the_end_are_silent(corpus: Path) -> None:
    track = index_stem_folder(corpus / "train")[0]
    window = read_window(track, 7.5, 1.0)
    assert window.shape == (3, RATE)
    assert not window[:, RATE // 2 :].any() and window[:, : RATE // 2].any()


def test_stems_can_be_gathered_into_groups(tmp_path: Path) -> None:
    for name in ("kick", "hat", "bass"):
        (tmp_path / "song").mkdir(exist_ok=True)
        soundfile.write(tmp_path / "song" / f"{name}.wav", np.full(RATE, 0.1), RATE, subtype="FLOAT")
    (tmp_path / "GROUPS.json").write_text(json.dumps({"song": {"kick.wav": "drums", "hat.wav": "drums"}}))
    [track] = index_stem_folder(tmp_path)
    assert {stem.name: len(stem.files) for stem in track.stems} == {"bass": 1, "drums": 2}
    levels = dict(zip((stem.name for stem in track.stems), read_window(track, 0.0, 1.0)[:, 0], strict=True))
    assert levels == pytest.approx({"bass": 0.1, "drums": 0.2})


def test_folders_without_tracks_are_named(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="no such folder"):
        index_stem_folder(tmp_path / "nowhere")
    with pytest.raises(AudioError, match="no track with two stems"):
        index_stem_folder(tmp_path)


def test_no_batch_holds_windows_that_overlap_too_much(corpus: Path, tmp_path: Path) -> None:
    tracks = index_stem_folder(corpus / "train")
    dataset = PairFeatures(tracks, 40, front_end="mel", seed=0, window=1.0, noise=0.0)
    store = PairStore(tmp_path, dataset, workers=0)
    batches = store.batches(4, window=1.0, max_overlap=0.5, seed=0)
    seen: list[int] = []
    for _ in range(20):
        batch = next(batches)
        seen += batch.tolist()
        for position, first in enumerate(batch):
            for second in batch[position + 1 :]:
                (track, start), (other_track, other_start) = store.origins[first], store.origins[second]
                assert track != other_track or abs(start - other_start) >= 0.5
    assert set(seen) == set(range(40))


def test_a_store_goes_on_where_it_was_cut_off(corpus: Path, tmp_path: Path) -> None:
    dataset = PairFeatures(index_stem_folder(corpus / "train"), 6, front_end="hps", seed=0, window=1.0, noise=0.0)
    complete = PairStore(tmp_path, dataset, workers=0).features[:].copy()
    origins = np.load(tmp_path / "origins.npy")
    origins[4:] = np.nan
    np.save(tmp_path / "origins.npy", origins)
    store = PairStore(tmp_path, dataset, workers=0)
    assert np.array_equal(store.features, complete)
    assert store.features.shape == (6, 2, 2, 64, 101)


@pytest.mark.slow
def test_a_resumed_run_ends_where_an_unbroken_one_does(corpus: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(train, "VALIDATION_PAIRS", 8)
    monkeypatch.setattr(train, "STEPS_BETWEEN_CHECKPOINTS", 2)
    whole = train.train(CONFIG, corpus, tmp_path / "whole", workers=0)
    train_step, calls = train.train_step, []

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return train_step(*arguments)

    monkeypatch.setattr(train, "train_step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train.train(CONFIG, corpus, tmp_path / "broken", workers=0)
    resumed = train.train(CONFIG, corpus, tmp_path / "broken", workers=0)
    for key, value in whole.state_dict().items():
        assert torch.allclose(value, resumed.state_dict()[key], atol=1e-6), key
    losses = [[row["loss"] for row in log_rows(tmp_path / name)] for name in ("whole", "broken")]
    assert losses[0] == pytest.approx(losses[1]) and len(losses[0]) == 3
    assert log_rows(tmp_path / "whole")[-1]["validation_accuracy_of_2"] != ""
    assert (
        CocolaScorer.from_pretrained(tmp_path / "whole").embed(torch.randn(1, 6 * RATE), sample_rate=RATE).shape[1]
        == 512
    )


def test_a_run_can_start_from_other_weights(corpus: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(train, "VALIDATION_PAIRS", 4)
    config = dataclasses.replace(
        CONFIG, encoder=EncoderConfig(front_end="mel", similarity="cosine"), learning_rate=0.0, steps=1, pairs=8
    )
    torch.manual_seed(1)
    start = CocolaModel(config.encoder)
    hub.save(start, tmp_path / "start")
    trained = train.train(config, corpus, tmp_path / "run", start_from=str(tmp_path / "start"), workers=0)
    for key, value in start.named_parameters():
        assert torch.equal(value, trained.get_parameter(key)), key


def test_the_loss_can_be_learned() -> None:
    """A few steps on one batch bring its loss far below chance."""
    torch.manual_seed(0)
    config = dataclasses.replace(CONFIG, encoder=EncoderConfig(front_end="mel", drop_connect=0.0, dropout=0.0))
    model = CocolaModel(config.encoder)
    features = 20 * torch.randn(4, 2, 1, 64, 32)  # two sides that share nothing: they must be memorised
    optimizer = torch.optim.Adam(model.parameters(), 1e-4)
    losses = []
    for step in range(15):
        loss, _ = train.train_step(model, features, config, step)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_pairs_of_another_mode_are_no_negatives(monkeypatch) -> None:
    """With every pair in a group of its own there is nothing to confuse it with."""
    config = dataclasses.replace(CONFIG, encoder=EncoderConfig(), mode_shares=(1.0, 1.0, 1.0))
    seed = next(s for s in range(1000) if len(set(np.random.default_rng([s, 0]).choice(3, 3, p=[1 / 3] * 3))) == 3)
    loss, accuracy = train.train_step(
        CocolaModel(config.encoder), torch.randn(3, 2, 2, 64, 32), dataclasses.replace(config, seed=seed), 0
    )
    assert loss.item() == pytest.approx(0.0, abs=1e-6) and accuracy == 1.0


def test_learning_rate() -> None:
    config = dataclasses.replace(CONFIG, steps=100, warmup_steps=10)
    factors = [train.learning_rate_factor(step, config) for step in range(101)]
    assert factors[0] == 0.1 and factors[9] == 1.0 and factors[55] == pytest.approx(0.5) and factors[100] == 0.0
    assert {train.learning_rate_factor(step, dataclasses.replace(config, warmup_steps=0)) for step in range(9)} == {1.0}


@pytest.mark.parametrize("file", sorted(CONFIGS.glob("*.toml")), ids=lambda file: file.stem)
def test_configs_load_and_differ_from_the_paper_only_where_they_say(file: Path) -> None:
    config = load_config(file)
    assert (config.window, config.batch_size, config.noise, config.max_overlap) == (5.0, 32, 1e-3, 0.5)
    assert config.encoder.embedding_dim == 512


def test_unknown_settings_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "typo.toml"
    file.write_text("learning_rat = 1e-3\n")
    with pytest.raises(CocolaError, match=r"typo\.toml: unknown setting learning_rat; known are batch_size, bfloat16"):
        load_config(file)


def test_accuracy_of_a_perfect_and_of_a_blind_encoder() -> None:
    tracks = np.repeat(np.arange(20), 5)
    codes = torch.eye(100)
    model = CocolaModel(EncoderConfig(embedding_dim=100))
    perfect = evaluate.EmbeddedSubmixes(tracks, torch.stack([codes, codes], 1))
    result = evaluate.accuracy_of_two(model, perfect)
    assert (result.percent, result.low, result.high, result.tracks, result.windows) == (100, 100, 100, 20, 100)
    blind = evaluate.EmbeddedSubmixes(tracks, torch.randn(100, 2, 100, generator=torch.Generator().manual_seed(0)))
    for same_track in (False, True):
        result = evaluate.accuracy_of_two(model, blind, same_track=same_track)
        assert result.low < 50 < result.high
        assert result.low < result.percent < result.high


def test_evaluation_from_the_command_line(corpus: Path, tmp_path: Path, capsys) -> None:
    picture = tmp_path / "scores.png"
    evaluate.main([str(corpus / "validation"), "--max-tracks", "2", "--plot", str(picture)])
    report = json.loads(capsys.readouterr().out)
    result = report[str(corpus / "validation")]
    assert result["other_track"]["windows"] == 2  # windows of 5 s every 5 s, in two tracks of 8 s
    assert result["same_track"] is None  # one window a track
    assert result["coherent_scores"]["p5"] <= result["coherent_scores"]["median"]
    assert picture.read_bytes().startswith(b"\x89PNG")
