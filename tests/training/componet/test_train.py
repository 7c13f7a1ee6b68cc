"""CompoNet trained in small: which pairs are drawn, runs that go on, all stages of the small model."""

import csv
import dataclasses
import json
from collections import Counter
from pathlib import Path

import dataset_trees
import numpy as np
import pytest
import torch
from tiny_audioldm2 import tiny_pipeline
from tiny_corpus import write_corpus

from cocola_metric.audio import SAMPLE_RATE
from cocola_metric.errors import CheckpointError, CocolaError, UsageError
from cocola_metric.training.componet.base import open_base
from cocola_metric.training.componet.checkpoint import load_weights
from cocola_metric.training.componet.learning import small as componet_small
from cocola_metric.training.componet.learning import train as train_componet
from cocola_metric.training.componet.learning.config import CompoNetConfig, LoopConfig, load_config
from cocola_metric.training.componet.learning.pairs import (
    NamedTrack,
    PairConfig,
    PairDraws,
    draw_any_subsets,
    open_named_banks,
    task_mix,
)
from cocola_metric.training.componet.learning.small import SmallConfig
from cocola_metric.training.componet.learning.train import Music, train
from cocola_metric.training.componet.learning.vae import normalise_latents
from cocola_metric.training.componet.network import CompoNet
from cocola_metric.training.componet.small_files import SmallShape, build_vae, load_small_pipeline
from cocola_metric.training.componet.tags import TagEncoder, split_prompt
from cocola_metric.training.corpora.bank import BLOCK, NO_STEM, BankTrack
from cocola_metric.training.paper import task_of
from cocola_metric.training.runs import files

CONFIGS = Path(train_componet.__file__).parents[2] / "configs"
LOOP = LoopConfig(steps=3, learning_rate=1e-3, bfloat16=False, log_every=1, checkpoint_every=2)
PAIRS = PairConfig(window=0.64, batch_size=2)
SHAPE = SmallShape(vae_channels=(8, 8, 8), unet_channels=(8, 8, 16), heads=2, text_width=8, norm_groups=4)
RELEASED_MIX = {"AG": 0.151, "SS": 0.297, "EA": 0.297, "ER": 0.151, "ID": 0.104}  # exact, for four stems


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus"), seconds=3.0)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def audioldm2(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("audioldm2")
    tiny_pipeline().save_pretrained(folder)
    return str(folder)


def losses(out: Path) -> list[float]:
    with (out / "log.csv").open(newline="") as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


def draws_of(corpus: Path, cache: Path, **settings: object) -> PairDraws:
    _, tracks = open_named_banks([str(corpus)], "train", cache, device="cpu", workers=0)
    return PairDraws(tracks, dataclasses.replace(PAIRS, **settings), steps=50, seed=1)  # type: ignore[arg-type]


def test_the_released_law_gives_its_mix_of_tasks() -> None:
    rng = np.random.default_rng(0)
    drawn = Counter(task_of(*draw_any_subsets(range(4), rng, law="code")).name for _ in range(6000))
    assert {task: count / 6000 for task, count in drawn.items()} == pytest.approx(RELEASED_MIX, abs=0.02)


def test_the_paper_s_law_has_all_tasks_and_asks_for_something() -> None:
    rng = np.random.default_rng(0)
    drawn = [draw_any_subsets(range(4), rng) for _ in range(500)]
    assert {task_of(*pair).name for pair in drawn} == {"UG", "AG", "SS", "EA", "ER", "ID"}
    assert all(wanted for _, wanted in drawn)


def test_a_draw_is_a_function_of_its_number(corpus: Path, cache: Path) -> None:
    first, second = draws_of(corpus, cache), draws_of(corpus, cache)
    assert torch.equal(first[7].offsets, second[7].offsets) and first[7].prompts == second[7].prompts
    assert not torch.equal(first[7].offsets, first[8].offsets)


def test_pairs_sound_as_their_prompts_say(corpus: Path, cache: Path) -> None:
    bank, tracks = open_named_banks([str(corpus)], "train", cache, device="cpu", workers=0)
    assert {one.tags for one in tracks} == {("drums_1", "high_1", "low_1")}
    draws = PairDraws(tracks, dataclasses.replace(PAIRS, batch_size=8), steps=50, seed=1)
    pairs = draws[0]
    mixes = bank.gather(pairs.offsets, draws.length)
    places = {
        int(track.offsets(0)[stem]) // track.length: tag for track, tags, _ in tracks for stem, tag in enumerate(tags)
    }
    for row, line in zip(pairs.offsets, pairs.prompts, strict=True):
        sides = [{places[int(place) // tracks[0].track.length] for place in side if place >= 0} for side in row]
        assert f"in: {', '.join(sorted(sides[0]))}; out: {', '.join(sorted(sides[1]))}" == _sorted(line)
    assert mixes.shape == (8, 2, draws.length)
    silent = torch.tensor([task == "UG" for task in pairs.tasks])
    assert torch.equal(mixes[:, 0].abs().amax(1) == 0, silent)


def _sorted(line: str) -> str:
    sides = [part.partition(":")[2].strip() for part in line.split(";")]
    return "in: {}; out: {}".format(*(", ".join(sorted(filter(None, side.split(", ")))) for side in sides))


def test_stems_of_one_tag_are_one_stem() -> None:
    """The kits of a song: they sound together on a side, and are named once."""
    length = 2 * SAMPLE_RATE
    track = BankTrack("song", 0, length, np.ones((3, length // BLOCK), np.float32), beat=0.5)
    draws = PairDraws([NamedTrack(track, ("drums_1", "bass_1", "drums_1"))], PAIRS, steps=20, seed=0)
    for pairs in (draws[number] for number in range(20)):
        for row, line in zip(pairs.offsets, pairs.prompts, strict=True):
            heard = [sorted(int(place) // length for place in side if place != NO_STEM) for side in row]
            sides = [part.partition(":")[2] for part in line.split(";")]
            assert [side.count("drums_1") for side in sides] == [int(0 in stems) for stems in heard]
            assert all((0 in stems) == (2 in stems) for stems in heard)


def test_prompts_of_moisesdb_begin_with_the_genre(tmp_path: Path) -> None:
    root = dataset_trees.moisesdb(tmp_path / "moisesdb", [f"{number:08x}" for number in range(10)])
    for file in root.rglob("*.wav"):
        dataset_trees.write_noise(file, seconds=2.5)
    for _ in range(2):  # decoded, and from the cache
        _, tracks = open_named_banks([f"moisesdb:{root}"], "train", tmp_path / "cache", device="cpu", workers=0)
        assert {track.genre for track in tracks} == {"rock"}
    config = PairConfig(window=2.0, batch_size=4)
    for line in PairDraws(tracks, config, steps=1, seed=0)[0].prompts:
        assert line.startswith("genre: rock; in:") and "; out: " in line
        assert split_prompt(line) == split_prompt(line.removeprefix("genre: rock; "))


def test_accompaniment_alone_can_be_drawn(corpus: Path, cache: Path) -> None:
    assert task_mix(draws_of(corpus, cache, accompaniment=1.0), pairs=50)["AG"] == 1.0


def test_a_resumed_run_ends_where_an_unbroken_one_does(
    corpus: Path, cache: Path, audioldm2: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = CompoNetConfig(base=audioldm2, corpora=(str(corpus),), pairs=PAIRS, loop=LOOP, validation_batches=1)
    whole = train(config, tmp_path / "whole", cache=cache, workers=0, cpu=True)
    training_loss, calls = train_componet.training_loss, []

    def interrupted(*arguments: object) -> torch.Tensor:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return training_loss(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(train_componet, "training_loss", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(config, tmp_path / "broken", cache=cache, workers=0, cpu=True)
    resumed = train(config, tmp_path / "broken", cache=cache, workers=0, cpu=True)
    after = resumed.state_dict()
    for name, value in whole.state_dict().items():
        assert torch.allclose(value, after[name], atol=1e-6), name
    assert losses(tmp_path / "whole") == pytest.approx(losses(tmp_path / "broken")) and len(calls) == 4
    fresh = CompoNet(open_base(audioldm2).pipeline.unet)
    before = {name: value.clone() for name, value in fresh.unet.state_dict().items()}
    assert load_weights(tmp_path / "whole" / "componet.safetensors", fresh).trained == "adapter"
    assert all(torch.equal(value, before[name]) for name, value in whole.unet.state_dict().items())  # stays frozen
    assert json.loads((tmp_path / "whole" / "training.json").read_text())["tasks"].keys() >= {"AG", "SS", "EA", "ER"}


def test_another_selection_does_not_go_on_from_a_checkpoint(
    corpus: Path, cache: Path, audioldm2: str, tmp_path: Path
) -> None:
    loop = dataclasses.replace(LOOP, steps=1)
    config = CompoNetConfig(base=audioldm2, corpora=(str(corpus),), pairs=PAIRS, loop=loop, validation_batches=0)
    train(config, tmp_path, cache=cache, workers=0, cpu=True)
    with pytest.raises(UsageError, match="other parameters"):
        train(dataclasses.replace(config, trained="attentions"), tmp_path, cache=cache, workers=0, cpu=True)


@pytest.fixture(scope="module")
def small_run(corpus: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    loop = dataclasses.replace(LOOP, steps=4, warmup_steps=1)
    config = CompoNetConfig(
        corpora=(str(corpus),), pairs=PAIRS, loop=loop, trained="unet", validation_batches=1, sample_every=4,
        sample_steps=2,
    )  # fmt: skip
    out = tmp_path_factory.mktemp("small")
    componet_small.train(SmallConfig(config, SHAPE, vae=loop, unet=loop), out, cache=cache, workers=0, cpu=True)
    return out


def test_the_small_model_is_one_folder(small_run: Path) -> None:
    base = open_base(small_run / "model")
    assert base.tags == {"drums_1", "high_1", "low_1"}
    componet = CompoNet(base.pipeline.unet)
    loaded = load_weights(small_run / "model" / "componet.safetensors", componet)
    assert (loaded.trained, loaded.unet) == ("adapter", 0)
    trained = load_small_pipeline(small_run / "base").unet.state_dict()
    assert not all(torch.equal(value, trained[name]) for name, value in base.pipeline.unet.state_dict().items())
    assert {file.name.rpartition("_")[2] for file in (small_run / "adapter" / "samples").iterdir()} == {
        "given.wav", "made.wav", "target.wav",
    }  # fmt: skip


def test_a_stage_that_is_over_is_not_done_again(small_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (small_run / "model" / "componet.safetensors").stat().st_mtime_ns
    monkeypatch.setattr(train_componet, "make_optimizer", lambda *arguments: pytest.fail("trained again"))
    config = CompoNetConfig(corpora=(), pairs=PAIRS, loop=LOOP)
    nothing = Music(None, [], None, [])  # type: ignore[arg-type]
    monkeypatch.setattr(train_componet, "open_music", lambda *arguments, **options: nothing)
    componet_small.train(SmallConfig(config, SHAPE), small_run, workers=0, cpu=True)
    assert (small_run / "model" / "componet.safetensors").stat().st_mtime_ns == before


def test_weights_are_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stage counts as over where its file is: an interrupted one must not leave it."""

    def cut(state: object, path: Path, metadata: object = None) -> None:
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(files, "save_file", cut)
    with pytest.raises(KeyboardInterrupt):
        files.save_tensors(tmp_path / "vae.safetensors", {"weight": torch.zeros(1)})
    assert not list(tmp_path.iterdir())


def test_a_damaged_small_model_says_so(small_run: Path, tmp_path: Path) -> None:
    (tmp_path / "small.json").write_text((small_run / "model" / "small.json").read_text())
    with pytest.raises(CheckpointError, match="train it again"):
        open_base(tmp_path)


def test_normalised_latents_decode_to_the_same() -> None:
    torch.manual_seed(0)
    vae = build_vae(SHAPE).eval()
    mel = 3 * torch.randn(4, 1, 32, 64) - 5
    with torch.no_grad():
        before = vae.decode(vae.encode(mel).latent_dist.mean).sample
        deviation = vae.encode(mel).latent_dist.std
        spread = vae.encode(mel).latent_dist.mean.movedim(1, -1).flatten(0, -2).std(0)
    normalise_latents(vae, [mel])
    with torch.no_grad():
        posterior = vae.encode(mel).latent_dist
        latents = posterior.mean.movedim(1, -1).flatten(0, -2)
        after = vae.decode(posterior.mean).sample
    assert torch.allclose(latents.mean(0), torch.zeros(8), atol=1e-4)
    assert torch.allclose(latents.std(0), torch.ones(8), atol=1e-4)
    assert torch.allclose(before, after, atol=1e-4)
    assert torch.allclose(posterior.std * spread[:, None, None], deviation, rtol=1e-3)


def test_tags_of_both_sides_differ_and_their_order_does_not() -> None:
    tags = TagEncoder(("bass_1", "drums_1", "piano_1"), 4)
    numbers = tags.numbers(["in: bass_1, drums_1; out: piano_1", "in: ; out: bass_1"])
    assert numbers[0, :4].tolist() == [1, 2, 6, 0] and numbers[1, :2].tolist() == [4, 0]
    with pytest.raises(UsageError, match="knows no horn_1"):
        tags.numbers(["in: horn_1; out: bass_1"])
    with pytest.raises(UsageError, match="a prompt must be like"):
        tags.numbers(["bass"])


def test_configurations_are_the_paper_s_and_the_code_s() -> None:
    paper, released = load_config(CONFIGS / "componet.toml"), load_config(CONFIGS / "componet_released.toml")
    assert (paper.pairs.window, paper.pairs.batch_size, paper.pairs.law) == (10.24, 2, "paper")
    assert (paper.loop.learning_rate, paper.loop.optimizer, paper.trained) == (1e-4, "adam", "adapter")
    assert paper.zero_init_condition and not released.zero_init_condition
    assert (released.pairs.law, released.loop.optimizer, released.pairs.accompaniment) == ("code", "adamw", 0.0)
    small = componet_small.load_config(CONFIGS / "componet_small.toml")
    assert sum(small.shares) == pytest.approx(1) and small.vae.steps == 8000


def test_unknown_settings_fail(tmp_path: Path) -> None:
    (tmp_path / "wrong.toml").write_text("[pairs]\nwindows = 3\n")
    with pytest.raises(CocolaError, match="unknown setting windows"):
        load_config(tmp_path / "wrong.toml")
    with pytest.raises(UsageError, match="law"):
        PairConfig(law="any")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="trained"):
        CompoNetConfig(trained="all")  # type: ignore[arg-type]


def test_settings_can_be_changed_for_a_run() -> None:
    """All training commands have the same options, so that one script can start any of them."""
    small = componet_small.load_config(CONFIGS / "componet_small.toml", ["vae.steps=3", "pairs.batch_size=2"])
    assert (small.vae.steps, small.componet.pairs.batch_size) == (3, 2)
    assert train_componet.load_config(CONFIGS / "componet.toml", ["loop.steps=7"]).loop.steps == 7
    with pytest.raises(CocolaError, match="unknown setting step;"):
        train_componet.load_config(CONFIGS / "componet.toml", ["loop.step=7"])
