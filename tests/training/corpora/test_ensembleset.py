"""EnsembleSet as it lies on a disk: pieces, microphone mixes, parts; one mix a track, one split a work."""

from pathlib import Path

import dataset_trees as trees
import numpy as np
import pytest

from cocola_metric.audio import read_audio
from cocola_metric.errors import AudioError, UsageError
from cocola_metric.training.corpora import SPLITS, open_corpora, read_window
from cocola_metric.training.corpora.ensembleset import MIXES, index_ensembleset

PIECES = [f"Piece{letter}" for letter in "ABCDEFGHIJ"]


def names(tracks) -> list[str]:
    return [track.name for track in tracks]


def test_a_track_is_a_piece_in_one_mix(tmp_path: Path) -> None:
    trees.ensembleset(tmp_path, PIECES)
    found = {split: open_corpora([f"ensembleset:{tmp_path}"], split) for split in SPLITS}
    assert {split: len(tracks) for split, tracks in found.items()} == {"train": 8, "validation": 1, "test": 1}
    assert sorted(name for tracks in found.values() for name in names(tracks)) == PIECES
    [track] = found["test"]
    parts = [(stem.name, stem.instrument) for stem in track.stems]
    assert parts == [("Cello", "Cello"), ("Violin_1", "Violin"), ("Violin_2", "Violin")]
    assert {file.parent.name for stem in track.stems for file in stem.files} == {"Mix_1"}
    file = tmp_path / "BBCSO_Ensembles" / track.name / "Mix_1" / "Cello.flac"
    assert np.abs(read_window(track, 0.0, trees.SECONDS)[0] - read_audio(file)).max() < 1e-4


def test_another_microphone_has_the_same_splits(tmp_path: Path) -> None:
    trees.ensembleset(tmp_path, PIECES)
    for split in SPLITS:
        close = open_corpora([f"ensembleset,mix=Close:{tmp_path}"], split)
        assert names(close) == names(index_ensembleset(tmp_path, split))
        assert {file.parent.name for track in close for stem in track.stems for file in stem.files} == {"Close"}


@pytest.mark.parametrize("home", [".", "BBCSO_Ensembles", "EnsembleSet/BBCSO_Ensembles"])
def test_the_folders_of_the_archive_may_be_left_out(tmp_path: Path, home: str) -> None:
    trees.ensembleset(tmp_path, PIECES, home=home)
    assert len(index_ensembleset(tmp_path, "train")) == 8
    assert names(index_ensembleset(tmp_path / home, "test")) == names(index_ensembleset(tmp_path, "test"))


def test_splits_that_somebody_made_are_kept(tmp_path: Path) -> None:
    trees.ensembleset(tmp_path, PIECES[:3], home="BBCSO_Ensembles/train")
    trees.ensembleset(tmp_path, PIECES[3:4], home="BBCSO_Ensembles/valid")
    assert names(index_ensembleset(tmp_path, "train")) == PIECES[:3]
    assert names(index_ensembleset(tmp_path, "validation")) == PIECES[3:4]


def test_movements_of_one_work_stay_together(tmp_path: Path) -> None:
    works = [f"Work{letter}" for letter in "ABCDEFGH"]
    pieces = [f"{work}{movement}" for work in works for movement in ("_1", " mvt 2", "-III", "_4")]
    trees.ensembleset(tmp_path, pieces, mixes=["Mix_1"])
    drawn = {split: {name[:5] for name in names(index_ensembleset(tmp_path, split))} for split in SPLITS}
    assert sum(map(len, drawn.values())) == len(set.union(*drawn.values())) == len(works)
    assert sum(len(index_ensembleset(tmp_path, split)) for split in SPLITS) == len(pieces)


def test_names_that_are_numbers_alone_are_works(tmp_path: Path) -> None:
    trees.ensembleset(tmp_path, [f"piece_{number}" for number in range(10)], mixes=["Mix_1"])
    assert [len(index_ensembleset(tmp_path, split)) for split in SPLITS] == [8, 1, 1]


def test_what_is_missing_is_named(tmp_path: Path, caplog) -> None:
    trees.ensembleset(tmp_path, PIECES)
    with pytest.raises(UsageError, match=r"mix of EnsembleSet must be one of Amb, .*, Tree; got 'Mix_3'"):
        open_corpora([f"ensembleset,mix=Mix_3:{tmp_path}"], "train")
    with pytest.raises(AudioError, match=r"no piece has the mix Tree; .*ensembleset,mix=Close: \(Close, Mix_1\)"):
        index_ensembleset(tmp_path, "train", mix="Tree")
    with pytest.raises(UsageError, match=r"corpus 'ensembleset' takes mix=Mix_1; got 'stems=name'"):
        open_corpora([f"ensembleset,stems=name:{tmp_path}"], "train")
    trees.ensembleset(tmp_path, ["PieceK"], mixes=["Close"])
    found = [name for split in SPLITS for name in names(index_ensembleset(tmp_path, split))]
    assert "PieceK" not in found and "PieceK has no mix Mix_1" in caplog.text
    (tmp_path / "empty").mkdir()
    with pytest.raises(AudioError, match="no folder <piece>/<mix> in it"):
        index_ensembleset(tmp_path / "empty", "train")
    assert len(MIXES) == len(set(MIXES)) == 20
