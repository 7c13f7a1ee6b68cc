"""What in a folder is audio: for every reader the same, whatever file managers and programs leave beside it."""

import os
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import soundfile

from cocola_metric.audio import existing_path, list_audio
from cocola_metric.cli.fad_commands import _listed
from cocola_metric.cli.pairs import match_folders
from cocola_metric.errors import AudioError, UsageError
from cocola_metric.training.corpora import index_stem_folder

REMAINS = {  # what is found beside audio, and is none
    ".DS_Store": b"\0\0\0\1Bud1",
    "._bass.flac": b"\0\5\x16\7\0\2\0\0Mac OS X",
    "Thumbs.db": b"\xd0\xcf\x11\xe0",
    "desktop.ini": b"[.ShellClassInfo]",
    "notes.txt": b"RIFFs to be played",
    "scores.csv": b"conditioning,accompaniment,score\n",
    "scores.jsonl": b"{}\n",
    "cover.webp": b"RIFF\x20\0\0\0WEBPVP8 ",
    "film.avi": b"RIFF\x20\0\0\0AVI LIST",
}


def write_noise(path: Path, seconds: float = 1.0, **encoding: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    encoding.setdefault("format", path.suffix[1:].upper())
    with path.open("wb") as file:
        soundfile.write(file, np.random.default_rng(0).uniform(-0.1, 0.1, round(16_000 * seconds)), 16_000, **encoding)


@pytest.fixture
def cluttered(tmp_path: Path) -> Path:
    for name in ("bass.flac", "drums.WAV"):
        write_noise(tmp_path / "one" / name)
    for name, content in REMAINS.items():
        (tmp_path / "one" / name).write_bytes(content)
    (tmp_path / "one" / "takes.wav").mkdir()
    return tmp_path


def test_audio_is_what_is_called_so_or_begins_so(cluttered: Path):
    write_noise(cluttered / "one" / "keys", format="WAV")
    write_noise(cluttered / "one" / "guitar.take2", format="FLAC")
    names = ["bass.flac", "drums.WAV", "guitar.take2", "keys"]
    assert [path.name for path in list_audio(cluttered / "one")] == names


@pytest.mark.parametrize("name", ["song.m4a", "song.wma", "song.opus"])
def test_audio_that_cannot_be_read_is_listed_so_that_it_is_named(tmp_path: Path, name: str):
    (tmp_path / name).write_bytes(b"\0\0\0\x20ftypM4A ")
    assert list_audio(tmp_path) == [tmp_path / name]


def test_a_broken_link_is_listed(tmp_path: Path):
    (tmp_path / "a.wav").symlink_to(tmp_path / "gone.wav")
    assert list_audio(tmp_path) == [tmp_path / "a.wav"]


def test_every_reader_sees_the_same_files(cluttered: Path):
    [track] = index_stem_folder(cluttered)
    assert [stem.name for stem in track.stems] == ["bass", "drums"]
    assert [Path(name).name for name, _ in _listed(cluttered / "one")] == ["bass.flac", "drums.WAV"]
    pairs = match_folders(cluttered / "one", cluttered / "one")
    assert [Path(pair.conditioning).name for pair in pairs] == ["bass.flac", "drums.WAV"]


@pytest.mark.parametrize("name", ["mixture.wav", "mix.flac", "Mix.WAV", "MIXTURE.ogg", "mixdown.aiff", "master.flac"])
def test_a_mixture_is_no_stem(cluttered: Path, name: str):
    write_noise(cluttered / "one" / name)
    [track] = index_stem_folder(cluttered)
    assert [stem.name for stem in track.stems] == ["bass", "drums"]


def test_a_mixture_that_is_named_as_a_stem_is_one(cluttered: Path):
    write_noise(cluttered / "one" / "mix.flac")
    (cluttered / "GROUPS.json").write_text('{"one": {"mix.flac": "strings"}}')
    [track] = index_stem_folder(cluttered)
    assert [stem.name for stem in track.stems] == ["bass", "drums", "strings"]


def test_names_that_macos_writes_otherwise_are_the_same(tmp_path: Path):
    names = [unicodedata.normalize(form, "Motörhead, Étude") for form in ("NFC", "NFD")]
    for side, name in zip(("left", "right"), names, strict=True):
        write_noise(tmp_path / side / f"{name}.wav")
    [pair] = match_folders(tmp_path / "left", tmp_path / "right")
    assert (Path(pair.conditioning).stem, Path(pair.accompaniment).stem) == tuple(names)
    assert existing_path(tmp_path / "left" / f"{names[1]}.wav").name == f"{names[0]}.wav"


def test_one_name_twice_in_a_folder_is_refused(tmp_path: Path):
    for form in ("NFC", "NFD"):
        write_noise(tmp_path / f"{unicodedata.normalize(form, 'é')}.wav")
    with pytest.raises(UsageError, match="have one name; remove or rename one"):
        match_folders(tmp_path, tmp_path)


def test_a_folder_without_audio(cluttered: Path):
    for path in list_audio(cluttered / "one"):
        path.unlink()
    with pytest.raises(UsageError, match="holds no audio file"):
        match_folders(cluttered / "one", cluttered / "one")
    with pytest.raises(AudioError, match="cannot be listed"):
        list_audio(cluttered / "none")


def test_names_that_are_no_text_are_listed(tmp_path: Path):
    name = os.fsdecode(b"caf\xe9.wav")
    write_noise(tmp_path / name)
    assert [path.name for path in list_audio(tmp_path)] == [name]
