"""WAV and its relatives: cut files are seen by the sizes that they state, and piped ones are read to their end."""

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from cocola_metric.audio import open_audio
from cocola_metric.audio.decoding import open_file
from cocola_metric.errors import AudioError

RATE = 16_000
FORMATS = [
    ("WAV", "PCM_16"),
    ("WAV", "FLOAT"),
    ("WAVEX", "PCM_24"),
    ("RF64", "PCM_16"),
    ("W64", "PCM_16"),
    ("AIFF", "PCM_16"),
    ("AIFF", "FLOAT"),
    ("AU", "PCM_16"),
    ("CAF", "PCM_16"),
]
every_format = pytest.mark.parametrize(("kind", "subtype"), FORMATS)


def noise(seconds: float = 6.0, channels: int = 2) -> np.ndarray:
    random = np.random.default_rng(0)
    return random.uniform(-0.5, 0.5, (round(seconds * RATE), channels)).astype(np.float32)


def write(path: Path, kind: str = "WAV", subtype: str = "PCM_16", endian: str = "FILE") -> bytes:
    soundfile.write(path, noise(), RATE, format=kind, subtype=subtype, endian=endian)
    return path.read_bytes()


def decoded(path: Path) -> np.ndarray:
    return np.concatenate(list(open_file(path).blocks()))


def data_position(content: bytes) -> int:
    return content.index(b"data") + 4


def with_chunk(content: bytes, name: bytes, body: bytes) -> bytes:
    """Put a chunk before the samples of a WAV file."""
    body += bytes(len(body) % 2)
    at = data_position(content) - 4
    changed = content[:at] + name + struct.pack("<I", len(body)) + body + content[at:]
    return changed[:4] + struct.pack("<I", len(changed) - 8) + changed[8:]


def with_data_size(content: bytes, size: int) -> bytes:
    at = data_position(content)
    return content[:at] + struct.pack("<I", size) + content[at + 4 :]


@every_format
@pytest.mark.parametrize("kept", [0.3, 0.5, 0.999])
def test_a_cut_file_is_refused_before_reading(tmp_path: Path, kind: str, subtype: str, kept: float):
    content = write(tmp_path / "a", kind, subtype)
    (tmp_path / "a").write_bytes(content[: int(kept * len(content))])
    with pytest.raises(AudioError, match=r"is truncated: its header announces [0-9]+ bytes of audio, [0-9]+ are there"):
        open_audio(tmp_path / "a")


@every_format
def test_a_whole_file_is_read(tmp_path: Path, kind: str, subtype: str):
    write(tmp_path / "a", kind, subtype)
    np.testing.assert_allclose(decoded(tmp_path / "a"), noise().mean(axis=1), atol=1e-4)


def test_a_big_endian_file_is_read_and_cut(tmp_path: Path):
    content = write(tmp_path / "a", endian="BIG")
    np.testing.assert_allclose(decoded(tmp_path / "a"), noise().mean(axis=1), atol=1e-4)
    (tmp_path / "a").write_bytes(content[: len(content) // 2])
    with pytest.raises(AudioError, match="is truncated"):
        open_audio(tmp_path / "a")


@pytest.mark.parametrize("name", [b"LIST", b"bext", b"junk"])
def test_long_notes_before_the_samples_hide_no_cut(tmp_path: Path, name: bytes):
    """libsndfile's log ends at 2,047 characters, before it comes to the samples."""
    notes = b"INFO" + b"".join(b"ICMT" + struct.pack("<I", 100) + b"x" * 100 for _ in range(24))
    content = with_chunk(write(tmp_path / "a.wav"), name, notes)
    (tmp_path / "a.wav").write_bytes(content)
    np.testing.assert_allclose(decoded(tmp_path / "a.wav"), noise().mean(axis=1), atol=1e-4)
    (tmp_path / "a.wav").write_bytes(content[: len(content) // 2])
    with pytest.raises(AudioError, match="is truncated"):
        open_audio(tmp_path / "a.wav")


def test_a_note_that_reads_like_a_cut_is_none(tmp_path: Path):
    note = b"data : 5 (should be 3)\0\0"
    content = with_chunk(write(tmp_path / "a.wav"), b"LIST", b"INFOICMT" + struct.pack("<I", len(note)) + note)
    (tmp_path / "a.wav").write_bytes(content)
    np.testing.assert_allclose(decoded(tmp_path / "a.wav"), noise().mean(axis=1), atol=1e-4)


@pytest.mark.parametrize("size", [0, 0xFFFF_FFFF, 0x7FFF_FFFF - 36, 0x8000_0000])
@pytest.mark.parametrize("with_notes", [False, True])
def test_a_file_from_a_pipe_is_read_to_its_end(tmp_path: Path, size: int, with_notes: bool):
    content = write(tmp_path / "a.wav")
    content = with_chunk(content, b"LIST", b"INFOISFT" + struct.pack("<I", 4) + b"abc\0") if with_notes else content
    (tmp_path / "a.wav").write_bytes(with_data_size(content, size))
    np.testing.assert_allclose(decoded(tmp_path / "a.wav"), noise().mean(axis=1), atol=1e-4)


@pytest.mark.parametrize(("kind", "marker", "layout"), [("AIFF", b"SSND", ">I"), ("CAF", b"data", ">Q")])
@pytest.mark.parametrize("size", [0, -1])
def test_other_files_from_a_pipe_too(tmp_path: Path, kind: str, marker: bytes, layout: str, size: int):
    content = write(tmp_path / "a", kind)
    at = content.index(marker) + 4
    number = size % 2 ** (8 * struct.calcsize(layout))
    (tmp_path / "a").write_bytes(content[:at] + struct.pack(layout, number) + content[at + struct.calcsize(layout) :])
    np.testing.assert_allclose(decoded(tmp_path / "a"), noise().mean(axis=1), atol=1e-4)


@pytest.mark.parametrize("behind", [b"", b"LIST\x04\0\0\0INFO", b"id3 \x0a\0\0\0" + bytes(10)])
def test_no_samples_are_no_samples(tmp_path: Path, behind: bytes):
    soundfile.write(tmp_path / "a.wav", np.zeros((0, 2)), RATE)
    (tmp_path / "a.wav").write_bytes((tmp_path / "a.wav").read_bytes() + behind)
    with pytest.raises(AudioError, match="holds no samples"):
        open_audio(tmp_path / "a.wav")


def test_notes_behind_the_samples_are_no_sound(tmp_path: Path):
    content = write(tmp_path / "a.wav")
    (tmp_path / "a.wav").write_bytes(content + b"LIST\x04\0\0\0INFO")
    assert len(decoded(tmp_path / "a.wav")) == 6 * RATE


@every_format
def test_a_second_file_behind_the_first_is_refused(tmp_path: Path, kind: str, subtype: str):
    content = write(tmp_path / "a", kind, subtype)
    (tmp_path / "a").write_bytes(2 * content)
    with pytest.raises(AudioError, match="holds a second recording at byte"):
        open_audio(tmp_path / "a")


@pytest.mark.parametrize("end", [12, 20, 40])
def test_a_file_that_ends_in_its_header(tmp_path: Path, end: int):
    (tmp_path / "a.wav").write_bytes(write(tmp_path / "a.wav")[:end])
    with pytest.raises(AudioError, match="it ends before its samples"):
        open_audio(tmp_path / "a.wav")
