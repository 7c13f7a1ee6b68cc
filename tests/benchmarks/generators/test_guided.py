"""Guided generators: each takes the term, and answers tell which guide they were made with."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from tiny_audioldm2 import stir
from tiny_gmsdi import tiny_gmsdi
from tiny_msdm import STEMS, tiny_msdm

from cocola_metric.benchmarks.generators import Setting, commands, open_generator
from cocola_metric.benchmarks.generators.guided_pairs import SourcePull, pairs_of
from cocola_metric.benchmarks.guides import Guide
from cocola_metric.benchmarks.queries import Query, halves
from cocola_metric.benchmarks.queries.audio import QueryAudio, note_corpus, open_tracks
from cocola_metric.benchmarks.queries.draw import draw_queries
from cocola_metric.benchmarks.queries.manifest import write_queries
from cocola_metric.checkpoints import loading
from cocola_metric.encoder.model import CocolaModel, EncoderConfig
from cocola_metric.errors import UsageError
from cocola_metric.training.componet.checkpoint import save_weights
from cocola_metric.training.componet.network import CompoNet
from cocola_metric.training.componet.small_files import SmallShape, build_small_pipeline, save_small_pipeline
from cocola_metric.training.gmsdi.checkpoint import save_gmsdi
from cocola_metric.training.msdm.checkpoint import save_msdm
from cocola_metric.training.paper import Task

RATE, SECONDS = 16_000, 0.55
SHAPE = SmallShape(vae_channels=(8, 8, 8), unet_channels=(8, 8, 16), heads=2, text_width=8, norm_groups=4)
TASKS = {"msdm": (Task.UG, Task.AG, Task.SS), "gmsdi": (Task.UG, Task.AG, Task.SS), "componet": (Task.UG, Task.AG)}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Songs of four stems, small models of all three systems, and an encoder of the paper's form."""
    root, rng = tmp_path_factory.mktemp("guided"), np.random.default_rng(0)
    for song in range(3):
        (root / "songs" / f"song{song}").mkdir(parents=True)
        for number, stem in enumerate(STEMS):
            noise = rng.normal(0, 0.05 * (number + 1), round(1.5 * RATE))
            soundfile.write(root / "songs" / f"song{song}" / f"{stem}.wav", noise, RATE, subtype="FLOAT")
    torch.manual_seed(0)
    loading.save(CocolaModel(EncoderConfig(front_end="mel")), root / "encoder")
    save_msdm(tiny_msdm(), root / "msdm")
    save_gmsdi(tiny_gmsdi(), root / "gmsdi")
    pipeline = build_small_pipeline(SHAPE, tuple(f"{stem}_1" for stem in STEMS))
    save_small_pipeline(root / "componet", SHAPE, pipeline)
    componet = CompoNet(pipeline.unet)
    stir(componet.controlnet)
    save_weights(componet, root / "componet" / "componet.safetensors")
    return root


@pytest.fixture(scope="module")
def audio(root: Path) -> QueryAudio:
    return QueryAudio(open_tracks(str(root / "songs")))


def queries_of(audio: QueryAudio, task: Task, count: int = 2) -> list[Query]:
    return draw_queries(audio.tracks, dataset="songs", count=count, seconds=SECONDS, task=task)


def answers(root: Path, audio: QueryAudio, system: str, task: Task, settings: str = "") -> tuple[str, np.ndarray]:
    queries = queries_of(audio, task)
    spec = f"{system}:{root / system},steps=2{settings}"
    generator = open_generator(spec, Setting(audio, "0", queries=queries))
    made = generator.generate(queries, audio, np.random.default_rng(0))
    return generator.name, np.concatenate([answer.samples.ravel() for answer in made])


@pytest.mark.parametrize(("system", "task"), [(system, task) for system, tasks in TASKS.items() for task in tasks])
def test_each_system_takes_the_term(root: Path, audio: QueryAudio, system: str, task: Task) -> None:
    guide = f",guide={root / 'encoder'},guide_weight=20"
    name, plain = answers(root, audio, system, task)
    guided_name, guided = answers(root, audio, system, task, guide)
    assert guided_name == f"{name}, guided by encoder (20)"
    assert np.isfinite(guided).all() and not np.array_equal(guided, plain)
    assert np.array_equal(guided, answers(root, audio, system, task, guide)[1])
    assert np.array_equal(plain, answers(root, audio, system, task, guide.replace("=20", "=0"))[1])


@pytest.mark.parametrize("task", [Task.SS, Task.EA, Task.ER])
def test_answers_that_hold_what_is_given_are_not_guided(root: Path, audio: QueryAudio, task: Task) -> None:
    with pytest.raises(UsageError, match=rf"guidance is for AG and UG: an answer to {task.name} holds what is given"):
        answers(root, audio, "componet", task, f",guide={root / 'encoder'}")


class TestPairs:
    """What a guide is asked, as sums of sources."""

    music = torch.arange(6.0)

    def test_of_an_accompaniment(self, audio: QueryAudio) -> None:
        (query,) = queries_of(audio, Task.AG, 1)
        (pair,) = pairs_of(query, [2, 0], self.music, 4)
        assert torch.equal(pair.music, self.music) and not pair.given.any()
        assert pair.answer.tolist() == [1, 0, 1, 0]

    def test_of_a_separation(self, audio: QueryAudio) -> None:
        (query,) = queries_of(audio, Task.SS, 1)
        pairs = pairs_of(query, [1, 3], self.music, 4)
        assert [pair.answer.tolist() for pair in pairs] == [[0, 1, 0, 0], [0, 0, 0, 1]]
        assert all(torch.equal(pair.given, -pair.answer) and torch.equal(pair.music, self.music) for pair in pairs)

    def test_of_a_whole_band(self, audio: QueryAudio) -> None:
        (query,) = queries_of(audio, Task.UG, 1)
        rows = list(range(len(query.accompaniment.parts)))
        (pair,) = pairs_of(query, rows, self.music, 4)
        one, other = halves(query)
        assert [place for place in range(4) if pair.given[place]] == one
        assert [place for place in range(4) if pair.answer[place]] == sorted(other)

    def test_gradients_reach_the_sources_within_the_query(self, audio: QueryAudio) -> None:
        """Of the product of both sides; the mixture is all ones, so the gradient in a stem x is (1 - x) - x."""
        (query,) = queries_of(audio, Task.SS, 1)
        pull = SourcePull(Guide(lambda given, answer: (given * answer).sum(dim=1)), [[]], [4], RATE)
        assert not pull(torch.ones(1, 3, 6)).any()
        pairs = pairs_of(query, [1], torch.ones(6), 3)
        slopes = SourcePull(pull.guide, [pairs], [4], RATE)(0.25 * torch.ones(1, 3, 6))
        assert slopes[0, 1].tolist() == [0.5] * 4 + [0.0] * 2
        assert not slopes[0, [0, 2]].any()


def test_a_run_goes_on_with_its_guide_and_with_no_other(
    root: Path, audio: QueryAudio, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest, out = tmp_path / "queries.jsonl", tmp_path / "answers"
    write_queries(manifest, queries_of(audio, Task.AG, 3))
    note_corpus(manifest, str(root / "songs"))
    common = ["--queries", str(manifest), "--out", str(out), "--generator", f"msdm:{root / 'msdm'},steps=2"]
    guide = ["--guide", str(root / "encoder"), "--guide-weight", "3", "--guide-schedule", "rising"]

    def run(*options: str) -> dict[str, object]:
        commands.generate([*common, *options])
        return json.loads(capsys.readouterr().out)

    assert run(*guide)["generated"] == 3
    about = json.loads((out / "generated.json").read_text())
    assert about["generator"] == "MSDM, small, ours, guided by encoder (3, rising)"
    weights = about["guide"].pop("weights")
    assert len(weights) == 64
    assert about["guide"] == {"encoder": str(root / "encoder"), "weight": 3.0, "schedule": "rising", "limit": 0.3}
    next(out.glob("*.wav")).unlink()
    resumed = run(*guide)
    assert (resumed["generated"], resumed["kept"]) == (1, 2)
    for others in ([], [*guide[:2]], [*guide, "--guide-limit", "0.1"]):
        with pytest.raises(SystemExit):
            run(*others)
        assert "give another folder" in capsys.readouterr().err
    assert run(*guide)["kept"] == 3
    (root / "moved").symlink_to(root / "encoder")  # the same weights under another name
    assert run("--guide", str(root / "moved"), *guide[2:])["generated"] == 3


def test_only_systems_that_draw_step_by_step_are_guided(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        commands.generate(
            ["--queries", "q.jsonl", "--out", str(tmp_path), "--generator", "echo", "--guide", "embedded"]
        )
    assert "an encoder can guide msdm, gmsdi, componet; got 'echo'" in capsys.readouterr().err
