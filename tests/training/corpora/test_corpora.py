"""Data sets as they lie on a disk become tracks; windows read in place equal those of whole files."""

import json
import logging
import pickle
import shutil
from collections import Counter
from itertools import chain
from pathlib import Path

import dataset_trees as trees
import numpy as np
import pytest
import soundfile

from cocola_metric.audio import mix_stems, read_audio
from cocola_metric.errors import AudioError, UsageError
from cocola_metric.training.corpora import musdb18hq, slakh2100
from cocola_metric.training.corpora.registry import CORPORA, Stem, Track, index_stem_folder, open_corpora
from cocola_metric.training.corpora.splits import draw_split
from cocola_metric.training.corpora.window_reader import read_window

SPLITS = ("train", "validation", "test")
RESAMPLED = 1e-4  # of full scale; float32 sums in another order differ by 1e-7


def names(tracks: list[Track]) -> list[str]:
    return [track.name for track in tracks]


def stems(track: Track) -> dict[str, int]:
    return {stem.name: len(stem.files) for stem in track.stems}


def test_moisesdb_gathers_the_files_of_a_stem(tmp_path: Path) -> None:
    ids = [f"{number:08x}-uuid" for number in range(10)]
    root = trees.moisesdb(tmp_path / "moisesdb", ids)
    found = {split: CORPORA["moisesdb"](root, split) for split in SPLITS}
    assert {split: len(tracks) for split, tracks in found.items()} == {"train": 8, "validation": 1, "test": 1}
    assert sorted(track.name for tracks in found.values() for track in tracks) == ids
    assert stems(found["train"][0]) == {"drums": 2, "guitar": 1}
    assert names(CORPORA["moisesdb"](root / "moisesdb_v0.1", "train")) == names(found["train"])
    assert names(CORPORA["moisesdb"](tmp_path, "train")) == names(found["train"])
    [by_type] = CORPORA["moisesdb_types"](root, "test")
    assert stems(by_type) == {"drums/kick_drum": 1, "drums/overheads": 1, "guitar/acoustic_guitar": 1}
    assert {stem.instrument for stem in by_type.stems} == {"drums", "guitar"}
    [by_file] = open_corpora([f"moisesdb,stems=file:{root}"], "test")
    assert stems(by_file) == {"drums/kick": 1, "drums/over": 1, "guitar/gtr": 1}
    assert {track.genre for tracks in found.values() for track in tracks} == {"rock"}
    track = found["test"][0]
    drums = mix_stems([read_audio(file) for file in track.stems[0].files])
    assert np.abs(read_window(track, 0.0, trees.SECONDS)[0] - drums).max() < RESAMPLED


def test_moisesdb_keeps_splits_that_somebody_made(tmp_path: Path) -> None:
    trees.moisesdb(tmp_path, ["a", "b"], provider="moisesdb_v0.1/train")
    trees.moisesdb(tmp_path, ["c"], provider="moisesdb_v0.1/valid")
    assert names(CORPORA["moisesdb"](tmp_path / "moisesdb_v0.1", "train")) == ["a", "b"]
    assert names(CORPORA["moisesdb"](tmp_path, "validation")) == ["c"]


def test_a_drawn_split_has_the_paper_s_shares_and_does_not_depend_on_order() -> None:
    ids = [f"track{number}" for number in range(240)]
    drawn = {split: draw_split(ids, split) for split in SPLITS}
    assert [len(drawn[split]) for split in SPLITS] == [192, 24, 24]
    assert set.union(*drawn.values()) == set(ids)
    assert draw_split(reversed(ids), "test") == drawn["test"] != draw_split(ids, "test", seed=1)


def test_slakh_original_keeps_one_rendering_of_a_midi_file(tmp_path: Path) -> None:
    for track, midi in (("train/Track00004", "a"), ("train/Track00010", "b"), ("train/Track00049", "b")):
        trees.slakh_track(tmp_path / track, midi)
    trees.slakh_track(tmp_path / "validation/Track01501", "c")
    trees.slakh_track(tmp_path / "test/Track01939", "a")  # in another split: it goes as well
    trees.slakh_track(tmp_path / "test/Track01940", "d")
    found = {split: names(CORPORA["slakh2100"](tmp_path, split)) for split in SPLITS}
    assert found == {"train": ["Track00004", "Track00010"], "validation": ["Track01501"], "test": ["Track01940"]}


@pytest.mark.parametrize("duplicate", ["test/Track01939", "omitted/Track01939"])
def test_slakh_s_official_splits_keep_duplicates(tmp_path: Path, duplicate: str) -> None:
    """As in section 4.1 of the paper: from the original, and from redux, which has moved some to ``omitted``."""
    trees.slakh_track(tmp_path / "train/Track00004", "a")
    trees.slakh_track(tmp_path / "validation/Track01501", "b")
    trees.slakh_track(tmp_path / duplicate, "a")
    trees.slakh_track(tmp_path / "test/Track01940", "c")
    found = {split: names(open_corpora([f"slakh2100,deduplicate=false:{tmp_path}"], split)) for split in SPLITS}
    assert found == {"train": ["Track00004"], "validation": ["Track01501"], "test": ["Track01939", "Track01940"]}
    assert names(CORPORA["slakh2100"](tmp_path, "test")) == ["Track01940"]


def test_slakh_s_official_splits_have_the_paper_s_sizes(tmp_path: Path, monkeypatch) -> None:
    """2100 folders without music: 1500 + 375 + 225 of them, by number."""
    monkeypatch.setattr(slakh2100, "keep_usable", lambda tracks, corpus: list(tracks))
    monkeypatch.setattr(slakh2100, "_read_track", lambda folder: Track(folder.name, ()))
    for number in range(1, 2101):
        (tmp_path / f"Track{number:05d}").mkdir()
    sizes = [len(slakh2100.index_slakh2100(tmp_path, split, deduplicate=False)) for split in SPLITS]
    assert sizes == [1500, 375, 225]


def test_slakh_redux_has_moved_its_duplicates(tmp_path: Path) -> None:
    root = tmp_path / "slakh2100_flac_redux"
    trees.slakh_track(root / "train/Track00010", "b")
    trees.slakh_track(root / "omitted/Track00049", "b")
    [track] = CORPORA["slakh2100"](tmp_path, "train")
    assert track.name == "Track00010"
    assert [(stem.name, stem.instrument) for stem in track.stems] == [("S00", "Guitar"), ("S01", "Drums")]
    with pytest.raises(AudioError, match=r"slakh2100, test\): no tracks"):
        CORPORA["slakh2100"](tmp_path, "test")


def test_slakh_stems_that_are_listed_but_absent_are_named(tmp_path: Path, caplog) -> None:
    folder = trees.slakh_track(tmp_path / "train/Track00001", "a", {"S00": True, "S01": True, "S03": True})
    (folder / "stems/S01.flac").unlink()
    [track] = CORPORA["slakh2100"](tmp_path, "train")
    assert stems(track) == {"S00": 1, "S03": 1}
    assert "listed stems without a file are left out: S01" in caplog.text


def test_slakh_without_split_folders_is_split_by_number(tmp_path: Path) -> None:
    for number in (1, 1500, 1501, 1875, 1876):
        trees.slakh_track(tmp_path / f"babyslakh_16k/Track{number:05d}", str(number))
    found = [names(CORPORA["slakh2100"](tmp_path, split)) for split in SPLITS]
    assert found == [["Track00001", "Track01500"], ["Track01501", "Track01875"], ["Track01876"]]


def test_slakh_metadata_that_cannot_be_read_costs_its_track(tmp_path: Path, caplog) -> None:
    trees.slakh_track(tmp_path / "train/Track00001", "a")
    broken = trees.slakh_track(tmp_path / "train/Track00002", "b")
    (broken / "metadata.yaml").write_text("UUID: b\nstems: [")
    (trees.slakh_track(tmp_path / "train/Track00003", "c") / "metadata.yaml").unlink()
    assert names(CORPORA["slakh2100"](tmp_path, "train")) == ["Track00001"]
    assert "Track00002/metadata.yaml cannot be read" in caplog.text and "2 of 3 tracks left out" in caplog.text


def test_cocochorales_ensembles(tmp_path: Path) -> None:
    home = tmp_path / "main_dataset"
    for number, ensemble in enumerate(("string", "brass", "woodwind", "random"), 1):
        trees.cocochorales_track(home / "train", ensemble, number)
    trees.cocochorales_track(home / "valid", "random", 192001)
    tracks = CORPORA["cocochorales"](tmp_path, "train")
    assert len(tracks) == 4 and stems(tracks[0]) == {"0_violin": 1, "1_violin": 1, "2_viola": 1, "3_cello": 1}
    assert [stem.instrument for stem in tracks[0].stems] == ["violin", "violin", "viola", "cello"]
    assert names(CORPORA["cocochorales_random"](home, "train")) == ["random_track000004"]
    assert names(CORPORA["cocochorales"](home, "validation")) == ["random_track192001"]


def test_a_part_of_cocochorales_has_its_share_of_every_split_and_ensemble(tmp_path: Path) -> None:
    ensembles = ("string", "brass", "woodwind", "random")
    for split, count in (("train", 6), ("valid", 2), ("test", 2)):
        for number, ensemble in enumerate(ensembles * count):
            trees.cocochorales_track(tmp_path / split, ensemble, number)
    spec = f"cocochorales,tracks={{}}:{tmp_path}"
    found = {split: names(open_corpora([spec.format(20)], split)) for split in SPLITS}
    assert {split: len(tracks) for split, tracks in found.items()} == {"train": 12, "validation": 4, "test": 4}
    for split, tracks in found.items():
        counts = Counter(name.partition("_track")[0] for name in tracks)
        assert counts == dict.fromkeys(ensembles, {"train": 3, "validation": 1, "test": 1}[split])
        assert set(tracks) < set(names(open_corpora([spec.format(0)], split)))
    random = f"cocochorales_random,tracks=20:{tmp_path}"  # the same draw
    assert names(open_corpora([random], "train")) == [name for name in found["train"] if name.startswith("random")]
    assert names(open_corpora([f"cocochorales,ensembles=random+brass,tracks=20:{tmp_path}"], "test")) == [
        name for name in found["test"] if name.startswith(("random", "brass"))
    ]


def test_a_stem_that_ends_early_is_silent_from_there_on(tmp_path: Path, caplog) -> None:
    caplog.set_level(logging.INFO)
    trees.cocochorales_track(tmp_path / "train", "string", 1353, last_voice=0.2)
    [track] = CORPORA["cocochorales"](tmp_path, "train")
    assert track.seconds == 1.5 and track.stems[3].seconds == 0.2
    window = read_window(track, 0.1, 1.0)
    assert window[3, :1600].any() and not window[3, 1600:].any()
    assert window[:3, 15_000:].any(axis=1).all()
    assert "stems that end early: 1, string_track001353/3_cello by 1.3 s" in caplog.text


def test_musdb18hq_keeps_14_tracks_of_train_for_validation(tmp_path: Path) -> None:
    trees.musdb18hq(tmp_path / "musdb18hq", ["A - B", "Leaf - Summerghost"], ["C - D"])
    found = {split: CORPORA["musdb18hq"](tmp_path, split) for split in SPLITS}
    assert [names(found[split]) for split in SPLITS] == [["A - B"], ["Leaf - Summerghost"], ["C - D"]]
    assert stems(found["test"][0]) == {"vocals": 1, "drums": 1, "bass": 1, "other": 1}
    assert len(musdb18hq.VALIDATION) == 14


def test_stem_folders_with_and_without_splits(tmp_path: Path) -> None:
    divided = tmp_path / "divided"
    trees.stem_folder(divided / "train", ["one", "two"])
    trees.stem_folder(divided / "val", ["three"], ["bass.ogg", "drums.mp3"])
    (divided / "val" / "three" / "cover.jpg").touch()
    assert names(CORPORA["stem_folder"](divided, "train")) == ["one", "two"]
    [three] = CORPORA["stem_folder"](divided, "validation")
    assert set(stems(three)) == {"bass", "drums"}
    with pytest.raises(AudioError, match="no folder test beside its other splits"):
        CORPORA["stem_folder"](divided, "test")
    undivided = trees.stem_folder(tmp_path / "undivided", list("abcdefghij"))
    found = [names(CORPORA["stem_folder"](undivided, split)) for split in SPLITS]
    assert [len(split) for split in found] == [8, 1, 1] and sorted(chain(*found)) == list("abcdefghij")
    assert names(index_stem_folder(undivided)) == list("abcdefghij")
    few = trees.stem_folder(tmp_path / "few", ["a"])
    with pytest.raises(AudioError, match="1 tracks leave none for train; put them into train/"):
        CORPORA["stem_folder"](few, "train")


def test_rendered_corpora(tmp_path: Path) -> None:
    trees.stem_folder(tmp_path / "chamber/train", ["quartets__op-18__00", "quartets__op-18__01"])
    trees.stem_folder(tmp_path / "bands/train", ["bands__e1m1__00"])
    trees.stem_folder(tmp_path / "bands/test", ["bands__e1m2__00"])
    trees.stem_folder(tmp_path / ".unfinished", ["bands__e1m3__00"])
    (tmp_path / "manifest.json").write_text("{}")
    assert names(CORPORA["rendered"](tmp_path, "train")) == [
        "bands/bands__e1m1__00",
        "chamber/quartets__op-18__00",
        "chamber/quartets__op-18__01",
    ]
    assert names(CORPORA["rendered"](tmp_path, "test")) == ["bands/bands__e1m2__00"]
    assert names(CORPORA["rendered"](tmp_path / "bands", "test")) == ["bands__e1m2__00"]
    with pytest.raises(AudioError, match="no rendered corpus"):
        CORPORA["rendered"](tmp_path, "validation")


def test_a_mix_of_corpora(tmp_path: Path) -> None:
    trees.musdb18hq(tmp_path / "musdb", ["A - B"], [])
    trees.stem_folder(tmp_path / "mine/train", ["song"])
    tracks = open_corpora([f"musdb18hq:{tmp_path}/musdb", f"{tmp_path}/mine"], "train")
    assert names(tracks) == ["A - B", "song"]
    assert names(open_corpora([f"stem_folder:{tmp_path}/mine"], "train")) == ["song"]


@pytest.mark.parametrize(
    ("specs", "split", "message"),
    [
        (["mosesdb:/data"], "train", "a corpus must be a folder, .* moisesdb, moisesdb_types, .*; got 'mosesdb:/data'"),
        (["moisesdb"], "train", "; got 'moisesdb'"),
        ([], "train", "no corpora"),
        (["moisesdb:."], "valid", "the split must be one of train, validation, test; got 'valid'"),
        (["slakh2100,deduplicate=no:."], "train", "'slakh2100' takes deduplicate=true; got 'deduplicate=no'"),
        (["cocochorales,track=5:."], "train", "takes ensembles=string.brass.woodwind.random, tracks=0; got 'track=5'"),
        (["cocochorales,ensembles=choir:."], "train", "CocoChorales has the ensembles string, brass, .*; got choir"),
        (["moisesdb,stems=all:."], "train", "stems of MoisesDB must be one of name, type, file; got 'all'"),
        (["musdb18hq,tracks=5:."], "train", "corpus 'musdb18hq' takes no options; got 'tracks=5'"),
        (["musdb18hq:."], "valid", "; got 'valid'"),
    ],
)
def test_specs_that_make_no_sense(specs: list[str], split: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        open_corpora(specs, split)


@pytest.mark.parametrize("corpus", sorted(set(CORPORA)))
def test_a_folder_that_is_not_there(corpus: str, tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="nowhere: no such folder"):
        open_corpora([f"{corpus}:{tmp_path}/nowhere"], "train")
    with pytest.raises(AudioError, match=str(tmp_path)):
        open_corpora([f"{corpus}:{tmp_path}"], "train")


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


@pytest.mark.parametrize(
    ("suffix", "damage", "word"),
    [
        ("wav", cut, "truncated"),
        ("flac", cut, "truncated"),
        ("wav", lambda file: file.write_bytes(b""), "empty"),
        ("ogg", lambda file: file.write_bytes(b"no audio" * 99), "cannot be read as audio"),
    ],
)
def test_damaged_files_are_named_and_their_tracks_counted(tmp_path: Path, caplog, suffix, damage, word) -> None:
    trees.stem_folder(tmp_path, ["good", "hurt"], [f"bass.{suffix}", f"drums.{suffix}"])
    damage(tmp_path / "hurt" / f"bass.{suffix}")
    assert names(index_stem_folder(tmp_path)) == ["good"]
    assert f"hurt/bass.{suffix}" in caplog.text and word in caplog.text and "1 of 2 tracks left out" in caplog.text
    damage(tmp_path / "good" / f"drums.{suffix}")
    with pytest.raises(AudioError, match=r"none of 2 tracks can be used; the first: .*good/drums"):
        index_stem_folder(tmp_path)


def test_missing_files_are_named(tmp_path: Path, caplog) -> None:
    trees.musdb18hq(tmp_path, ["A - B", "C - D"], [])
    (tmp_path / "train/C - D/drums.wav").unlink()
    assert names(CORPORA["musdb18hq"](tmp_path, "train")) == ["A - B"]
    assert "C - D/drums.wav does not exist" in caplog.text


def test_tracks_travel_to_other_processes_with_their_lengths(tmp_path: Path) -> None:
    [track] = index_stem_folder(trees.stem_folder(tmp_path, ["song"]))
    copy = pickle.loads(pickle.dumps(track))
    shutil.rmtree(tmp_path / "song")
    assert copy == track and copy.seconds == trees.SECONDS


def test_two_files_of_a_stem_are_an_error_unless_they_are_gathered(tmp_path: Path) -> None:
    for name in ("bass.wav", "bass.flac", "drums.wav"):
        trees.write_noise(tmp_path / "song" / name)
    with pytest.raises(AudioError, match=r"song: bass\.flac and bass\.wav are the same stem; remove one"):
        index_stem_folder(tmp_path)
    (tmp_path / "GROUPS.json").write_text(json.dumps({"song": {"bass.wav": "bass", "bass.flac": "bass"}}))
    [track] = index_stem_folder(tmp_path)
    assert [(stem.name, len(stem.files)) for stem in track.stems] == [("bass", 2), ("drums", 1)]


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg"])
@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000, 8_000, 11_025, 44_101])
def test_a_window_equals_that_of_the_whole_file(tmp_path: Path, rate: int, suffix: str) -> None:
    file = trees.write_noise(tmp_path / f"stem.{suffix}", rate=rate, seconds=1.7, channels=2)
    track = Track("track", (Stem("stem", (file,)),))
    whole = np.pad(read_audio(file), (0, 40_000))
    assert read_window(track, 0.0, 1.8).shape == (1, 28_800)
    for start, seconds in ((0.0, 0.3), (0.00013, 0.25), (0.7071, 0.5), (1.5, 0.5), (1.69995, 0.1), (2.0, 0.2)):
        first, length = round(start * 16_000), round(seconds * 16_000)
        window = read_window(track, start, seconds)
        assert window.dtype == np.float32
        assert np.abs(window[0] - whole[first : first + length]).max() < RESAMPLED, (start, seconds)


def test_a_window_of_an_mp3_file(tmp_path: Path) -> None:
    """Music of a variable bit rate: a decoder that seeks and reads at once is wrong by up to 0.3 of full scale."""
    file, rng, time = tmp_path / "stem.mp3", np.random.default_rng(0), np.arange(4 * 44_100) / 44_100
    tones = sum(0.1 * np.sin(2 * np.pi * pitch * time) * (time * pitch % 90 < 45) for pitch in (110, 220.5, 777))
    hits = rng.normal(0, 0.2, len(time)) * (time % 0.5 < 0.02)
    soundfile.write(file, tones + hits, 44_100, bitrate_mode="VARIABLE", compression_level=0.9)
    track = Track("track", (Stem("stem", (file,)),))
    whole = read_audio(file)
    for start in (0.0, 0.1, 0.77, 1.2345, 2.0, 2.4, 3.1):
        first = round(start * 16_000)
        assert np.abs(read_window(track, start, 0.5)[0] - whole[first : first + 8000]).max() < RESAMPLED, start


def test_other_output_rates(tmp_path: Path) -> None:
    file = trees.write_noise(tmp_path / "stem.wav", rate=44_100, seconds=0.5)
    track = Track("track", (Stem("stem", (file,)),))
    samples, _ = soundfile.read(file, dtype="float32")
    assert np.array_equal(read_window(track, 0.1, 0.2, 44_100)[0], samples[4410:13230])
    half = read_window(track, 0.1, 0.2, 22_050)
    whole = read_window(track, 0.0, 0.5, 22_050)
    assert half.shape == (1, 4410) and np.abs(half - whole[:, 2205:6615]).max() < RESAMPLED
    higher = read_window(track, 0.1, 0.2, 96_000)
    whole = read_window(track, 0.0, 0.5, 96_000)
    assert higher.shape == (1, 19_200) and np.abs(higher - whole[:, 9_600:28_800]).max() < RESAMPLED


def test_stems_of_several_files_and_rates_are_summed(tmp_path: Path) -> None:
    files = tuple(
        trees.write_noise(tmp_path / f"{rate}.wav", rate=rate, seconds=seconds)
        for rate, seconds in ((16_000, 1.0), (44_100, 0.4), (48_000, 0.7))
    )
    expected = mix_stems([read_audio(file) for file in files])
    window = read_window(Track("track", (Stem("stem", files),)), 0.2, 0.8)
    assert np.abs(window[0] - expected[3200:]).max() < RESAMPLED


def test_damage_met_while_reading_is_named(tmp_path: Path) -> None:
    file = trees.write_noise(tmp_path / "stem.flac", seconds=2.0)
    track = Track("track", (Stem("stem", (file,)),))
    cut(file)
    read_window(track, 0.0, 0.2)
    with pytest.raises(AudioError, match=r"stem\.flac is"):
        read_window(track, 1.5, 0.4)
    file.unlink()
    with pytest.raises(AudioError, match=r"stem\.flac does not exist"):
        read_window(track, 0.0, 0.2)
    soundfile.write(tmp_path / "nan.wav", np.full(1600, np.nan), 16_000, subtype="FLOAT")
    with pytest.raises(AudioError, match=r"nan\.wav holds NaN"):
        read_window(Track("track", (Stem("stem", (tmp_path / "nan.wav",)),)), 0.0, 0.1)
