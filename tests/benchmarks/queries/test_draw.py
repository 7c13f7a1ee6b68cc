"""Queries: the same everywhere, coherent by construction, over every layout of a data set."""

import dataclasses
import json
from collections import Counter
from itertools import combinations
from pathlib import Path

import dataset_trees
import numpy as np
import pytest
import soundfile

from cocola_metric.benchmarks.queries import commands
from cocola_metric.benchmarks.queries.audio import QueryAudio, find_tracks, open_tracks
from cocola_metric.benchmarks.queries.draw import draw_queries, parts_of
from cocola_metric.benchmarks.queries.hashed_draws import HashedDraws
from cocola_metric.benchmarks.queries.manifest import Part, Query, read_queries, write_queries
from cocola_metric.errors import AudioError, UsageError
from cocola_metric.training.corpora.tracks import Stem, Track
from cocola_metric.training.paper import Task, task_of
from cocola_metric.training.signal.sampling import audible

RATE = 8_000
SECONDS = 2.0
# Of the manifest of the fixture `tracks`; another value means that users' manifests change with this version.
SHA256 = "a43e543aadc4be7ee012c8a0e78df2d3c4418e8574c5cd8b57a93ce4d3b00bb1"


def write_band(root: Path, *, tracks: int = 5, seconds: float = 12.0) -> Path:
    """<root>/<song>/<stem>.wav, where bass plays in the first half only, and choir never."""
    time = np.arange(round(seconds * RATE)) / RATE
    for number in range(tracks):
        folder = root / f"song {number}"
        folder.mkdir(parents=True)
        for place, stem in enumerate(("bass", "choir", "drums", "guitar", "piano")):
            tone = 0.1 * np.sin(2 * np.pi * 110 * (place + 1 + number / 7) * time)
            tone *= {"bass": time < seconds / 2, "choir": 1e-4}.get(stem, 1)
            soundfile.write(folder / f"{stem}.wav", tone, RATE, subtype="PCM_16")
    return root


@pytest.fixture(scope="module")
def tracks(tmp_path_factory: pytest.TempPathFactory) -> list[Track]:
    return open_tracks(str(write_band(tmp_path_factory.mktemp("band") / "band")))


@pytest.fixture(scope="module")
def queries(tracks: list[Track]) -> list[Query]:
    return draw_queries(tracks, dataset="band", count=25, seconds=SECONDS)


def test_the_same_seed_and_music_give_the_same_bytes_everywhere(
    queries: list[Query], tmp_path: Path, tracks: list[Track]
) -> None:
    elsewhere = open_tracks(str(write_band(tmp_path / "moved" / "elsewhere")))
    again = draw_queries(elsewhere[::-1], dataset="band", count=25, seconds=SECONDS)
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    assert write_queries(first, queries) == write_queries(second, again) == SHA256
    assert first.read_bytes() == second.read_bytes()
    other = draw_queries(tracks, dataset="band", count=25, seconds=SECONDS, seed=1)
    assert write_queries(second, other) != SHA256


def test_more_queries_begin_with_fewer(queries: list[Query], tracks: list[Track]) -> None:
    assert draw_queries(tracks, dataset="band", count=7, seconds=2) == queries[:7]


def test_queries_ask_for_an_accompaniment_that_sounds(queries: list[Query], tracks: list[Track]) -> None:
    audio = QueryAudio(tracks)
    for query in queries:
        y, x, donor = query.conditioning, query.accompaniment, query.donor
        assert task_of(y.tags, x.tags) is Task.AG
        assert (y.track, y.start, y.seconds) == (x.track, x.start, x.seconds)
        assert donor.track != y.track
        assert 0 <= y.start <= 12 - SECONDS and 0 <= donor.start <= 12 - SECONDS
        assert "choir_1" not in {*y.tags, *x.tags, *donor.tags}
        every = [*audio.conditioning_stems(query, RATE).values(), audio.target(query, RATE), audio.donor(query, RATE)]
        assert audible(np.stack(every)).all()


def test_all_subsets_of_what_sounds_are_asked_for(tracks: list[Track]) -> None:
    many = draw_queries(tracks, dataset="band", count=300, seconds=SECONDS)
    sizes = Counter((len(query.conditioning.parts), len(query.accompaniment.parts)) for query in many)
    assert sizes.keys() == {(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (3, 1)}


def test_queries_are_spread_over_tracks_and_time(queries: list[Query]) -> None:
    assert set(Counter(query.conditioning.track for query in queries).values()) == {5}
    for first, second in combinations([query.conditioning for query in queries[:15]], 2):  # three of each track
        assert first.track != second.track or abs(first.start - second.start) >= SECONDS / 2


def test_the_prompt_is_that_of_componet(tracks: list[Track]) -> None:
    query = draw_queries(tracks, dataset="band", count=1, seconds=SECONDS)[0]
    given, wanted = ", ".join(query.conditioning.tags), ", ".join(query.accompaniment.tags)
    assert query.prompt == f"in: {given}; out: {wanted}"


def test_a_genre_is_part_of_query_and_prompt(tracks: list[Track], tmp_path: Path) -> None:
    """Queries without one keep their ids (`SHA256`)."""
    rock = [dataclasses.replace(track, genre="Rock") for track in tracks]
    [plain], [query] = (draw_queries(some, dataset="band", count=1, seconds=SECONDS) for some in (tracks, rock))
    assert query.prompt == f"genre: rock; {plain.prompt}" and query.id != plain.id
    write_queries(tmp_path / "queries.jsonl", [query])
    assert read_queries(tmp_path / "queries.jsonl") == [query]


def test_a_manifest_is_read_as_it_was_written(queries: list[Query], tmp_path: Path) -> None:
    write_queries(tmp_path / "queries.jsonl", queries)
    assert read_queries(tmp_path / "queries.jsonl") == queries
    assert len({query.id for query in queries}) == len(queries)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace('"seconds": 2.0', '"seconds": 3.0', 1), "line 1: changed after it was drawn"),
        (lambda text: text.replace('"bass_1"', '"bass_2"', 1), "changed after it was drawn"),
        (lambda text: text + "{}\n", "line 26: not a query"),
        (lambda text: "", "no queries"),
    ],
)
def test_a_manifest_that_was_changed_is_refused(queries: list[Query], tmp_path: Path, change, message: str) -> None:
    file = tmp_path / "queries.jsonl"
    write_queries(file, queries)
    file.write_text(change(file.read_text()))
    with pytest.raises(UsageError, match=message):
        read_queries(file)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda row: row["conditioning"][0].update(tag="../../evil"), "tag '../../evil' cannot be the name of a file"),
        (lambda row: row["donor"]["parts"][0].update(tag="a\nb"), "cannot be the name of a file"),
        (lambda row: row["accompaniment"][0].update(tag=5), "not text"),
        (lambda row: row.update(dataset="/etc"), "data set or split '/etc'"),
        (lambda row: row.update(split=".."), "data set or split '..'"),
        (lambda row: row.update(start=-1), "a window begins at 0 s or later"),
        (lambda row: row.update(start=1e300), "a window begins at 0 s or later"),
        (lambda row: row.update(seconds=0), "a window begins at 0 s or later"),
        (lambda row: row.update(start="0"), "not a query"),
        (lambda row: row.update(start=float("nan")), "it holds NaN"),
        (lambda row: row.update(seconds=float("inf")), "it holds Infinity"),
    ],
)
def test_a_manifest_of_a_stranger_leads_nowhere(queries: list[Query], tmp_path: Path, change, message: str) -> None:
    """Whoever writes a manifest can give it the id that belongs to it."""
    file = tmp_path / "queries.jsonl"
    write_queries(file, queries[:1])
    row = json.loads(file.read_text())
    change(row)
    file.write_text(json.dumps(row) + "\n")
    with pytest.raises(UsageError, match=message):
        read_queries(file)


def test_stems_of_one_instrument_are_numbered_or_summed() -> None:
    names = {"S02": "Guitar", "S00": "Guitar", "S01": "Chromatic Percussion", "S03": "Drums"}
    track = Track("song", tuple(Stem(name, (), instrument) for name, instrument in names.items()))
    assert [part.tag for part in parts_of(track)] == ["guitar_1", "chromatic_percussion_1", "guitar_2", "drums_1"]
    assert parts_of(track, ["Bass", "drums", "Guitar"]) == (
        Part("drums_1", ("S03",)),
        Part("guitar_1", ("S00", "S02")),
    )


def musdb(root: Path) -> str:
    return f"musdb18hq:{dataset_trees.musdb18hq(root, ['a - b'], ['c - d', 'e - f'])}"


def slakh(root: Path) -> str:
    for number in (1, 2):
        folder = root / "test" / f"Track0188{number}"
        dataset_trees.slakh_track(folder, str(number), dict.fromkeys(("S00", "S01", "S02", "S03"), True))
    return f"slakh2100:{root}"


def moises(root: Path) -> str:
    return f"moisesdb:{dataset_trees.moisesdb(root, [str(number) for number in range(20)])}"


def rendered(root: Path) -> str:
    dataset_trees.stem_folder(root / "bands" / "test", ["bands__one__00", "bands__two__00"])
    return f"rendered:{root}"


def folder(root: Path) -> str:
    return str(dataset_trees.stem_folder(root, ["one", "two"]))


@pytest.mark.parametrize(
    ("tree", "tags"),
    [
        (musdb, {"bass_1", "drums_1", "other_1", "vocals_1"}),
        (slakh, {"bass_1", "drums_1", "guitar_1", "piano_1"}),
        (moises, {"drums_1", "guitar_1"}),
        (rendered, {"bass_1", "drums_1"}),
        (folder, {"bass_1", "drums_1"}),
    ],
)
def test_every_layout_can_be_queried(tmp_path: Path, tree, tags: set[str], capsys: pytest.CaptureFixture[str]) -> None:
    manifest = tmp_path / "queries" / "queries.jsonl"
    commands.queries([tree(tmp_path / "data"), "--out", str(manifest), "--count", "12", "--seconds", "0.2"])
    report = json.loads(capsys.readouterr().out)
    queries = read_queries(manifest)
    assert (report["queries"], report["tracks"], len(queries)) == (12, 2, 12)
    assert {tag for query in queries for tag in (*query.conditioning.tags, *query.accompaniment.tags)} == tags
    audio = QueryAudio(find_tracks(manifest, queries))
    assert audio.conditioning(queries[0], 16_000).shape == (3200,)
    assert str(tmp_path) not in manifest.read_text()


def test_instruments_are_summed_from_the_command_line(tmp_path: Path) -> None:
    manifest = tmp_path / "queries.jsonl"
    corpus = slakh(tmp_path / "data")
    common = ["--out", str(manifest), "--count", "4", "--seconds", "0.2", "--name", "Slakh2100"]
    commands.queries([corpus, *common, "--instruments", "bass", "drums"])
    queries = read_queries(manifest)
    assert {query.dataset for query in queries} == {"Slakh2100"}
    assert {frozenset(query.conditioning.tags + query.accompaniment.tags) for query in queries} == {
        frozenset({"bass_1", "drums_1"})
    }


def test_too_little_music_is_said_so(tracks: list[Track], tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="fewer than two of 5 tracks have 20 s"):
        draw_queries(tracks, dataset="band", seconds=20)
    with pytest.raises(AudioError, match="fewer than two of 1 tracks"):
        draw_queries(tracks[:1], dataset="band", seconds=SECONDS)
    with pytest.raises(AudioError, match="fewer than two"):
        draw_queries(tracks, dataset="band", seconds=SECONDS, instruments=["choir", "bass"])
    with pytest.raises(UsageError, match="0 queries"):
        draw_queries(tracks, dataset="band", count=0)


def test_a_manifest_from_elsewhere_needs_its_corpus(queries: list[Query], tmp_path: Path) -> None:
    write_queries(tmp_path / "queries.jsonl", queries)
    with pytest.raises(UsageError, match="pass --corpus"):
        find_tracks(tmp_path / "queries.jsonl", queries)
    with pytest.raises(UsageError, match="no such file"):
        read_queries(tmp_path / "none.jsonl")


def test_hashed_draws_are_uniform_and_keep_the_order_of_items() -> None:
    draws = HashedDraws("test")
    counts = np.bincount([draws.below(5) for _ in range(5000)], minlength=5)
    assert np.abs(counts - 1000).max() < 150  # five standard deviations
    pairs = Counter(tuple(draws.subset("abcd", 2)) for _ in range(3000))
    assert pairs.keys() == set(combinations("abcd", 2))
    assert max(pairs.values()) < 620
