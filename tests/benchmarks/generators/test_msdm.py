"""MSDM in the harness: what it hears, what it answers, which queries it cannot."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from tiny_msdm import LENGTH, RATE, STEMS, TINY, tiny_msdm

from cocola_metric.benchmarks.generators import Setting, msdm, open_generator
from cocola_metric.benchmarks.generators.best_of import BestOf
from cocola_metric.benchmarks.generators.folder import fit_length
from cocola_metric.benchmarks.generators.generate import generate_answers
from cocola_metric.benchmarks.generators.msdm import MSDMGenerator, make_msdm
from cocola_metric.benchmarks.generators.msdm_sampler import PARTIAL, SEPARATION, UNCONDITIONAL, Sampling
from cocola_metric.benchmarks.generators.protocol import row_name
from cocola_metric.benchmarks.queries.audio import QueryAudio, open_tracks
from cocola_metric.benchmarks.queries.draw import draw_queries
from cocola_metric.benchmarks.queries.manifest import Part, Query
from cocola_metric.errors import CheckpointError, UsageError
from cocola_metric.training.msdm.checkpoint import msdm_sha256, save_msdm
from cocola_metric.training.paper import Task

SECONDS, FILE_RATE = 0.5, 16_000
QUICK = Sampling(steps=2)
EVERY = tuple(Part(f"{stem}_1", (stem,)) for stem in STEMS)


@dataclass(frozen=True)
class Bench:
    queries: list[Query]
    audio: QueryAudio


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Songs of the four stems, 1.2 s: noise of other levels."""
    root, rng = tmp_path_factory.mktemp("bands"), np.random.default_rng(0)
    for song in range(3):
        (root / f"song{song}").mkdir()
        for number, stem in enumerate(STEMS):
            noise = rng.normal(0, 0.05 * (number + 1), round(1.2 * FILE_RATE))
            soundfile.write(root / f"song{song}" / f"{stem}.wav", noise, FILE_RATE, subtype="FLOAT")
    tracks = open_tracks(str(root))
    return Bench(draw_queries(tracks, dataset="bands", count=5, seconds=SECONDS), QueryAudio(tracks))


def test_a_row_is_named_as_what_it_is(tmp_path: Path) -> None:
    """Published values stand beside "MSDM" alone."""
    save_msdm(tiny_msdm(), tmp_path)
    assert make_msdm(str(tmp_path)).name == BestOf(make_msdm(str(tmp_path)), 12).name == "MSDM, small, ours"
    assert generator().name == row_name("MSDM", released=True, small=False) == "MSDM"
    assert row_name("MSDM", released=False, small=False) == "MSDM, ours"


def generator(sampling: Sampling = QUICK) -> MSDMGenerator:
    return MSDMGenerator(tiny_msdm(), "0" * 64, sampling)


class Oracle(torch.nn.Module):
    """A model that knows the whole band, and so denoises perfectly."""

    config = TINY

    def __init__(self, truth: torch.Tensor) -> None:
        super().__init__()
        self.truth = torch.nn.Parameter(truth)

    def forward(self, x: torch.Tensor, sigma: float) -> torch.Tensor:
        return self.truth.expand_as(x)


def whole_band(query: Query, audio: QueryAudio) -> torch.Tensor:
    parts = tuple(Part(f"{stem}_1", (stem,)) for stem in STEMS)
    asked = replace(query, conditioning=replace(query.conditioning, parts=parts))
    stems = audio.conditioning_stems(asked, RATE, seconds=TINY.seconds)
    return torch.stack([torch.from_numpy(stems[f"{stem}_1"]) for stem in STEMS])


def test_a_model_that_knows_the_band_answers_with_the_truth(bench: Bench) -> None:
    for query in bench.queries:
        oracle = MSDMGenerator(Oracle(whole_band(query, bench.audio)), "", QUICK)  # type: ignore[arg-type]
        (answer,) = oracle.generate([query], bench.audio, np.random.default_rng(0))
        assert (answer.sample_rate, len(answer.samples)) == (RATE, LENGTH)
        cropped = fit_length(answer.samples, query, RATE, "answer")
        np.testing.assert_allclose(cropped, bench.audio.target(query, RATE), atol=1e-6)


@pytest.mark.parametrize("task", [Task.UG, Task.SS])
def test_a_model_that_knows_the_band_answers_with_its_stems(bench: Bench, task: Task) -> None:
    (query,) = draw_queries(bench.audio.tracks, dataset="bands", count=1, seconds=SECONDS, task=task)
    if task is Task.SS:  # what it knows has to add up to the mixture
        query = replace(query, conditioning=replace(query.conditioning, parts=EVERY))
    model = Oracle(whole_band(query, bench.audio))
    oracle = MSDMGenerator(model, "", replace(SEPARATION, steps=64, churn=0.0, resamples=1), task=task)  # type: ignore[arg-type]
    (answer,) = oracle.generate([query], bench.audio, np.random.default_rng(0))
    assert oracle.content == "stems" and answer.samples.shape == (len(query.accompaniment.parts), LENGTH)
    cropped = fit_length(answer.samples, query, RATE, "answer")
    np.testing.assert_allclose(cropped, bench.audio.target_stems(query, RATE), atol=1e-3)


def test_separated_stems_add_up_to_the_mixture(bench: Bench) -> None:
    query = replace(bench.queries[0], conditioning=replace(bench.queries[0].conditioning, parts=EVERY))
    query = replace(query, accompaniment=replace(query.accompaniment, parts=EVERY))
    separator = replace(generator(replace(SEPARATION, steps=2)), task=Task.SS)
    (answer,) = separator.generate([query], bench.audio, np.random.default_rng(0))
    mixture = bench.audio.conditioning(query, RATE, seconds=TINY.seconds)
    np.testing.assert_allclose(answer.samples.sum(axis=0), mixture, atol=1e-4)  # two steps from noise of level 1


def test_one_instrument_under_two_tags_is_not_doubled(bench: Bench) -> None:
    query = asking(bench.queries[0], "bass_1", "guitar_1")
    two = (Part("guitar_1", ("guitar",)), Part("guitar_2", ("piano",)))
    query = replace(query, accompaniment=replace(query.accompaniment, parts=two))
    stems = torch.ones(len(STEMS), LENGTH)
    assert generator()._wanted(query, stems).sum() == LENGTH
    assert replace(generator(), task=Task.UG)._wanted(query, stems).sum(dim=1).tolist() == [LENGTH, 0]


@pytest.mark.parametrize("task", [Task.EA, Task.ER])
def test_editing_is_not_claimed(bench: Bench, task: Task) -> None:
    queries = draw_queries(bench.audio.tracks, dataset="bands", count=2, seconds=SECONDS, task=task)
    assert {generator().unsupported(query) for query in queries} == {f"MSDM does not claim {task}"}


@pytest.mark.parametrize(("task", "published"), [(Task.UG, UNCONDITIONAL), (Task.AG, PARTIAL), (Task.SS, SEPARATION)])
def test_each_task_has_its_published_schedule(tmp_path: Path, task: Task, published: Sampling) -> None:
    save_msdm(tiny_msdm(), tmp_path)
    assert make_msdm(str(tmp_path), task=task).sampling == published
    assert make_msdm(f"{tmp_path},steps=3", task=task).sampling == replace(published, steps=3)


def test_the_conditioning_is_given_and_all_else_is_free(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def spy(denoise: object, given: torch.Tensor, mask: torch.Tensor, *_: object, **__: object) -> torch.Tensor:
        calls.append((given, mask))
        return torch.zeros_like(given)

    monkeypatch.setattr(msdm, "generate_stems", spy)
    generator().generate(bench.queries, bench.audio, np.random.default_rng(0))
    ((given, mask),) = calls
    assert given.shape == (len(bench.queries), len(STEMS), LENGTH)
    for query, stems, known in zip(bench.queries, given, mask, strict=True):
        assert {f"{stem}_1" for stem, here in zip(STEMS, known, strict=True) if here} == set(query.conditioning.tags)
        heard = whole_band(query, bench.audio)
        assert torch.equal(stems, torch.where(known[:, None], heard, 0.0))


def test_two_stems_of_one_instrument_are_heard_as_one(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    query = bench.queries[0]
    two = (Part("guitar_1", ("bass",)), Part("guitar_2", ("drums",)))
    query = replace(query, conditioning=replace(query.conditioning, parts=two))
    given, mask = generator()._given(query, bench.audio)
    assert mask.tolist() == [False, False, True, False]
    assert torch.equal(given[2], whole_band(query, bench.audio)[:2].sum(dim=0))


def test_the_loudest_of_several_answers_is_taken(bench: Bench) -> None:
    best = BestOf(generator(), 4)
    query = bench.queries[0]
    (answer,) = best.generate([query], bench.audio, np.random.default_rng(0))
    assert len(set(answer.norms)) == 4
    norm = np.linalg.norm(fit_length(answer.samples, query, RATE, "answer").astype(np.float64))
    assert norm == pytest.approx(max(answer.norms))


def test_the_harness_writes_answers_notes_their_norms_and_keeps_them(bench: Bench, tmp_path: Path) -> None:
    save_msdm(tiny_msdm(), tmp_path / "model")
    setting, out = Setting(bench.audio, "0"), tmp_path / "answers"
    twelve = open_generator(f"msdm:{tmp_path / 'model'},steps=2", setting, candidates=12)
    for generated, kept in ((5, 0), (0, 5)):
        counts = generate_answers(bench.queries, bench.audio, twelve, out, queries_sha256="0", batch_size=2)
        assert (counts.generated, counts.kept, counts.unsupported) == (generated, kept, 0)
    samples, rate = soundfile.read(out / f"{bench.queries[0].id}.wav")
    assert (rate, len(samples)) == (RATE, SECONDS * RATE)
    norms = json.loads((out / f"{bench.queries[0].id}.json").read_text())["norms"]
    assert len(norms) == 12
    assert np.linalg.norm(samples) == pytest.approx(max(norms))


def asking(query: Query, given: str, wanted: str, seconds: float = SECONDS) -> Query:
    parts = {name: (Part(tag, ("bass",)),) for name, tag in (("given", given), ("wanted", wanted))}
    return replace(
        query,
        conditioning=replace(query.conditioning, parts=parts["given"], seconds=seconds),
        accompaniment=replace(query.accompaniment, parts=parts["wanted"], seconds=seconds),
    )


@pytest.mark.parametrize(
    ("given", "wanted", "seconds", "reason"),
    [
        ("bass_1", "guitar_2", SECONDS, None),
        ("bass_1", "guitar_2", 0.576, None),
        ("bass_1", "guitar_2", 0.6, "MSDM plays 0.576 s, not 0.6 s"),
        ("guitar_1", "guitar_2", SECONDS, "MSDM plays one guitar, which is given"),
        ("bass_1", "chromatic_percussion_1", SECONDS, "not chromatic_percussion"),
        ("vocals_1", "drums_1", SECONDS, "MSDM plays bass, drums, guitar, piano, not vocals"),
    ],
)
def test_queries_that_it_cannot_answer(
    bench: Bench, given: str, wanted: str, seconds: float, reason: str | None
) -> None:
    answer = generator().unsupported(asking(bench.queries[0], given, wanted, seconds))
    assert answer is None if reason is None else reason in str(answer)


def test_an_answer_depends_on_weights_sampling_and_all_that_is_heard(bench: Bench) -> None:
    query = bench.queries[0]
    recipe = generator().recipe(query, bench.audio)
    assert recipe["sampling"] == {**vars(PARTIAL), "steps": 2}
    assert recipe["conditioning"] != bench.audio.fingerprint(query)  # it hears more than the query lasts
    assert recipe != generator(Sampling(steps=2, resamples=4)).recipe(query, bench.audio)
    assert recipe != replace(generator(), weights_sha256="1" * 64).recipe(query, bench.audio)


def test_weights_and_settings_come_from_one_word(tmp_path: Path) -> None:
    save_msdm(tiny_msdm(), tmp_path / "model")
    made = make_msdm(f"{tmp_path / 'model'},steps=64,resamples=4,sigma_max=5")
    assert made.sampling == replace(PARTIAL, steps=64, resamples=4, sigma_max=5.0)
    assert made.weights_sha256 == msdm_sha256(tmp_path / "model")
    assert not made.model.training


@pytest.mark.parametrize(
    ("settings", "message"),
    [(",tempo=3", "tempo=3"), (",steps=few", "steps=few"), (",steps=1", "steps must be 2 or more, .*; got 1 and 1")],
)
def test_settings_that_make_no_sense_are_refused(tmp_path: Path, settings: str, message: str) -> None:
    save_msdm(tiny_msdm(), tmp_path / "model")
    with pytest.raises(UsageError, match=message):
        make_msdm(f"{tmp_path / 'model'}{settings}")


def test_weights_have_to_be_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"msdm:FILE\.ckpt"):
        make_msdm("")
    with pytest.raises(CheckpointError, match="no such file"):
        make_msdm(str(tmp_path / "absent"))
