"""GMSDI in the harness: its sources for each task, what it answers, which queries it cannot."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from tiny_benchmark import Benchmark
from tiny_gmsdi import TINY, tiny_gmsdi

from cocola_metric.benchmarks import generators
from cocola_metric.benchmarks.generators import Setting, open_generator
from cocola_metric.benchmarks.generators.folder import fit_length
from cocola_metric.benchmarks.generators.generate import generate_answers
from cocola_metric.benchmarks.generators.gmsdi import LEAST_POWER, SCHEDULES, GMSDIGenerator, make_gmsdi
from cocola_metric.benchmarks.generators.gmsdi_sampler import CoupledSampling, SeparationSampling
from cocola_metric.benchmarks.queries.audio import QueryAudio, open_tracks
from cocola_metric.benchmarks.queries.draw import draw_queries
from cocola_metric.benchmarks.queries.manifest import Part, Query
from cocola_metric.benchmarks.queries.stem_windows import resample_to
from cocola_metric.errors import CheckpointError, UsageError
from cocola_metric.training.gmsdi import network
from cocola_metric.training.gmsdi.checkpoint import gmsdi_sha256, load_gmsdi, save_gmsdi
from cocola_metric.training.gmsdi.config import load_gmsdi_config
from cocola_metric.training.gmsdi.network import GMSDI
from cocola_metric.training.paper import Task

ROOT = Path(__file__).parents[3]
WEIGHTS = Path(generators.__file__).parents[1] / "weights" / "gmsdi"
CONFIG = Path(network.__file__).parents[1] / "configs" / "gmsdi_small.toml"
SECONDS, RATE, LENGTH, STEMS = 0.5, TINY.sample_rate, TINY.length, TINY.tags
LOUD = replace(TINY, powers=(0.04, 0.03, 0.02, 0.01))
QUICK = {Task.UG: CoupledSampling(steps=2), Task.AG: CoupledSampling(steps=2), Task.SS: SeparationSampling(steps=2)}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    """Songs of the four instruments, 1.2 s: noise of other levels."""
    root, random = tmp_path_factory.mktemp("bands"), np.random.default_rng(0)
    for song in range(3):
        (root / f"song{song}").mkdir()
        for number, stem in enumerate(STEMS):
            noise = random.normal(0, 0.05 * (number + 1), 19_200)
            soundfile.write(root / f"song{song}" / f"{stem}.wav", noise, 16_000, subtype="FLOAT")
    tracks = open_tracks(str(root))
    queries = draw_queries(tracks, dataset="bands", count=5, seconds=SECONDS)
    return Benchmark(root, root, "0", queries, QueryAudio(tracks))


def queries_of(bench: Benchmark, task: Task, count: int = 4) -> list[Query]:
    return draw_queries(bench.audio.tracks, dataset="bands", count=count, seconds=SECONDS, task=task)


def generator(task: Task = Task.AG, model: torch.nn.Module | None = None) -> GMSDIGenerator:
    return GMSDIGenerator(model or tiny_gmsdi(), "0" * 64, QUICK[task], task=task)  # type: ignore[arg-type]


class Oracle(torch.nn.Module):
    """A model that knows every stem of a query, and so denoises every sub-mix of them perfectly."""

    config = TINY
    words = GMSDI.words

    def __init__(self, query: Query, audio: QueryAudio) -> None:
        super().__init__()
        parts = {part.tag: part for part in (*query.conditioning.parts, *query.accompaniment.parts)}
        asked = replace(query, conditioning=replace(query.conditioning, parts=tuple(parts.values())))
        stems = audio.conditioning_stems(asked, RATE, seconds=TINY.seconds)
        self.tags = torch.nn.Linear(1, 1)  # for its device
        self.truth = torch.zeros(len(STEMS), LENGTH)
        for tag, samples in stems.items():
            self.truth[STEMS.index(tag.rpartition("_")[0])] = torch.from_numpy(samples)

    def forward(self, x: torch.Tensor, sigma: torch.Tensor, words: torch.Tensor, guidance: float) -> torch.Tensor:
        return (words @ self.truth)[:, None]


@pytest.mark.parametrize("task", list(SCHEDULES))
def test_a_model_that_knows_all_sub_mixes_answers_with_the_truth(bench: Benchmark, task: Task) -> None:
    for query in queries_of(bench, task):
        (answer,) = generator(task, Oracle(query, bench.audio)).generate([query], bench.audio, np.random.default_rng(0))
        truth = bench.audio.target(query, RATE) if task is Task.AG else bench.audio.target_stems(query, RATE)
        np.testing.assert_allclose(fit_length(answer.samples, query, RATE, "answer"), truth, atol=1e-5)


def test_the_sources_of_an_accompaniment_are_what_is_given_and_each_part(bench: Benchmark) -> None:
    query = bench.queries[0]
    model = GMSDI(LOUD).eval()
    sources = generator(Task.AG, model)._sources(query, bench.audio)
    given = {tag.rpartition("_")[0] for tag in query.conditioning.tags}
    assert sources.tags == [given, *({tag.rpartition("_")[0]} for tag in query.accompaniment.tags)]
    assert sources.mask.tolist() == [True] + [False] * len(query.accompaniment.tags)
    assert sources.wanted == list(range(1, len(sources.tags)))
    heard = torch.from_numpy(bench.audio.conditioning(query, RATE, seconds=TINY.seconds))
    assert torch.equal(sources.given, heard)
    assert sources.powers[0].item() == pytest.approx(heard.square().mean().item())
    powers = dict(zip(STEMS, LOUD.powers, strict=True))
    expected = [powers[tag.rpartition("_")[0]] for tag in query.accompaniment.tags]
    assert sources.powers[1:].tolist() == pytest.approx(expected)


def test_what_nobody_asked_for_is_one_more_source_of_a_separation(bench: Benchmark) -> None:
    query = next(query for query in queries_of(bench, Task.SS, 20) if len(query.conditioning.parts) == 4)
    query = replace(query, accompaniment=replace(query.accompaniment, parts=query.conditioning.parts[:2]))
    model = GMSDI(LOUD).eval()
    sources = generator(Task.SS, model)._sources(query, bench.audio)
    first, second, third, fourth = (part.tag.rpartition("_")[0] for part in query.conditioning.parts)
    assert sources.tags == [{first}, {second}, {third, fourth}] and sources.wanted == [0, 1]
    powers = dict(zip(STEMS, LOUD.powers, strict=True))
    assert sources.powers[2].item() == pytest.approx(powers[third] + powers[fourth])
    assert not sources.mask.any()
    whole = replace(query, accompaniment=replace(query.accompaniment, parts=query.conditioning.parts))
    assert len(generator(Task.SS, model)._sources(whole, bench.audio).tags) == 4


def test_where_nothing_is_given_every_part_is_drawn(bench: Benchmark) -> None:
    (query,) = queries_of(bench, Task.UG, 1)
    sources = generator(Task.UG)._sources(query, bench.audio)
    assert not sources.given.any() and not sources.mask.any()
    assert len(sources.tags) == len(query.accompaniment.parts)
    assert sources.powers.tolist() == pytest.approx([TINY.sigma_data**2] * len(sources.tags))


def test_silence_that_is_given_has_a_power(bench: Benchmark, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(QueryAudio, "conditioning", lambda *_, **__: np.zeros(LENGTH, np.float32))
    sources = generator()._sources(bench.queries[0], bench.audio)
    assert sources.powers[0].item() == pytest.approx(LEAST_POWER)
    (answer,) = generator().generate(bench.queries[:1], bench.audio, np.random.default_rng(0))
    assert np.isfinite(answer.samples).all()


@pytest.mark.parametrize("task", list(SCHEDULES))
def test_queries_of_other_numbers_of_sources_share_a_batch(bench: Benchmark, task: Task) -> None:
    queries = queries_of(bench, task, 6)
    answers = generator(task).generate(queries, bench.audio, np.random.default_rng(0))
    for query, answer in zip(queries, answers, strict=True):
        rows = () if task is Task.AG else (len(query.accompaniment.parts),)
        assert answer.samples.shape == (*rows, LENGTH) and np.isfinite(answer.samples).all()
        if task is Task.SS and set(query.accompaniment.parts) == set(query.conditioning.parts):
            mixture = bench.audio.conditioning(query, RATE, seconds=TINY.seconds)
            np.testing.assert_allclose(answer.mix, mixture, atol=1e-4)


@pytest.mark.parametrize("task", [Task.EA, Task.ER])
def test_editing_is_not_claimed(bench: Benchmark, task: Task) -> None:
    assert {generator().unsupported(query) for query in queries_of(bench, task)} == {f"GMSDI does not claim {task}"}


@pytest.mark.parametrize(
    ("wanted", "seconds", "reason"),
    [
        ("guitar_2", SECONDS, None),
        ("bass_2", SECONDS, None),
        ("bass_2", 0.6, "plays 0.576 s, not 0.6 s"),
        ("lute_1", SECONDS, "knows bass, drums, guitar, piano, not lute"),
    ],
)
def test_queries_that_it_cannot_answer(bench: Benchmark, wanted: str, seconds: float, reason: str | None) -> None:
    query = bench.queries[0]
    query = replace(
        query,
        conditioning=replace(query.conditioning, parts=(Part("bass_1", ("bass",)),), seconds=seconds),
        accompaniment=replace(query.accompaniment, parts=(Part(wanted, ("guitar",)),), seconds=seconds),
    )
    answer = generator().unsupported(query)
    assert answer is None if reason is None else reason in str(answer)


def test_an_answer_depends_on_weights_settings_and_all_that_is_heard(bench: Benchmark) -> None:
    query, one = bench.queries[0], generator()
    recipe = one.recipe(query, bench.audio)
    assert recipe["sampling"]["coherence"] == 1.0
    assert recipe["conditioning"] != bench.audio.fingerprint(query)  # it reads more than the query lasts
    changed = [
        replace(one, guidance=2.0),
        replace(one, weights_sha256="1" * 64),
        replace(one, sampling=CoupledSampling(steps=2, coherence=0.5)),
        replace(one, model=GMSDI(LOUD)),
    ]
    assert all(other.recipe(query, bench.audio) != recipe for other in changed)


def test_the_harness_writes_answers_and_keeps_them(bench: Benchmark, tmp_path: Path) -> None:
    save_gmsdi(tiny_gmsdi(), tmp_path / "model")
    made = open_generator(f"gmsdi:{tmp_path / 'model'},steps=2,guidance=2", Setting(bench.audio, "0"))
    assert made.name == "GMSDI, small, ours"
    for generated, kept in ((5, 0), (0, 5)):
        counts = generate_answers(
            bench.queries, bench.audio, made, tmp_path / "answers", queries_sha256="0", batch_size=2
        )
        assert (counts.generated, counts.kept, counts.unsupported) == (generated, kept, 0)
    samples, rate = soundfile.read(tmp_path / "answers" / f"{bench.queries[0].id}.wav")
    assert (rate, len(samples)) == (RATE, SECONDS * RATE)


def test_weights_and_settings_come_from_one_word(tmp_path: Path) -> None:
    save_gmsdi(tiny_gmsdi(), tmp_path)
    made = make_gmsdi(f"{tmp_path},steps=8,guidance=3,coherence=0.5")
    assert made.sampling == CoupledSampling(steps=8, coherence=0.5) and made.guidance == 3
    assert made.weights_sha256 == gmsdi_sha256(tmp_path)
    separator = make_gmsdi(f"{tmp_path},likelihood=gaussian,width=0.05", task=Task.SS)
    assert separator.sampling == SeparationSampling(likelihood="gaussian", width=0.05)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (",tempo=3", "a setting must be one of steps=.*coherence=.*got 'tempo=3'"),
        (",guidance=much", "guidance=much"),
        (",guidance=-1", "guidance must be 0 or more"),
        (",likelihood=dirac", "likelihood=dirac"),
    ],
)
def test_settings_that_make_no_sense_are_refused(tmp_path: Path, settings: str, message: str) -> None:
    save_gmsdi(tiny_gmsdi(), tmp_path)
    with pytest.raises(UsageError, match=message):
        make_gmsdi(f"{tmp_path}{settings}")


def test_weights_have_to_be_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="gmsdi:DIR"):
        make_gmsdi("")
    with pytest.raises(CheckpointError, match="no such folder"):
        make_gmsdi(str(tmp_path / "absent"))


@pytest.mark.skipif(not WEIGHTS.is_dir(), reason="benchmarks/weights: in a checkout only")
def test_the_small_weights_denoise_what_their_tags_name() -> None:
    model = load_gmsdi(WEIGHTS)
    assert replace(model.config, powers=()) == load_gmsdi_config(CONFIG).model
    assert len(model.config.powers) == 4 and (WEIGHTS / "model.safetensors").stat().st_size < 5_000_000
    drums, rate = soundfile.read(ROOT / "examples" / "harbour" / "drums.flac", dtype="float32", always_2d=True)
    heard = resample_to(drums.mean(axis=1), rate, model.config.sample_rate)
    music = torch.from_numpy(heard[: model.config.length])[None, None]
    noisy = music + 0.1 * torch.randn(music.shape, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        right, wrong = (
            (model(noisy, 0.1, model.words([tags])) - music).square().mean() for tags in (["drums"], ["bass"])
        )
    assert right < 0.0075 and right < wrong  # the noise has 0.01
