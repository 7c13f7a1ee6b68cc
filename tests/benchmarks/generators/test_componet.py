"""CompoNet in the harness: every task, the same answer for the same seed, which queries it cannot answer."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from tiny_audioldm2 import stir, tiny_pipeline
from tiny_corpus import RATE

from cocola_metric import CocolaScorer
from cocola_metric.benchmarks.generators import Setting, open_generator
from cocola_metric.benchmarks.generators.componet import Answering, CompoNetGenerator, make_componet
from cocola_metric.benchmarks.generators.componet_guided import GuidedPredictor, quick_decoder
from cocola_metric.benchmarks.generators.generate import generate_answers
from cocola_metric.benchmarks.guides import Guidance, Guide
from cocola_metric.benchmarks.guides.guide import WindowedScore
from cocola_metric.benchmarks.queries.audio import QueryAudio, open_tracks
from cocola_metric.benchmarks.queries.draw import draw_queries
from cocola_metric.benchmarks.queries.manifest import Part, Query
from cocola_metric.encoder.model import CocolaModel, EncoderConfig
from cocola_metric.errors import CheckpointError, UsageError
from cocola_metric.training import componet as componet_room
from cocola_metric.training.componet.base import open_base
from cocola_metric.training.componet.checkpoint import save_weights
from cocola_metric.training.componet.latents import log_mel
from cocola_metric.training.componet.network import CompoNet
from cocola_metric.training.componet.predictions import VELOCITY, as_prediction, split_prediction
from cocola_metric.training.componet.small_files import SmallShape, build_small_pipeline, save_small_pipeline
from cocola_metric.training.componet.vocoder import GriffinLim
from cocola_metric.training.paper import Task, task_of

SECONDS = 0.64
STEMS = ("bass", "drums", "guitar")
SHAPE = SmallShape(vae_channels=(8, 8, 8), unet_channels=(8, 8, 16), heads=2, text_width=8, norm_groups=4)
SIDES = {  # one query of each task
    Task.UG: ((), ("bass",)),
    Task.AG: (("bass",), ("drums", "guitar")),
    Task.SS: (("bass", "drums"), ("drums",)),
    Task.EA: (("bass",), ("bass", "drums")),
    Task.ER: (("bass", "drums"), ("drums", "guitar")),
}


@pytest.fixture(scope="module")
def audio(tmp_path_factory: pytest.TempPathFactory) -> QueryAudio:
    """Songs of three stems: noise of other levels."""
    root, rng = tmp_path_factory.mktemp("bands"), np.random.default_rng(0)
    for song in range(3):
        (root / f"song{song}").mkdir()
        for number, stem in enumerate(STEMS):
            noise = rng.normal(0, 0.05 * (number + 1), round(2 * RATE))
            soundfile.write(root / f"song{song}" / f"{stem}.wav", noise, RATE, subtype="FLOAT")
    return QueryAudio(open_tracks(str(root)))


@pytest.fixture(scope="module")
def queries(audio: QueryAudio) -> list[Query]:
    return draw_queries(audio.tracks, dataset="bands", count=4, seconds=SECONDS)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    torch.manual_seed(0)
    pipeline = build_small_pipeline(SHAPE, tuple(f"{stem}_1" for stem in STEMS))
    save_small_pipeline(folder, SHAPE, pipeline)
    componet = CompoNet(pipeline.unet)
    stir(componet.controlnet)
    save_weights(componet, folder / "componet.safetensors")
    return folder


def generator(small: Path, settings: str = "steps=2") -> CompoNetGenerator:
    return make_componet(f"{small},{settings}")


def ask(query: Query, given: tuple[str, ...], wanted: tuple[str, ...]) -> Query:
    def part(stem: str) -> Part:
        return Part(f"{stem}_1", (stem,))

    return dataclasses.replace(
        query,
        conditioning=dataclasses.replace(query.conditioning, parts=tuple(part(stem) for stem in given)),
        accompaniment=dataclasses.replace(query.accompaniment, parts=tuple(part(stem) for stem in wanted)),
    )


def test_all_tasks_are_answered(small: Path, queries: list[Query], audio: QueryAudio) -> None:
    componet = generator(small)
    asked = [ask(queries[0], given, wanted) for given, wanted in SIDES.values()]
    assert [task_of(one.conditioning.tags, one.accompaniment.tags) for one in asked] == list(SIDES)
    answers = componet.generate(asked, audio, np.random.default_rng(0))
    assert all(answer.sample_rate == RATE and len(answer.samples) == round(SECONDS * RATE) for answer in answers)
    assert all(np.isfinite(answer.samples).all() for answer in answers)
    assert len({answer.samples.tobytes() for answer in answers}) == len(SIDES)


def test_stems_are_asked_for_one_by_one(
    small: Path, queries: list[Query], audio: QueryAudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of the mixture, where they are separated; each of those before it, where nothing is given."""
    calls: list[tuple[list[str], list[np.ndarray]]] = []

    def draw(self: CompoNetGenerator, asked: list[Query], given: list[np.ndarray], *_: object) -> list[np.ndarray]:
        calls.append(([query.prompt for query in asked], given))
        return [np.full(round(SECONDS * RATE), len(calls), np.float32) for _ in asked]

    monkeypatch.setattr(CompoNetGenerator, "_draw", draw)
    unconditional = [ask(queries[0], (), STEMS), ask(queries[1], (), STEMS[:2])]
    answers = make_componet(f"{small},steps=2", task=Task.UG).generate(unconditional, audio, np.random.default_rng(0))
    assert [answer.samples[:, 0].tolist() for answer in answers] == [[1, 2, 3], [1, 2]]
    assert [prompts for prompts, _ in calls] == [
        ["in: ; out: bass_1"] * 2,
        ["in: bass_1; out: drums_1"] * 2,
        ["in: bass_1, drums_1; out: guitar_1"],
    ]
    assert [given[0][0] for _, given in calls] == [0, 1, 3]
    calls.clear()
    separated = ask(queries[0], STEMS, STEMS[:2])
    make_componet(f"{small},steps=2", task=Task.SS).generate([separated], audio, np.random.default_rng(0))
    assert [prompts for prompts, _ in calls] == [
        [f"in: bass_1, drums_1, guitar_1; out: {stem}_1"] for stem in STEMS[:2]
    ]
    for _, given in calls:
        np.testing.assert_array_equal(given[0], audio.conditioning(separated, RATE))


@pytest.mark.parametrize("task", [Task.UG, Task.SS])
def test_stems_are_written_and_kept(small: Path, audio: QueryAudio, task: Task, tmp_path: Path) -> None:
    queries = draw_queries(audio.tracks, dataset="bands", count=2, seconds=SECONDS, task=task)
    componet = open_generator(f"componet:{small},steps=1", Setting(audio, "0", queries=queries))
    for generated in (2, 0):
        counts = generate_answers(queries, audio, componet, tmp_path, queries_sha256="0", batch_size=2)
        assert counts.generated == generated
    for query in queries:
        assert soundfile.info(tmp_path / f"{query.id}.wav").channels == len(query.accompaniment.parts)


def test_the_seed_decides(small: Path, queries: list[Query], audio: QueryAudio) -> None:
    componet = generator(small, "steps=2,posterior=1")
    first, again, other = (
        componet.generate(queries[:2], audio, np.random.default_rng(seed))[0].samples for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_the_input_mix_is_heard(small: Path, queries: list[Query], audio: QueryAudio) -> None:
    componet = generator(small)
    asked = [ask(query, ("bass",), ("drums",)) for query in queries[:2]]
    answers = [componet.generate([query], audio, np.random.default_rng(0))[0].samples for query in asked]
    assert not np.array_equal(*answers)


def test_queries_of_other_lengths_share_a_batch(small: Path, queries: list[Query], audio: QueryAudio) -> None:
    longer = dataclasses.replace(
        queries[0],
        conditioning=dataclasses.replace(queries[0].conditioning, seconds=0.9),
        accompaniment=dataclasses.replace(queries[0].accompaniment, seconds=0.9),
    )
    answers = generator(small).generate([longer, queries[1]], audio, np.random.default_rng(0))
    assert [len(answer.samples) for answer in answers] == [14400, 10240]


def test_more_can_be_heard_and_made_than_is_asked_for(small: Path, queries: list[Query], audio: QueryAudio) -> None:
    (answer,) = generator(small, "steps=1,seconds=1.28").generate(queries[:1], audio, np.random.default_rng(0))
    assert len(answer.samples) == 20480
    assert "0.1 s" in str(generator(small, "steps=1,seconds=0.1").unsupported(queries[0]))


def test_the_gain_is_taken_back(small: Path, queries: list[Query], audio: QueryAudio) -> None:
    """A model that answers whatever it hears with the same: half as loud where it heard music twice as loud."""

    def level(settings: str) -> float:
        componet = generator(small, settings)
        componet.componet.controlnet.controlnet_cond_embedding.requires_grad_(False).weight.zero_()
        (answer,) = componet.generate(queries[:1], audio, np.random.default_rng(0))
        return float(np.abs(answer.samples).max())

    assert level("steps=1,gain=2") == pytest.approx(level("steps=1") / 2, rel=1e-4)


def test_latents_stay_in_float32_where_networks_compute_in_bfloat16(
    small: Path, queries: list[Query], audio: QueryAudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    dtypes: list[torch.dtype] = []
    generate_latents = componet_room.generate_latents

    def noted(base, componet, prompts, condition, noise, *, steps: int):  # type: ignore[no-untyped-def]
        dtypes.extend([condition.dtype, noise.dtype])
        return generate_latents(base, componet, prompts, condition, noise, steps=steps)

    monkeypatch.setattr(componet_room, "generate_latents", noted)
    (answer,) = generator(small, "steps=2,bfloat16=1").generate(queries[:1], audio, np.random.default_rng(0))
    assert dtypes == [torch.float32] * 2 and np.isfinite(answer.samples).all()


def test_unknown_tags_are_not_supported(small: Path, queries: list[Query]) -> None:
    componet = generator(small)
    assert componet.unsupported(queries[0]) is None
    assert componet.unsupported(ask(queries[0], ("horn",), ("bass",))) == "this CompoNet knows no horn_1"


def test_official_steps(small: Path) -> None:
    assert generator(small, "steps=official").answering == Answering(steps=150)
    assert make_componet(str(small)).answering.steps == 200


def test_the_recipe_knows_weights_and_settings(small: Path, queries: list[Query], audio: QueryAudio) -> None:
    recipes = [generator(small, settings).recipe(queries[0], audio) for settings in ("steps=1", "steps=2")]
    assert recipes[0] != recipes[1]
    assert json.dumps(recipes[0]) and "unet.safetensors" in recipes[0]["weights"]["base"]


def test_errors_name_the_way_out(small: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="componet:DIR"):
        make_componet("")
    with pytest.raises(UsageError, match=r"a setting must be one of adapter=.*; got 'stepps=3'"):
        make_componet(f"{small},stepps=3")
    with pytest.raises(CheckpointError, match="adapter=FILE"):
        make_componet(str(tmp_path))


def test_the_harness_opens_it_and_it_can_be_scored(
    small: Path, queries: list[Query], audio: QueryAudio, tmp_path: Path
) -> None:
    opened = open_generator(f"componet:{small},steps=1", Setting(audio, "0" * 64))
    counts = generate_answers(queries, audio, opened, tmp_path, queries_sha256="0" * 64, batch_size=4)
    assert counts.generated == 4
    samples, rate = soundfile.read(tmp_path / f"{queries[0].id}.wav", dtype="float32")
    given = audio.conditioning(queries[0], rate)
    sides = (np.tile(side, 8)[None] for side in (given, samples))  # a whole window
    score = CocolaScorer.from_pretrained().score(*sides, sample_rate=rate)
    assert np.isfinite(float(score))


def test_a_base_of_audioldm2_answers_the_same_way(queries: list[Query], audio: QueryAudio, tmp_path: Path) -> None:
    pipeline = tiny_pipeline()
    pipeline.save_pretrained(tmp_path / "base")
    save_weights(CompoNet(pipeline.unet), tmp_path / "adapter.safetensors")
    componet = make_componet(f"{tmp_path / 'base'},adapter={tmp_path / 'adapter.safetensors'},steps=1")
    assert componet.unsupported(ask(queries[0], ("horn",), ("bass",))) is None
    (answer,) = componet.generate(queries[:1], audio, np.random.default_rng(0))
    assert len(answer.samples) == round(SECONDS * RATE)


def test_the_vocoder_gives_back_a_spectrogram() -> None:
    time = torch.arange(RATE) / RATE
    waveform = (0.3 * torch.sin(2 * torch.pi * 440 * time) * (time * 4 % 1 < 0.5))[None]
    mel = log_mel(waveform)[:, :100]
    made = GriffinLim()(mel)
    assert made.shape == (1, RATE)
    loud = mel > mel.max() - 4
    assert (log_mel(made)[:, :100] - mel)[loud].abs().mean() < 0.3
    assert torch.equal(made, GriffinLim()(mel))


def test_a_step_of_guidance_raises_the_score(small: Path, queries: list[Query], audio: QueryAudio) -> None:
    """For a noise predictor that knows the noise, what is predicted moves up the slope of the score."""
    base = open_base(small)
    torch.manual_seed(0)
    guide = Guide(WindowedScore(CocolaModel(EncoderConfig(front_end="mel")).eval().requires_grad_(False)))
    given = torch.from_numpy(np.stack([audio.conditioning(query, RATE) for query in queries[:2]]))
    generator = torch.Generator().manual_seed(0)
    clean, noise = torch.randn(2, 2, 8, 16, 16, generator=generator)
    text = base.texts(["in: bass_1; out: drums_1"] * 2)
    alpha = base.pipeline.scheduler.alphas_cumprod[200]
    noisy = alpha.sqrt() * clean + (1 - alpha).sqrt() * noise
    oracle = Oracle(as_prediction(noise, noisy, alpha, VELOCITY))
    decode = quick_decoder(base.pipeline, given.shape[1])

    def pull(waveforms: torch.Tensor) -> torch.Tensor:
        return guide.pull(given, waveforms, RATE).answer

    predictor = GuidedPredictor(oracle, base.pipeline.scheduler, decode, pull, Guidance("mel", weight=10.0))
    bent, _ = split_prediction(predictor(noisy, 200, text, clean), noisy, alpha, VELOCITY)
    assert (bent - noise).flatten(1).norm(dim=1).max() <= 0.301 * noise.flatten(1).norm(dim=1).max()
    with torch.no_grad():
        made = [decode((noisy - (1 - alpha).sqrt() * predicted) / alpha.sqrt()) for predicted in (noise, bent)]
    before, after = (guide.pull(given, waveforms, RATE).scores for waveforms in made)
    assert (after > before).all()


class Oracle(torch.nn.Module):
    """Predicts the same, whatever it hears."""

    def __init__(self, prediction: torch.Tensor) -> None:
        super().__init__()
        self.unet, self.prediction = torch.nn.Identity(), prediction

    def forward(self, *arguments: object) -> torch.Tensor:
        return self.prediction
