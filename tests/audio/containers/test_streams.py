"""OGG and FLAC: damage and cuts are seen, and a second stream is read or refused, never left out."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from cocola_metric.audio import AudioWarning, open_audio, read_audio, without_serial_number
from cocola_metric.audio.decoding import open_file
from cocola_metric.errors import AudioError

RATE = 16_000


def write(path: Path, seed: int = 0, *, rate: int = RATE, seconds: float = 3.0, **encoding: str) -> bytes:
    samples = np.random.default_rng(seed).uniform(-0.2, 0.2, round(seconds * rate)).astype(np.float32)
    soundfile.write(path, samples, rate, **encoding)
    return path.read_bytes()


def decoded(path: Path) -> np.ndarray:
    return np.concatenate(list(open_file(path).blocks()))


def pages(content: bytes) -> list[int]:
    """Return where the pages of an OGG file begin."""
    found = [0]
    while (position := content.find(b"OggS\0", found[-1] + 4)) > 0:
        found.append(position)
    return found


@pytest.mark.parametrize(("subtype", "rate"), [("VORBIS", 16_000), ("VORBIS", 44_100), ("OPUS", 48_000)])
def test_two_ogg_streams_in_one_file_are_both_read(tmp_path: Path, subtype: str, rate: int):
    contents = [write(tmp_path / f"{seed}.ogg", seed, rate=rate, format="OGG", subtype=subtype) for seed in (0, 1)]
    (tmp_path / "both.ogg").write_bytes(b"".join(contents))
    expected = np.concatenate([decoded(tmp_path / "0.ogg"), decoded(tmp_path / "1.ogg")])
    np.testing.assert_array_equal(decoded(tmp_path / "both.ogg"), expected)


def test_ogg_streams_of_different_rates_are_refused(tmp_path: Path):
    contents = [write(tmp_path / f"{rate}.ogg", rate=rate) for rate in (16_000, 44_100)]
    (tmp_path / "both.ogg").write_bytes(b"".join(contents))
    with pytest.raises(AudioError, match="2 streams of different rates or channels; split it"):
        open_audio(tmp_path / "both.ogg")


@pytest.mark.parametrize("kept", [0.001, 0.3, 0.5, 0.999])
def test_a_cut_ogg_file_is_refused(tmp_path: Path, kept: float):
    content = write(tmp_path / "a.ogg")
    (tmp_path / "a.ogg").write_bytes(content[: int(kept * len(content))])
    with pytest.raises(AudioError, match="is truncated: its last page is cut at byte"):
        open_audio(tmp_path / "a.ogg")


def test_an_ogg_file_that_ends_between_pages_is_read_with_a_warning(tmp_path: Path):
    """Recorded broadcasts end so, too."""
    content = write(tmp_path / "a.ogg")
    (tmp_path / "a.ogg").write_bytes(content[: pages(content)[-2]])
    with pytest.warns(AudioWarning, match=r"a\.ogg does not end as an OGG file does"):
        audio = open_audio(tmp_path / "a.ogg")
    assert 0.5 < audio.duration < 3
    with pytest.warns(AudioWarning):
        assert len(read_audio(tmp_path / "a.ogg")) == audio.length


def test_a_flipped_bit_in_an_ogg_page_is_damage(tmp_path: Path):
    content = bytearray(write(tmp_path / "a.ogg"))
    content[len(content) // 2] ^= 1
    (tmp_path / "a.ogg").write_bytes(content)
    with pytest.raises(AudioError, match="is damaged in the page at byte"):
        open_audio(tmp_path / "a.ogg")


def test_a_lost_ogg_page_is_damage(tmp_path: Path):
    content = write(tmp_path / "a.ogg")
    begin, end = pages(content)[3:5]
    (tmp_path / "a.ogg").write_bytes(content[:begin] + content[end:])
    with pytest.raises(AudioError, match=f"lacks the pages before byte {begin}"):
        open_audio(tmp_path / "a.ogg")


def test_a_sparse_ogg_file_is_refused_at_once(tmp_path: Path):
    write(tmp_path / "a.ogg")
    with (tmp_path / "a.ogg").open("r+b") as file:
        file.truncate(200 * 2**30)
    with pytest.raises(AudioError, match="is damaged at byte"):
        open_audio(tmp_path / "a.ogg")


@pytest.mark.parametrize("seconds", [0.5, 30.0])
def test_a_second_flac_file_behind_the_first_is_refused(tmp_path: Path, seconds: float):
    content = write(tmp_path / "a.flac") + write(tmp_path / "b.flac", 1, seconds=seconds)
    (tmp_path / "a.flac").write_bytes(content)
    with pytest.raises(AudioError, match="holds a second recording behind the first"):
        read_audio(tmp_path / "a.flac")


def test_a_flac_file_longer_than_it_announces_is_refused(tmp_path: Path):
    content = bytearray(write(tmp_path / "a.flac", seconds=30.0))
    content[22:26] = (16_000).to_bytes(4, "big")  # of STREAMINFO's 36 bits of total samples
    (tmp_path / "a.flac").write_bytes(content)
    with pytest.raises(AudioError, match=r"holds \d+ unknown bytes behind the samples that its header announces"):
        read_audio(tmp_path / "a.flac")


def test_a_flac_file_behind_an_id3_note_is_read(tmp_path: Path):
    content = write(tmp_path / "a.flac")
    expected = decoded(tmp_path / "a.flac")
    (tmp_path / "a.flac").write_bytes(b"ID3\x04\0\0" + bytes((0, 0, 7, 0x68)) + bytes(1000) + content)
    np.testing.assert_array_equal(decoded(tmp_path / "a.flac"), expected)


def test_equal_sound_is_equal_bytes_without_the_number_of_its_stream(tmp_path: Path):
    streams = [write(tmp_path / "a.ogg", seconds=12.0) for _ in range(2)]
    assert streams[0] != streams[1] and len(pages(streams[0])) > 4
    first, second = map(without_serial_number, streams)
    assert first == second
    expected = decoded(tmp_path / "a.ogg")
    (tmp_path / "a.ogg").write_bytes(first)
    np.testing.assert_array_equal(decoded(tmp_path / "a.ogg"), expected)
