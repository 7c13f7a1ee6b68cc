"""The output folders of separation programs become tracks: no sum beside its parts, no song in two splits."""

import itertools
from pathlib import Path

import dataset_trees as trees
import numpy as np
import pytest
import soundfile

from cocola_metric.errors import AudioError, UsageError
from cocola_metric.training.corpora import SPLITS, index_stem_folder, open_banks, open_corpora, read_window
from cocola_metric.training.corpora.separated import index_separated
from cocola_metric.training.evaluation.held_out import open_test_set

SONGS = [f"Artist {number // 2} - Song {letter}" for number, letter in enumerate("ABCDEFGHIJKLMNOPQRST")]
FOUR = ("bass", "drums", "other", "vocals")


def names(tracks) -> list[str]:
    return [track.name for track in tracks]


def stems(tracks) -> set[tuple[str, ...]]:
    return {tuple(stem.name for stem in track.stems) for track in tracks}


def everything(root: Path, **options: str) -> dict[str, list]:
    return {split: index_separated(root, split, **options) for split in SPLITS}


@pytest.mark.parametrize("suffix", ["wav", "flac", "mp3"])
def test_demucs(tmp_path: Path, suffix: str) -> None:
    trees.separated(tmp_path / "separated" / "htdemucs", SONGS, FOUR, suffix)
    found = everything(tmp_path / "separated")
    assert [len(found[split]) for split in SPLITS] == [16, 2, 2]
    assert sorted(name for tracks in found.values() for name in names(tracks)) == sorted(SONGS)
    assert stems(itertools.chain(*found.values())) == {("vocals", "drums", "bass", "other")}
    of_model = index_separated(tmp_path / "separated" / "htdemucs", "train")
    assert names(of_model) == names(found["train"]) == names(open_corpora([f"separated:{tmp_path}/separated"], "train"))
    assert read_window(of_model[0], 0.0, 0.2).shape == (4, 3200)


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (("vocals", "no_vocals"), ("vocals", "no_vocals")),  # demucs --two-stems vocals
        (("drums", "no_drums"), ("drums", "no_drums")),
        (("vocals", "accompaniment"), ("vocals", "accompaniment")),  # spleeter:2stems
        (("bass", "drums", "other", "piano", "vocals"), ("vocals", "drums", "bass", "piano", "other")),  # 5stems
        ((*FOUR, "guitar", "piano"), ("vocals", "drums", "bass", "guitar", "piano", "other")),  # htdemucs_6s
        ((*FOUR, "no_vocals", "accompaniment"), ("vocals", "drums", "bass", "other")),  # a sum beside its parts
        (("vocals", "drums", "no_vocals"), ("vocals", "drums")),
    ],
)
def test_two_stems_and_sums(tmp_path: Path, given: tuple[str, ...], read: tuple[str, ...]) -> None:
    trees.separated(tmp_path, SONGS[:3], given)
    assert stems(itertools.chain(*everything(tmp_path).values())) == {read}


def test_open_unmix_names_folders_after_its_model(tmp_path: Path) -> None:
    trees.separated(tmp_path, [f"{song}_umxl" for song in SONGS[:4]], FOUR)
    found = everything(tmp_path)
    assert sorted(name for tracks in found.values() for name in names(tracks)) == SONGS[:4]
    trees.separated(tmp_path, [f"{song}_umxhq" for song in SONGS[:4]], FOUR)
    with pytest.raises(UsageError, match=r"separated several times \(umxhq, umxl\).*separated,model=umxhq:"):
        index_separated(tmp_path, "train")
    chosen = itertools.chain(*everything(tmp_path, model="umxhq").values())
    assert {file.parent.name[-6:] for track in chosen for stem in track.stems for file in stem.files} == {"_umxhq"}


def test_a_song_is_read_from_one_model(tmp_path: Path) -> None:
    for model in ("htdemucs", "mdx_extra"):
        trees.separated(tmp_path / model, SONGS[:4], FOUR)
    with pytest.raises(UsageError, match=r"'Artist 0 - Song A' and 3 more songs were separated several times"):
        index_separated(tmp_path, "train")
    tracks = open_corpora([f"separated,model=mdx_extra:{tmp_path}"], "train")
    assert {file.parents[1].name for track in tracks for stem in track.stems for file in stem.files} == {"mdx_extra"}
    with pytest.raises(UsageError, match="no model 'mdx'; there are htdemucs, mdx_extra"):
        index_separated(tmp_path, "train", model="mdx")


def test_no_artist_and_no_recording_is_in_two_splits(tmp_path: Path) -> None:
    parts = [f"{song}_part{part:02d}" for song in SONGS for part in range(3)]
    trees.separated(tmp_path, parts, ("vocals", "no_vocals"))
    for options, shared in (({}, lambda name: name[:-7]), ({"by": "artist"}, lambda name: name.split(" - ")[0])):
        found = {
            split: {shared(track.name) for track in tracks} for split, tracks in everything(tmp_path, **options).items()
        }
        assert all(found.values()) and sum(map(len, found.values())) == len(set.union(*found.values()))
    assert sum(map(len, everything(tmp_path).values())) == len(parts)


def test_splits_that_somebody_made_are_kept(tmp_path: Path) -> None:
    trees.separated(tmp_path / "train", SONGS[:2], FOUR)
    trees.separated(tmp_path / "test" / "htdemucs", SONGS[2:3], FOUR)
    assert names(index_separated(tmp_path, "train")) == SONGS[:2]
    assert names(open_test_set(f"separated:{tmp_path}")) == SONGS[2:3]
    with pytest.raises(AudioError, match="no folder validation or valid or val"):
        index_separated(tmp_path, "validation")


def test_what_is_wrong_is_named(tmp_path: Path, caplog) -> None:
    trees.separated(tmp_path, SONGS[:3], FOUR)
    trees.write_noise(tmp_path / SONGS[0] / "the whole song.wav")
    found = itertools.chain(*everything(tmp_path).values())
    assert stems(found) == {("vocals", "drums", "bass", "other")} and "the whole song" in caplog.text
    with pytest.raises(UsageError, match="by must be one of track, artist; got 'album'"):
        index_separated(tmp_path, "train", by="album")
    trees.write_noise(tmp_path / SONGS[0] / "bass.flac")
    with pytest.raises(AudioError, match=r"bass\.flac and bass\.wav are the same stem; remove one"):
        everything(tmp_path)
    with pytest.raises(AudioError, match=r"given as separated:FOLDER"):
        index_stem_folder(trees.separated(tmp_path / "out" / "htdemucs", SONGS[:1], FOUR).parents[0])
    alone = trees.separated(tmp_path / "alone", SONGS[:2], FOUR)
    with pytest.raises(AudioError, match="2 songs leave none for train"):
        index_separated(alone, "train")
    nameless = trees.separated(tmp_path / "nameless", ["one", "two", "three"], FOUR)
    with pytest.raises(UsageError, match="by=artist needs names such as 'Artist - Title'; got 'one'"):
        index_separated(nameless, "train", by="artist")
    with pytest.raises(AudioError, match="no <song>/<stem> or <model>/<song>/<stem> in it"):
        index_separated(trees.separated(tmp_path / "strange", ["song"], ("oboe", "harp")), "train")


def test_a_bank_is_made_of_separated_songs(tmp_path: Path) -> None:
    for song, stem in itertools.product(SONGS[:4], FOUR):
        trees.write_noise(tmp_path / "separated" / "htdemucs" / song / f"{stem}.wav", seconds=3.0)
    spec = f"separated:{tmp_path}/separated"
    [bank] = open_banks([spec], "train", tmp_path / "cache", workers=0)
    assert [(track.name, len(track.powers)) for track in bank.tracks] == [
        (name, 4) for name in names(open_corpora([spec], "train"))
    ]


def test_silence_that_a_program_writes_is_no_fault(tmp_path: Path) -> None:
    """A song without a singer has a silent stem of vocals; windows in which a stem is silent leave it out."""
    trees.separated(tmp_path, SONGS[:3], FOUR)
    for song in SONGS[:3]:
        soundfile.write(tmp_path / song / "vocals.wav", np.zeros((13230, 2)), 44_100)
    assert sum(map(len, everything(tmp_path).values())) == 3
