"""Queries of every task: the relation between what is given and what is asked for, as Figure 3 has it."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tiny_benchmark import write_songs

from cocola_metric.benchmarks.queries import commands, task_of_manifest
from cocola_metric.benchmarks.queries.audio import QueryAudio, open_tracks
from cocola_metric.benchmarks.queries.draw import draw_queries
from cocola_metric.benchmarks.queries.manifest import Query, read_queries, write_queries
from cocola_metric.benchmarks.queries.sides import SIDES
from cocola_metric.errors import AudioError, UsageError
from cocola_metric.training.corpora import Track
from cocola_metric.training.paper import Task

SECONDS = 0.5
TASKS = list(SIDES)
SHA256 = {
    "UG": "66a7f2f08897c16aee35277057e6ccd32035ea69af44e5c46980136e8cc8d8ff",
    "SS": "e08072d3b70c4fa315ea8a06eca4f887990d0417fe3a0d73c063e6fdb58ca9c2",
    "EA": "57c4480721b13cf03350b00a14fc581a82c0167305526ab1b87f5491dbb2f905",
    "ER": "ba5fa0a329a3e725b0cef4dcc0f0f3dae8a8c5e6a86f53dc70381e25cfc08b04",
}
"""Of the manifests of the tracks below; another value means that users' manifests change with this version."""


@pytest.fixture(scope="module")
def tracks(tmp_path_factory: pytest.TempPathFactory) -> list[Track]:
    return open_tracks(str(write_songs(tmp_path_factory.mktemp("songs"), stems=4)))


def drawn(tracks: list[Track], task: Task, count: int = 40) -> list[Query]:
    return draw_queries(tracks, dataset="songs", count=count, seconds=SECONDS, task=task)


def test_the_tasks_are_those_of_figure_3() -> None:
    assert set(TASKS) == set(Task) - {Task.ID}


@pytest.mark.parametrize("task", TASKS)
def test_the_sets_of_a_query_are_related_as_its_task_says(tracks: list[Track], task: Task) -> None:
    queries = drawn(tracks, task)
    assert {query.task for query in queries} == {task} and task_of_manifest(queries) is task
    for query in queries:
        kept, added = set(query.kept.parts), set(query.added.parts)
        assert kept | added == set(query.accompaniment.parts) and not kept & added
        assert kept <= set(query.conditioning.parts) and not added & set(query.conditioning.parts)


@pytest.mark.parametrize(
    ("task", "sizes"),
    [
        (Task.UG, {(0, 2), (0, 3), (0, 4)}),
        (Task.SS, {(2, 1), (3, 1), (3, 2), (4, 1), (4, 2), (4, 3)}),
        (Task.EA, {(1, 2), (1, 3), (2, 3), (1, 4), (2, 4), (3, 4)}),
        (Task.ER, {(2, 2), (2, 3), (3, 2), (3, 3)}),
    ],
)
def test_every_size_is_drawn(tracks: list[Track], task: Task, sizes: set[tuple[int, int]]) -> None:
    queries = drawn(tracks, task, 60)
    assert {(len(query.conditioning.parts), len(query.accompaniment.parts)) for query in queries} == sizes


@pytest.mark.parametrize("task", SHA256)
def test_the_same_seed_gives_the_same_bytes_everywhere(tracks: list[Track], task: str, tmp_path: Path) -> None:
    file = tmp_path / "queries.jsonl"
    assert write_queries(file, drawn(tracks, Task[task], 6)) == SHA256[task]
    assert read_queries(file) == drawn(tracks, Task[task], 6)


def test_what_is_not_given_is_silent(tracks: list[Track]) -> None:
    (query,) = drawn(tracks, Task.UG, 1)
    audio = QueryAudio(tracks)
    rate = audio.native_rate(query)
    assert rate == audio.target_rate(query) == 32_000
    np.testing.assert_array_equal(audio.conditioning(query, rate), np.zeros(round(SECONDS * rate), np.float32))
    assert audio.conditioning_stems(query, rate) == {}


def test_the_stems_that_are_asked_for_add_up_to_the_target(tracks: list[Track]) -> None:
    audio = QueryAudio(tracks)
    for query in drawn(tracks, Task.SS, 4):
        stems = audio.target_stems(query, 16_000)
        assert stems.shape[0] == len(query.accompaniment.parts)
        np.testing.assert_allclose(stems.sum(0), audio.target(query, 16_000), atol=1e-6)


def test_replacing_needs_three_stems(tmp_path: Path) -> None:
    time = np.arange(32_000) / 32_000
    for song in ("one", "two"):
        (tmp_path / song).mkdir()
        for stem, pitch in (("bass", 100), ("drums", 200)):
            soundfile.write(tmp_path / song / f"{stem}.wav", 0.1 * np.sin(2 * np.pi * pitch * time), 32_000)
    with pytest.raises(AudioError, match="in which three stems sound"):
        draw_queries(open_tracks(str(tmp_path)), dataset="songs", seconds=SECONDS, task=Task.ER)
    with pytest.raises(UsageError, match="task must be one of UG, AG, SS, EA, ER; got ID"):
        draw_queries(open_tracks(str(tmp_path)), dataset="songs", seconds=SECONDS, task=Task.ID)


def test_a_manifest_of_two_tasks_is_refused(tracks: list[Track]) -> None:
    with pytest.raises(UsageError, match="a manifest is of one task; got queries of AG, SS"):
        task_of_manifest([*drawn(tracks, Task.AG, 1), *drawn(tracks, Task.SS, 1)])


def test_the_command_draws_a_task(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    songs, manifest = write_songs(tmp_path / "songs"), tmp_path / "queries.jsonl"
    common = [str(songs), "--out", str(manifest), "--count", "3", "--seconds", "0.5"]
    commands.queries([*common, "--task", "ER"])
    assert json.loads(capsys.readouterr().out)["task"] == "ER"
    assert {query.task for query in read_queries(manifest)} == {Task.ER}
    with pytest.raises(SystemExit):
        commands.queries([*common, "--task", "ID"])
