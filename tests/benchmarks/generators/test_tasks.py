"""What each control means for each task: the made part is replaced, all else is the real music."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tiny_benchmark import RATE, SECONDS, Benchmark, open_benchmark, run, samples_in

from cocola_metric.benchmarks.generators import Setting, commands, export, open_generator
from cocola_metric.benchmarks.generators.content import content_of
from cocola_metric.benchmarks.generators.folder import Generated, open_generated, write_about, write_wav_whole
from cocola_metric.benchmarks.queries import SIDES, Query, halves
from cocola_metric.errors import AudioError
from cocola_metric.training.paper import Task

LENGTH = round(RATE * SECONDS)


@pytest.fixture(scope="module", params=list(SIDES), ids=[task.name for task in SIDES])
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    return open_benchmark(tmp_path_factory.mktemp("bench"), request.param)


def answers(bench: Benchmark, spec: str, out: Path) -> dict[str, Generated]:
    setting = Setting(bench.audio, bench.sha256, queries=bench.queries)
    counts = run(bench, open_generator(spec, setting), out)
    assert (counts.generated, counts.unsupported) == (len(bench.queries), 0)
    folder = open_generated(out, bench.sha256)
    assert folder.content == content_of(bench.queries[0].task)
    return {query.id: folder.read(query) for query in bench.queries}


def answered(bench: Benchmark, spec: str, out: Path) -> list[tuple[Query, Generated]]:
    made = answers(bench, spec, out)
    return [(query, made[query.id]) for query in bench.queries]


def made(query: Query, bench: Benchmark, samples: np.ndarray) -> np.ndarray:
    """What a control made, with the real music around it taken away, after it was found to be there."""
    audio = bench.audio
    match query.task:
        case Task.EA | Task.ER:
            return samples - audio.kept(query, RATE)
        case Task.UG:
            first, second = halves(query)
            np.testing.assert_allclose(samples[first], audio.target_stems(query, RATE)[first], atol=1e-6)
            assert sorted(first + second) == list(range(len(samples)))
            return samples[second].sum(axis=0)
    return samples


def real(query: Query, bench: Benchmark) -> np.ndarray:
    match query.task:
        case Task.EA | Task.ER:
            return bench.audio.added(query, RATE)
        case Task.UG:
            return bench.audio.target_stems(query, RATE)[halves(query)[1]].sum(axis=0)
        case Task.SS:
            return bench.audio.target_stems(query, RATE)
    return bench.audio.target(query, RATE)


def test_ground_truth_is_what_is_asked_for(bench: Benchmark, tmp_path: Path) -> None:
    for query, answer in answered(bench, "ground_truth", tmp_path):
        assert answer.samples.shape[:-1] == ((len(query.accompaniment.parts),) if query.task in STEMS else ())
        np.testing.assert_allclose(answer.mix, bench.audio.target(query, RATE), atol=1e-6)


STEMS = (Task.UG, Task.SS)


def test_random_is_the_donor_in_the_place_of_what_is_made(bench: Benchmark, tmp_path: Path) -> None:
    for query, answer in answered(bench, "random", tmp_path):
        for row in np.atleast_2d(made(query, bench, answer.samples)):
            np.testing.assert_allclose(row, bench.audio.donor(query, RATE), atol=1e-6)


def test_noise_is_as_loud_as_what_is_made(bench: Benchmark, tmp_path: Path) -> None:
    for query, answer in answered(bench, "noise", tmp_path):
        for row, truth in zip(
            np.atleast_2d(made(query, bench, answer.samples)), np.atleast_2d(real(query, bench)), strict=True
        ):
            assert row.std() == pytest.approx(truth.std(), rel=0.05)
            assert abs(np.corrcoef(row, truth)[0, 1]) < 0.05


def test_degraded_is_the_made_part_damaged(bench: Benchmark, tmp_path: Path) -> None:
    for query, answer in answered(bench, "degraded:snr=20", tmp_path):
        for row, truth in zip(
            np.atleast_2d(made(query, bench, answer.samples)), np.atleast_2d(real(query, bench)), strict=True
        ):
            assert np.corrcoef(row, truth)[0, 1] > 0.95


def test_echo_is_what_is_given(bench: Benchmark, tmp_path: Path) -> None:
    for query, answer in answered(bench, "echo", tmp_path):
        if query.task is Task.UG:
            first, _ = halves(query)
            given, played = answer.samples[first].sum(axis=0), made(query, bench, answer.samples)
        else:
            given, played = bench.audio.conditioning(query, RATE), answer.samples
        for row in np.atleast_2d(played):
            np.testing.assert_allclose(row, given, atol=1e-6)


def test_swapped_is_another_answer_of_the_system(bench: Benchmark, tmp_path: Path) -> None:
    own = answers(bench, "ground_truth", tmp_path / "own")
    swapped = answers(bench, f"swapped:{tmp_path / 'own'}", tmp_path / "swapped")
    for query in bench.queries:
        others = [other for other in bench.queries if other.accompaniment.track != query.accompaniment.track]
        if query.task is Task.UG:
            half = made(query, bench, swapped[query.id].samples)
            found = [own[other.id].samples[halves(other)[1]].sum(axis=0) for other in others]
        else:
            half, found = np.atleast_2d(swapped[query.id].samples)[0], [r for o in others for r in _rows(own[o.id])]
        assert any(np.allclose(half, one, atol=1e-6) for one in found)


def _rows(answer: Generated) -> list[np.ndarray]:
    return list(np.atleast_2d(answer.samples))


def test_queries_of_every_task_are_exported(bench: Benchmark, tmp_path: Path) -> None:
    query = bench.queries[0]
    folder = export.export_query(query, bench.audio, tmp_path)
    assert (folder / "prompt.txt").read_text() == query.prompt + "\n"
    if query.task is Task.UG:
        assert not (folder / "conditioning.wav").exists() and query.prompt.startswith("in: ; out: ")
    else:
        given, rate = soundfile.read(folder / "conditioning.wav", dtype="float32")
        np.testing.assert_allclose(given, bench.audio.conditioning(query, rate), atol=1e-6)


def test_stems_made_elsewhere_are_channels(tmp_path: Path) -> None:
    bench = open_benchmark(tmp_path / "bench", Task.SS)
    outside = tmp_path / "outside"
    commands.export(
        ["--queries", str(bench.manifest), "--out", str(outside), "--content", "stems", "--generator", "Outside"]
    )
    for query in bench.queries:
        write_wav_whole(outside / f"{query.id}.wav", bench.audio.target_stems(query, RATE), RATE)
    read = answers(bench, f"folder:{outside}", tmp_path / "answers")
    for query in bench.queries:
        np.testing.assert_array_equal(read[query.id].samples, bench.audio.target_stems(query, RATE))
    assert json.loads((outside / "generated.json").read_text())["content"] == "stems"
    query = next(query for query in bench.queries if len(query.accompaniment.parts) == 2)
    write_wav_whole(outside / f"{query.id}.wav", np.zeros((3, LENGTH), np.float32), RATE)
    with pytest.raises(AudioError, match="has 3 channels, and the query asks for 2 stems"):
        open_generated(outside, bench.sha256).read(query)


def test_a_stem_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    bench = open_benchmark(tmp_path / "bench", Task.SS)
    query = bench.queries[0]
    parts = len(query.accompaniment.parts)
    write_about(tmp_path, bench.sha256, "stems", {})
    write_wav_whole(tmp_path / f"{query.id}.wav", np.zeros((parts, LENGTH // 2), np.float32), RATE)
    with pytest.raises(AudioError, match="generate at least as much"):
        open_generated(tmp_path, bench.sha256).read(query)
    write_wav_whole(tmp_path / f"{query.id}.wav", np.full((parts, LENGTH), np.nan, np.float32), RATE)
    with pytest.raises(AudioError, match="NaN"):
        open_generated(tmp_path, bench.sha256).read(query)


def test_a_run_that_went_on_has_the_same_answers(bench: Benchmark, tmp_path: Path) -> None:
    setting = Setting(bench.audio, bench.sha256, queries=bench.queries)
    noise = open_generator("noise", setting)
    run(bench, noise, tmp_path / "whole")
    run(replace(bench, queries=bench.queries[:2]), noise, tmp_path / "broken")
    counts = run(bench, noise, tmp_path / "broken")
    assert (counts.generated, counts.kept) == (len(bench.queries) - 2, 2)
    assert samples_in(tmp_path / "whole") == samples_in(tmp_path / "broken")
