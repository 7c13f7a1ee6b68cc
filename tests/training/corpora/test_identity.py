"""The cache of a corpus is its own, and of its present state."""

import os
from pathlib import Path

import pytest

from cocola_metric.training.corpora.identity import cache_name


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("my-songs", "my_songs"):
        (tmp_path / name / "one").mkdir(parents=True)
        (tmp_path / name / "one" / "bass.wav").write_text("x")
    return tmp_path


def test_names_that_differ_in_punctuation_do_not_meet() -> None:
    assert cache_name("my-songs") != cache_name("my_songs")


def test_a_relative_path_means_what_it_means_here(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = cache_name("my-songs")
    assert before.rpartition("my-songs-")[2] == cache_name(str(here / "my-songs")).rpartition("my-songs-")[2]
    (here / "elsewhere" / "my-songs").mkdir(parents=True)
    monkeypatch.chdir(here / "elsewhere")
    assert cache_name("my-songs") != before


def test_the_way_a_corpus_is_read_is_part_of_it() -> None:
    assert cache_name("moisesdb:my-songs") != cache_name("moisesdb_types:my-songs") != cache_name("my-songs")


def test_every_change_of_a_file_changes_the_name(here: Path) -> None:
    file = here / "my-songs" / "one" / "bass.wav"
    names = [cache_name("my-songs")]
    assert names == [cache_name("my-songs")]
    file.write_text("xy")
    names.append(cache_name("my-songs"))
    os.utime(file, ns=(0, 5))
    names.append(cache_name("my-songs"))
    file.rename(file.with_name("drums.wav"))
    names.append(cache_name("my-songs"))
    (here / "my-songs" / "two").mkdir()
    (here / "my-songs" / "two" / "bass.wav").symlink_to("nowhere")
    names.append(cache_name("my-songs"))
    assert len(set(names)) == 5


def test_a_corpus_that_is_not_there_has_a_name_too() -> None:
    assert cache_name("nowhere/at all").startswith("nowhere-at-all-")
