"""MP3: as long as it is, as late as it states, whatever libsndfile guesses of its length."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
from mp3_files import (
    clicks,
    first_frame,
    frame_positions,
    tag_position,
    with_frame_count,
    with_fraunhofer_tag,
    without_tag,
    write_mp3,
)

from cocola_metric.audio import AudioWarning, open_audio, read_audio
from cocola_metric.audio.containers.mp3 import USUAL_DELAY
from cocola_metric.audio.containers.mp3_frames import InfoTag, parse_header, parse_tag
from cocola_metric.audio.decoding import open_file
from cocola_metric.errors import AudioError

unstated = pytest.mark.filterwarnings("ignore:.*does not state its encoder's delay")


def decoded(path: Path) -> np.ndarray:
    return np.concatenate(list(open_file(path).blocks()))


def lateness(path: Path, samples: np.ndarray, rate: int) -> int:
    """Return by how many samples the decoded sound is later than what was encoded."""
    heard = decoded(path)[: 4 * rate]
    return int(np.argmax(np.correlate(heard, samples[: 2 * rate, 0], "valid")))


@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
def test_a_tag_gives_the_samples_that_were_encoded(tmp_path: Path, rate: int, mode: str):
    samples = clicks(20, rate)
    write_mp3(tmp_path / "a.mp3", samples, rate, mode=mode)
    assert len(decoded(tmp_path / "a.mp3")) == len(samples)
    assert lateness(tmp_path / "a.mp3", samples, rate) == 0
    whole, _ = soundfile.read(tmp_path / "a.mp3", dtype="float32")
    np.testing.assert_allclose(decoded(tmp_path / "a.mp3"), whole, atol=1e-7)


@unstated
@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_without_a_tag_all_frames_are_read_though_late(tmp_path: Path, rate: int, mode: str):
    samples = clicks(20, rate)
    content = without_tag(write_mp3(tmp_path / "a.mp3", samples, rate, mode=mode))
    (tmp_path / "a.mp3").write_bytes(content)
    spacing = 576 if rate < 32_000 else 1152
    assert len(decoded(tmp_path / "a.mp3")) == spacing * len(frame_positions(content))
    assert lateness(tmp_path / "a.mp3", samples, rate) == USUAL_DELAY


@pytest.mark.parametrize(("rate", "milliseconds"), [(16_000, 69), (44_100, 25)])
def test_without_a_tag_a_warning_says_how_late(tmp_path: Path, rate: int, milliseconds: int):
    content = without_tag(write_mp3(tmp_path / "a.mp3", clicks(2, rate), rate))
    (tmp_path / "a.mp3").write_bytes(content)
    with pytest.warns(AudioWarning, match=rf"a\.mp3 does not state .* usually {milliseconds} ms late"):
        open_audio(tmp_path / "a.mp3")


@unstated
def test_a_part_is_that_of_the_whole(tmp_path: Path):
    content = without_tag(write_mp3(tmp_path / "a.mp3", clicks(20, 44_100), 44_100))
    (tmp_path / "a.mp3").write_bytes(content)
    part = np.concatenate(list(open_file(tmp_path / "a.mp3").blocks(400_000, 500_000)))
    np.testing.assert_allclose(part, decoded(tmp_path / "a.mp3")[400_000:500_000], atol=1e-4)


def test_two_files_in_one_are_both_read(tmp_path: Path):
    first, second = clicks(6, 44_100), clicks(9, 44_100, seed=1)
    content = write_mp3(tmp_path / "a.mp3", first, 44_100) + write_mp3(tmp_path / "b.mp3", second, 44_100)
    parts = [decoded(tmp_path / name) for name in ("a.mp3", "b.mp3")]
    (tmp_path / "a.mp3").write_bytes(content)
    np.testing.assert_allclose(decoded(tmp_path / "a.mp3"), np.concatenate(parts), atol=1e-7)


@unstated
def test_a_file_without_a_tag_behind_one_with_a_tag(tmp_path: Path):
    content = write_mp3(tmp_path / "a.mp3", clicks(6, 44_100), 44_100)
    (tmp_path / "a.mp3").write_bytes(content + without_tag(content))
    assert len(decoded(tmp_path / "a.mp3")) == 6 * 44_100 + 1152 * len(frame_positions(without_tag(content)))


def test_files_of_different_rates_in_one_are_refused(tmp_path: Path):
    content = write_mp3(tmp_path / "a.mp3", clicks(2, 44_100), 44_100)
    content += write_mp3(tmp_path / "a.mp3", clicks(2, 48_000), 48_000)
    (tmp_path / "a.mp3").write_bytes(content)
    with pytest.raises(AudioError, match=r"damaged at byte \d+, where there is a frame of another rate"):
        open_audio(tmp_path / "a.mp3")


@unstated
def test_a_fraunhofer_tag_is_no_sound(tmp_path: Path):
    content = write_mp3(tmp_path / "a.mp3", clicks(6, 44_100), 44_100)
    frames = len(frame_positions(content)) - 1
    (tmp_path / "a.mp3").write_bytes(with_fraunhofer_tag(content, frames))
    assert len(decoded(tmp_path / "a.mp3")) == 1152 * frames
    (tmp_path / "a.mp3").write_bytes(with_fraunhofer_tag(content, frames + 100))
    with pytest.raises(AudioError, match=r"truncated: its tag announces \d+ frames"):
        open_audio(tmp_path / "a.mp3")


@pytest.mark.parametrize("wrong", [-1, 1])
def test_a_tag_may_count_one_frame_too_many_or_too_few(tmp_path: Path, wrong: int):
    content = write_mp3(tmp_path / "a.mp3", clicks(6, 44_100), 44_100)
    frames = len(frame_positions(content)) - 1
    (tmp_path / "a.mp3").write_bytes(with_frame_count(content, frames + wrong))
    assert len(decoded(tmp_path / "a.mp3")) == 6 * 44_100


@pytest.mark.parametrize("with_tag", [True, False])
@pytest.mark.parametrize("kept", [0.3, 0.9, 0.999])
def test_a_cut_within_a_frame_is_seen(tmp_path: Path, kept: float, with_tag: bool):
    content = write_mp3(tmp_path / "a.mp3", clicks(6, 44_100), 44_100)
    content = content if with_tag else without_tag(content)
    end = int(kept * len(content))
    end += end in frame_positions(content)
    (tmp_path / "a.mp3").write_bytes(content[:end])
    with pytest.raises(AudioError, match="is truncated"):
        open_audio(tmp_path / "a.mp3")


def test_a_lost_frame_is_seen_by_the_tag(tmp_path: Path):
    content = write_mp3(tmp_path / "a.mp3", clicks(6, 44_100), 44_100)
    (tmp_path / "a.mp3").write_bytes(content[: frame_positions(content)[-1]])
    with pytest.raises(AudioError, match="is truncated: its tag announces"):
        open_audio(tmp_path / "a.mp3")


def test_bytes_that_are_no_frame_in_the_middle_are_damage(tmp_path: Path):
    content = write_mp3(tmp_path / "a.mp3", clicks(6, 44_100), 44_100)
    middle = frame_positions(content)[100]
    (tmp_path / "a.mp3").write_bytes(content[:middle] + bytes(500) + content[middle:])
    with pytest.raises(AudioError, match=f"damaged at byte {middle}, where there is no frame for 500 bytes"):
        open_audio(tmp_path / "a.mp3")


@pytest.mark.parametrize(
    ("before", "behind"),
    [
        (b"ID3\x04\0\0" + bytes((0, 0, 7, 0x68)) + bytes(1000), b"TAG" + bytes(125)),
        (bytes(4000), bytes(5000)),
        (b"", b"APETAGEX" + bytes(4) + (32).to_bytes(4, "little") + bytes(16) + b"some junk that is no frame"),
    ],
    ids=["ID3", "zeros", "APE"],
)
def test_notes_around_the_frames_are_no_sound(tmp_path: Path, before: bytes, behind: bytes):
    content = write_mp3(tmp_path / "a.mp3", clicks(6, 44_100), 44_100)
    expected = decoded(tmp_path / "a.mp3")
    (tmp_path / "a.mp3").write_bytes(before + content + behind)
    np.testing.assert_array_equal(decoded(tmp_path / "a.mp3"), expected)


def test_a_name_says_nothing(tmp_path: Path):
    content = write_mp3(tmp_path / "a.mp3", clicks(6, 44_100), 44_100)
    (tmp_path / "a.wav").write_bytes(content)
    assert len(decoded(tmp_path / "a.wav")) == 6 * 44_100


def test_a_tag_alone_holds_no_sound(tmp_path: Path):
    (tmp_path / "a.mp3").write_bytes(
        with_frame_count(first_frame(write_mp3(tmp_path / "a.mp3", clicks(1, 44_100), 44_100)), 0)
    )
    with pytest.raises(AudioError, match="holds no samples"):
        open_audio(tmp_path / "a.mp3")


@unstated
def test_a_recorded_song_without_a_tag_ends_where_its_frames_end(data: Path) -> None:
    """libsndfile announces more than there is."""
    file = data / "recorded" / "bare.mp3"
    opened = open_file(file)
    assert opened.frames % 1152 == 0 and opened.frames < soundfile.info(file).frames - 20_000
    assert len(read_audio(file)) == -(-opened.frames * 16_000 // 44_100)


@unstated
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_a_tag_with_a_flipped_bit_states_nothing(tmp_path: Path, rate: int, channels: int):
    content = write_mp3(tmp_path / "a.mp3", clicks(3, rate, channels), rate)
    header = parse_header(content)
    assert header is not None and parse_tag(first_frame(content), header).delay is not None
    for at in (8, 10, 13, 60, 120, 121, 141, 142, 143, 150, 154):  # counts, seek table, encoder, delay, check sum
        bad = bytearray(content)
        bad[tag_position(content) + at] ^= 1 << at % 8
        assert parse_tag(first_frame(bytes(bad)), header) == InfoTag(None, None, None)
        (tmp_path / "a.mp3").write_bytes(bad)
        assert len(decoded(tmp_path / "a.mp3")) == header.samples * (len(frame_positions(content)) - 1)


@unstated
@pytest.mark.skipif(shutil.which("lame") is None, reason="needs lame: apt-get install lame")
@pytest.mark.parametrize("quality", [["-b", "128"], ["-V", "4"]], ids=["constant", "variable"])
@pytest.mark.parametrize("channels", [1, 2])
def test_files_of_lame(tmp_path: Path, channels: int, quality: list[str]):
    samples = clicks(20, 44_100, channels)
    soundfile.write(tmp_path / "a.wav", samples, 44_100)
    subprocess.run(["lame", "--quiet", *quality, "a.wav", "a.mp3"], check=True, cwd=tmp_path)
    assert len(decoded(tmp_path / "a.mp3")) == len(samples)
    content = bytearray((tmp_path / "a.mp3").read_bytes())
    content[tag_position(bytes(content)) + 142] ^= 4
    (tmp_path / "a.mp3").write_bytes(content)
    assert len(decoded(tmp_path / "a.mp3")) > len(samples)


@unstated
@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg: apt-get install ffmpeg")
@pytest.mark.parametrize("quality", [["-b:a", "128k"], ["-q:a", "4"]], ids=["constant", "variable"])
@pytest.mark.parametrize("tag", ["0", "1"])
@pytest.mark.parametrize(("rate", "channels"), [(44_100, 1), (44_100, 2), (22_050, 1)])
def test_files_of_ffmpeg(tmp_path: Path, rate: int, channels: int, tag: str, quality: list[str]):
    samples = clicks(20, rate, channels)
    soundfile.write(tmp_path / "a.wav", samples, rate)
    encode = ["ffmpeg", "-v", "error", "-i", "a.wav", *quality, "-write_xing", tag, "a.mp3"]
    subprocess.run(encode, check=True, cwd=tmp_path)
    if channels == 1:
        assert lateness(tmp_path / "a.mp3", samples, rate) == (0 if tag == "1" else USUAL_DELAY)
    assert 0 <= len(decoded(tmp_path / "a.mp3")) - len(samples) < (1 if tag == "1" else 4 * 1152)
