"""Windows: which ones there are, the same streamed as split, silence, and the memory that an hour takes."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import torchaudio
from hypothesis import given
from hypothesis import strategies as st

from cocola_metric.audio import limits
from cocola_metric.audio.inputs import Audio, open_audio, read_audio
from cocola_metric.audio.limits import SAMPLE_RATE, AudioWarning
from cocola_metric.audio.windows import SILENCE_DBFS, WindowPlan, is_silent, split_windows, stream_windows
from cocola_metric.errors import AudioError, UsageError

STREAMING_TOLERANCE = 1e-6  # of full scale
MEMORY_LIMIT = 100  # MB; 50 was measured
PEAK_OF_STREAMING = """
import sys
from cocola_metric.audio import open_audio
from cocola_metric.audio import stream_windows
def peak():
    return next(int(line.split()[1]) / 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))
before = peak()
print(sum(len(batch) for batch in stream_windows(open_audio(sys.argv[1]))), peak() - before)
"""

lengths = st.integers(1, 5_000)
sizes = st.integers(1, 700)
steps = st.integers(1, 900)
no_warnings_wanted = pytest.mark.filterwarnings("ignore::cocola_metric.audio.limits.AudioWarning")


def noise(length: int) -> torch.Tensor:
    return torch.rand(length, generator=torch.Generator().manual_seed(length)) * 2 - 1


def samples(size: int, step: int) -> WindowPlan:
    return WindowPlan(size / SAMPLE_RATE, step / SAMPLE_RATE)


@pytest.mark.parametrize(
    ("seconds", "hop", "starts"),
    [
        (5.0, 2.5, (0.0,)),  # exactly one window: nothing remains behind it
        (5.1, 2.5, (0.0, 2.5)),  # the last window holds 2.6 s
        (7.5, 2.5, (0.0, 2.5)),
        (10.0, 2.5, (0.0, 2.5, 5.0)),
        (10.5, 2.5, (0.0, 2.5, 5.0, 7.5)),
        (7.4, 5.0, (0.0,)),  # 2.4 s are less than half a window: dropped
        (7.5, 5.0, (0.0, 5.0)),  # exactly half: padded
        (11.0, 6.0, (0.0, 6.0)),  # a second is skipped between the windows
        (20.0, 7.0, (0.0, 7.0, 14.0)),
    ],
)
@pytest.mark.filterwarnings("error")
def test_which_windows_there_are(seconds: float, hop: float, starts: tuple[float, ...]):
    plan = WindowPlan(hop=hop)
    windows = split_windows(noise(round(seconds * SAMPLE_RATE)), plan)
    assert windows.shape == (len(starts), 80_000)
    assert plan.starts(len(windows)) == starts


@pytest.mark.parametrize("length", [1, 30_000, 79_999])
def test_a_clip_shorter_than_a_window_is_padded_with_a_warning(length: int):
    waveform = noise(length)
    with pytest.warns(
        AudioWarning, match=rf"waveform \({length},\) is .* s, shorter than the window of 5 s; it is padded"
    ):
        windows = split_windows(waveform)
    assert windows.shape == (1, 80_000)
    assert torch.equal(windows[0, :length], waveform)
    assert not windows[0, length:].any()


def test_a_short_file_is_named(tmp_path: Path):
    soundfile.write(tmp_path / "a.wav", np.zeros(16_000), 16_000)
    with pytest.warns(AudioWarning, match=r"a\.wav is 1\.00 s, shorter than the window of 5 s"):
        stream_windows(open_audio(tmp_path / "a.wav"))


@no_warnings_wanted
@given(length=lengths, size=sizes, step=steps)
def test_windows_are_the_audio_at_their_start(length: int, size: int, step: int):
    waveform, plan = noise(length), samples(size, step)
    windows = split_windows(waveform, plan)
    for number, (start, window) in enumerate(zip(plan.starts(len(windows)), windows, strict=True)):
        first = round(start * SAMPLE_RATE)
        assert first == number * step < length
        heard = min(size, length - first)
        assert torch.equal(window[:heard], waveform[first : first + heard])
        assert not window[heard:].any()
        assert number == 0 or 2 * heard >= size


@given(length=lengths, size=sizes, data=st.data())
def test_no_audio_is_lost_when_the_hop_is_half_a_window_or_less(length: int, size: int, data: st.DataObject):
    step = data.draw(st.integers(1, max(1, size // 2)))
    end = (samples(size, step).count(length) - 1) * step + size  # of the last window
    assert end >= length
    assert end == size or end - step < length  # and that window is needed


@given(length=lengths, more=st.integers(0, 2_000), size=sizes, step=steps)
def test_longer_audio_never_has_fewer_windows(length: int, more: int, size: int, step: int):
    plan = samples(size, step)
    assert plan.count(length) <= plan.count(length + more)


@no_warnings_wanted
@given(length=lengths, more=st.integers(0, 2_000), size=sizes, step=steps)
def test_windows_of_a_part_come_from_those_of_the_whole(length: int, more: int, size: int, step: int):
    """What lets the scorer embed an audio once, whatever lengths it has in common with its partners."""
    waveform, plan = noise(length + more), samples(size, step)
    part, whole = split_windows(waveform[:length], plan), split_windows(waveform, plan)
    last = len(part) - 1
    assert torch.equal(part[:last], whole[:last])
    assert torch.equal(part[last], plan.silence_behind(length, whole[last], last))
    assert plan.cuts(length, length + more) or torch.equal(part[last], whole[last])
    assert not plan.cuts(length, length)


@no_warnings_wanted
@given(length=lengths, size=sizes, step=steps, limit=lengths, batch_size=st.integers(1, 5), cut=st.integers(1, 2_000))
def test_streaming_is_splitting(length: int, size: int, step: int, limit: int, batch_size: int, cut: int):
    waveform, plan = noise(length), samples(size, step)
    audio = Audio("noise", length, lambda: iter(torch.split(waveform, cut)))
    batches = list(stream_windows(audio, plan, length=limit, batch_size=batch_size))
    assert {len(batch) for batch in batches[:-1]} <= {batch_size}
    assert torch.equal(torch.cat(batches), split_windows(waveform[:limit], plan))


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 44_100, 48_000])
@pytest.mark.parametrize("odd", [0, 1_237])
def test_streaming_a_file_is_splitting_it_whole(tmp_path: Path, rate: int, odd: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(limits, "BLOCK_SAMPLES", 2**15)
    soundfile.write(tmp_path / "a.flac", np.random.default_rng(odd).uniform(-0.5, 0.5, (12 * rate + odd, 2)), rate)
    streamed = torch.cat(list(map(torch.as_tensor, stream_windows(open_audio(tmp_path / "a.flac"), batch_size=3))))
    stereo = torch.from_numpy(soundfile.read(tmp_path / "a.flac", dtype="float32")[0].T)
    whole = split_windows(torchaudio.functional.resample(stereo.mean(dim=0), rate, SAMPLE_RATE))
    torch.testing.assert_close(streamed, whole, atol=STREAMING_TOLERANCE, rtol=0)


def test_streaming_stems_is_splitting_their_mix(tmp_path: Path):
    paths = [tmp_path / "a.flac", tmp_path / "b.wav"]
    for path, rate in zip(paths, (44_100, 48_000), strict=True):
        soundfile.write(path, np.random.default_rng(rate).uniform(-0.5, 0.5, 31 * rate), rate)
    streamed = torch.cat(list(map(torch.as_tensor, stream_windows(open_audio(paths), batch_size=4))))
    assert streamed.shape == (12, 80_000)
    expected = torch.from_numpy(split_windows(read_audio(paths[0]) + read_audio(paths[1])))
    torch.testing.assert_close(streamed, expected, atol=STREAMING_TOLERANCE, rtol=0)


def test_the_common_part_gives_as_many_windows_for_both(tmp_path: Path):
    """44.1 and 48 kHz, neither a whole number of samples at 16 kHz."""
    soundfile.write(tmp_path / "a.wav", np.zeros(44_100 * 9 + 7), 44_100)
    soundfile.write(tmp_path / "b.wav", np.zeros(48_000 * 11 + 1), 48_000)
    pair = [open_audio(tmp_path / "a.wav"), open_audio(tmp_path / "b.wav")]
    assert [audio.length for audio in pair] == [144_003, 176_001]
    shapes = [torch.cat(list(map(torch.as_tensor, stream_windows(audio, length=144_003)))).shape for audio in pair]
    assert shapes == [(3, 80_000)] * 2


def test_gradients_pass_through_windows():
    waveform = noise(100_000).requires_grad_()
    split_windows(waveform).sum().backward()
    assert waveform.grad is not None
    assert waveform.grad[[0, 50_000, 99_999]].tolist() == [1.0, 2.0, 1.0]  # the number of windows over each


def test_damage_is_found_while_streaming(tmp_path: Path):
    soundfile.write(tmp_path / "a.flac", np.random.default_rng(0).uniform(-0.5, 0.5, 16_000 * 60), 16_000)
    content = (tmp_path / "a.flac").read_bytes()
    (tmp_path / "a.flac").write_bytes(content[: len(content) // 2])
    with pytest.raises(AudioError, match=r"a\.flac is (damaged or )?truncated"):
        list(stream_windows(open_audio(tmp_path / "a.flac"), batch_size=1))


@pytest.mark.parametrize("seconds", [0.0, -5.0, 1e-6, float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["window", "hop"])
def test_times_are_checked(name: str, seconds: float):
    with pytest.raises(UsageError, match=rf"{name} must be .* s or more; got {seconds}"):
        WindowPlan(**{name: seconds})


def test_no_samples_no_windows():
    with pytest.raises(AudioError, match="the waveform holds no samples; pass at least one"):
        split_windows(torch.zeros(0))


@pytest.mark.parametrize(
    ("decibels", "silent"), [(-200.0, True), (-93.0, True), (-70.1, True), (-69.9, False), (0.0, False)]
)
def test_silence_is_below_a_stated_level(decibels: float, silent: bool):
    square_wave = torch.ones(2, 80_000)
    square_wave[:, ::2] = -1.0
    assert is_silent(square_wave * 10 ** (decibels / 20)).tolist() == [silent, silent]
    assert SILENCE_DBFS == -70.0


def test_each_window_is_silent_for_itself():
    waveform = torch.cat([torch.zeros(80_000), noise(80_000)])
    assert is_silent(split_windows(waveform)).tolist() == [True, False, False]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak memory from /proc")
@pytest.mark.parametrize("rate", [16_000, pytest.param(44_100, marks=pytest.mark.slow)])
def test_an_hour_is_read_in_bounded_memory(tmp_path: Path, rate: int):
    path = tmp_path / "hour.wav"
    soundfile.write(path, np.zeros(1), rate, subtype="PCM_16")
    size = 3600 * rate * 2  # bytes
    with path.open("r+b") as file:
        file.seek(40)  # the size of the data chunk
        file.write(size.to_bytes(4, "little"))
        file.truncate(44 + size)  # sparse: it takes no room on the disk
    # In a process of its own, as the peak of this one is past.
    ran = subprocess.run([sys.executable, "-c", PEAK_OF_STREAMING, path], capture_output=True, text=True, check=True)
    count, megabytes = ran.stdout.split()
    assert int(count) == 1439
    assert float(megabytes) < MEMORY_LIMIT
