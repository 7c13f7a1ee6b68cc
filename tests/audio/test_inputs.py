"""Reading: formats, the resampler against torchaudio, and one test for each policy of `open_audio`."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import torchaudio
from hypothesis import given, settings
from hypothesis import strategies as st

from cocola_metric.audio import inputs, limits
from cocola_metric.audio.arrays import mix_stems, to_mono
from cocola_metric.audio.inputs import open_audio
from cocola_metric.audio.limits import MIN_SAMPLE_RATE, SAMPLE_RATE, AudioWarning
from cocola_metric.audio.resampling import resample, resample_blocks
from cocola_metric.errors import AudioError

RESAMPLING_TOLERANCE = 1e-6  # of full scale; float32 sums in another order differ by 5e-7
RATES = [8000, 11025, 12000, 16000, 22050, 24000, 32000, 37800, 44100, 48000, 96000]
ODD_RATES = [12345, 44056]  # torchaudio's kernel has 8 and 11 million taps; ours leaves out the zeros


def read_audio(audio, **options) -> torch.Tensor:
    """Read as a tensor, whatever comes: files and arrays are read as arrays."""
    return torch.as_tensor(inputs.read_audio(audio, **options))


def noise(channels: int, length: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(channels, length, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def write_noise(path: Path, rate: int = 16_000, channels: int = 1, seconds: float = 6.0, **encoding: str) -> np.ndarray:
    """Write noise as audio, and return it as (time, channels)."""
    samples = 0.1 * noise(channels, round(seconds * rate)).T.numpy()
    soundfile.write(path, samples, rate, **encoding)
    return samples


# Formats


@pytest.mark.parametrize(
    ("suffix", "decibels"),  # of the difference to the FLAC file, relative to it: what the encoding loses
    [("flac", -np.inf), ("wav", -32), ("aiff", -37), ("ogg", -32), ("mp3", -43)],
)
def test_every_format_is_read(data: Path, suffix: str, decibels: float):
    reference = read_audio(data / "accompaniment.flac")  # 6 s
    waveform = read_audio(data / f"accompaniment.{suffix}")
    assert waveform.dtype == torch.float32
    assert 96_000 <= len(waveform) <= 96_200  # ADPCM fills its last block
    difference = (waveform[:96_000] - reference).square().mean().sqrt() / reference.square().mean().sqrt()
    assert 20 * torch.log10(difference) < decibels + 1 or difference == 0


def test_16_khz_mono_is_read_as_it_is(tmp_path: Path):
    samples = write_noise(tmp_path / "a.wav", subtype="FLOAT")
    assert torch.equal(read_audio(tmp_path / "a.wav"), torch.from_numpy(samples[:, 0]))


@pytest.mark.parametrize("channels", [1, 2, 6, 64])
@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
def test_any_channel_count_and_rate(tmp_path: Path, rate: int, channels: int):
    samples = write_noise(tmp_path / "a.wav", rate, channels, seconds=1.0, subtype="FLOAT")
    expected = torchaudio.functional.resample(torch.from_numpy(samples.mean(axis=1)), rate, SAMPLE_RATE)
    torch.testing.assert_close(read_audio(tmp_path / "a.wav"), expected, atol=RESAMPLING_TOLERANCE, rtol=0)


@pytest.mark.parametrize("suffix", ["ogg", "mp3"])
def test_reading_in_blocks_is_reading_at_once(data: Path, suffix: str, monkeypatch: pytest.MonkeyPatch):
    whole, _ = soundfile.read(data / f"accompaniment.{suffix}", dtype="float32")
    monkeypatch.setattr(limits, "BLOCK_SAMPLES", 3001)
    blocks = read_audio(data / f"accompaniment.{suffix}")
    torch.testing.assert_close(blocks, torch.from_numpy(whole), atol=1e-7, rtol=0)  # soundfile's seeks make it 0.34


def test_a_tensor_and_its_file_are_the_same_audio(tmp_path: Path):
    samples = write_noise(tmp_path / "a.wav", 44_100, 2, subtype="FLOAT")
    from_tensor = read_audio(torch.from_numpy(samples.T), sample_rate=44_100)
    torch.testing.assert_close(read_audio(tmp_path / "a.wav"), from_tensor, atol=RESAMPLING_TOLERANCE, rtol=0)


# The resampler


@pytest.mark.parametrize("rate", [*RATES, *ODD_RATES])
def test_resample_agrees_with_torchaudio(rate: int):
    waveform = noise(2, rate + 17)
    expected = torchaudio.functional.resample(waveform, rate, SAMPLE_RATE)
    torch.testing.assert_close(resample(waveform, rate), expected, atol=RESAMPLING_TOLERANCE, rtol=0)


@settings(max_examples=60)
@given(rate=st.sampled_from(RATES), length=st.integers(1, 30_000), block=st.integers(100, 20_000))
def test_resampling_in_blocks_is_resampling_at_once(rate: int, length: int, block: int):
    waveform = noise(1, length)[0]
    joined = torch.cat(list(resample_blocks(torch.split(waveform, block), rate)))
    expected = torchaudio.functional.resample(waveform, rate, SAMPLE_RATE)
    assert len(joined) == -(-length * SAMPLE_RATE // rate)
    torch.testing.assert_close(joined, expected, atol=RESAMPLING_TOLERANCE, rtol=0)


def test_odd_rates_are_seamless_too():
    waveform = noise(1, 44_101 * 5)[0]
    joined = torch.cat(list(resample_blocks(torch.split(waveform, 10_007), 44_101)))
    torch.testing.assert_close(joined, resample(waveform, 44_101), atol=RESAMPLING_TOLERANCE, rtol=0)


def test_resampled_length_is_exact_where_torchaudio_rounds_to_float32():
    waveform = torch.zeros(8_820_002)  # 200 s at 44.1 kHz and two samples: 3200000.73 samples at 16 kHz
    assert len(resample(waveform, 44_100)) == 3_200_001


@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000])
def test_resampling_keeps_a_tone(rate: int):
    def tone(at: int) -> torch.Tensor:
        return torch.sin(2 * torch.pi * 1000 * torch.arange(at, dtype=torch.float64) / at)

    difference = resample(tone(rate), rate) - tone(SAMPLE_RATE)
    assert difference[100:-100].abs().max() < 2e-3  # what a kernel of six zero crossings leaves


# Mono and mixing


def test_to_mono_averages():
    assert torch.equal(to_mono(torch.tensor([[1.0, 2.0], [3.0, -2.0]])), torch.tensor([2.0, 0.0]))


def test_one_dimension_is_mono():
    waveform = noise(1, 80_000)
    assert torch.equal(read_audio(waveform[0], sample_rate=16_000), read_audio(waveform, sample_rate=16_000))


@given(lengths=st.lists(st.integers(1, 50), min_size=1, max_size=6), seed=st.integers(0, 999), data=st.data())
def test_mix_is_a_sum_in_any_order(lengths: list[int], seed: int, data: st.DataObject):
    stems = [noise(1, length, seed + n)[0] for n, length in enumerate(lengths)]
    mix = mix_stems(stems)
    expected = torch.zeros(max(lengths))
    for stem in stems:
        expected[: len(stem)] += stem
    torch.testing.assert_close(mix, expected, atol=1e-6, rtol=0)
    torch.testing.assert_close(mix_stems(data.draw(st.permutations(stems))), mix, atol=1e-6, rtol=0)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_stem_files_are_summed_in_any_order_and_at_any_rate(tmp_path: Path, order: tuple[int, ...]):
    paths = [tmp_path / f"{rate}.wav" for rate in (16_000, 44_100, 48_000)]
    for path in paths:
        write_noise(path, int(path.stem), 2, seconds=20.0)
    mix = read_audio([paths[n] for n in order])
    expected = sum(read_audio(path) for path in paths)
    torch.testing.assert_close(mix, expected, atol=RESAMPLING_TOLERANCE, rtol=0)


def test_one_stem_is_itself(data: Path):
    path = data / "conditioning.flac"
    assert torch.equal(read_audio([path]), read_audio(path))


@pytest.mark.filterwarnings("error")
def test_stems_within_a_tenth_of_a_second_are_padded_silently(tmp_path: Path):
    write_noise(tmp_path / "long.wav", seconds=2.0)
    write_noise(tmp_path / "short.wav", seconds=1.9)
    assert len(read_audio([tmp_path / "short.wav", tmp_path / "long.wav"])) == 32_000


def test_stems_of_very_unequal_length_are_padded_with_a_warning(tmp_path: Path):
    write_noise(tmp_path / "long.wav", seconds=2.0)
    write_noise(tmp_path / "short.wav", seconds=1.5)
    with pytest.warns(AudioWarning, match=r"short.wav is 0.50 s shorter than .*long.wav"):
        mix = read_audio([tmp_path / "short.wav", tmp_path / "long.wav"])
    assert torch.equal(mix[24_000:], read_audio(tmp_path / "long.wav")[24_000:])


# Length without reading


@given(rate=st.sampled_from([*RATES, *ODD_RATES]), frames=st.integers(1, 100_000))
def test_length_is_known_before_reading(rate: int, frames: int):
    audio = open_audio(torch.zeros(1, frames), sample_rate=rate)
    assert audio.length == sum(len(block) for block in audio.blocks())
    assert round(audio.duration * SAMPLE_RATE) == audio.length
    assert audio.duration == pytest.approx(frames / rate, abs=1 / SAMPLE_RATE)


def test_duration_of_a_file_and_of_stems(tmp_path: Path):
    write_noise(tmp_path / "a.flac", 44_100, seconds=3.0)
    write_noise(tmp_path / "b.flac", 48_000, seconds=3.05)
    assert open_audio(tmp_path / "a.flac").duration == 3.0
    assert open_audio([tmp_path / "a.flac", tmp_path / "b.flac"]).duration == 3.05


# Tensors and arrays


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_tensors_become_float32_and_stay_unchanged(dtype: torch.dtype):
    waveform = noise(2, 5_000).to(dtype)
    before = waveform.clone()
    read = read_audio(waveform, sample_rate=44_100)
    assert read.dtype == torch.float32
    assert torch.equal(waveform, before)
    torch.testing.assert_close(read, read_audio(waveform.float(), sample_rate=44_100), atol=0, rtol=0)


@pytest.mark.parametrize("variant", ["read-only", "reversed", "big-endian", "float64", "Fortran order"])
def test_arrays_of_every_make(variant: str):
    array = noise(2, 5_000).numpy()
    made = {
        "read-only": array.copy(),
        "reversed": array[:, ::-1].copy()[:, ::-1],
        "big-endian": array.astype(">f4"),
        "float64": array.astype(np.float64),
        "Fortran order": np.asfortranarray(array),
    }[variant]
    made.flags.writeable = False
    read = read_audio(made, sample_rate=22_050)
    assert torch.equal(read, read_audio(array, sample_rate=22_050))
    of_tensor = read_audio(torch.from_numpy(array), sample_rate=22_050)
    torch.testing.assert_close(read, of_tensor, atol=RESAMPLING_TOLERANCE, rtol=0)


@pytest.mark.parametrize("rate", [16_000, 44_100, 44_101])
def test_gradients_reach_the_samples(rate: int):
    waveform = noise(2, 2_000).requires_grad_()
    read_audio(waveform, sample_rate=rate).sum().backward()
    assert waveform.grad is not None
    assert waveform.grad[0, 1_000] == pytest.approx(0.5 * SAMPLE_RATE / rate, rel=0.01)  # half of the mono sample


@pytest.mark.parametrize(
    ("tensor", "rate", "message"),
    [
        (torch.zeros(2, 80_000), None, r"tensor \(2, 80000\) comes without its rate; pass sample_rate="),
        (np.zeros((2, 80_000)), None, r"array \(2, 80000\) comes without its rate"),
        (
            torch.zeros(2, 80_000, dtype=torch.int16),
            16_000,
            "must be floating point in -1..1; got torch.int16; convert it",
        ),
        (np.zeros((2, 80_000), dtype=np.int16), 16_000, "must be floating point in -1..1; got int16; convert it"),
        (np.array([["a", "b"]]), 16_000, "must be floating point in -1..1; got <U1"),
        (torch.zeros(1, 80_000, dtype=torch.complex64), 16_000, "got torch.complex64"),
        (torch.zeros(80_000, 2), 16_000, r"has 80000 channels, more than 64; pass \(channels, time\)"),
        (torch.zeros(65, 80_000), 16_000, "has 65 channels"),
        (torch.zeros(1, 2, 80_000), 16_000, r"has 3 dimensions, not 1 or 2; pass \(channels, time\)"),
        (torch.tensor(0.0), 16_000, "has 0 dimensions"),
        (torch.zeros(2, 0), 16_000, "holds no samples"),
        (torch.zeros(0, 80_000), 16_000, "holds no samples"),
        (torch.zeros(2, 80_000), 7_999, "rate of 7999 Hz, below 8000 Hz"),
        (torch.zeros(2, 80_000), 0, "rate of 0 Hz"),
        (torch.zeros(2, 80_000), -16_000, "rate of -16000 Hz"),
        (torch.zeros(2, 80_000), 22_050.5, "must be a whole number of Hz; got 22050.5"),
        (torch.zeros(2, 80_000), float("nan"), "must be a whole number of Hz; got nan"),
    ],
)
def test_unfit_tensors_are_refused(tensor: torch.Tensor, rate: float | None, message: str):
    with pytest.raises(AudioError, match=message):
        read_audio(tensor, sample_rate=rate)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_samples_that_are_no_numbers_are_refused(tmp_path: Path, value: float):
    samples = np.zeros((80_000, 2), dtype=np.float32)
    samples[70_000, 1] = value
    with pytest.raises(AudioError, match=r"tensor \(2, 80000\) holds NaN or infinite samples"):
        read_audio(torch.from_numpy(samples.T), sample_rate=16_000)
    soundfile.write(tmp_path / "a.wav", samples, 16_000, subtype="FLOAT")
    with pytest.raises(AudioError, match=r"a\.wav holds NaN or infinite samples"):
        read_audio(tmp_path / "a.wav")


@pytest.mark.parametrize("audio", [None, 3, b"a.wav", [torch.zeros(2, 80_000)], [0.0, 0.1], {"a.wav": 1}])
def test_other_things_are_refused(audio: object):
    with pytest.raises(AudioError, match="is not audio; pass a path, a list of stem paths, or one tensor"):
        read_audio(audio)


def test_no_stems_are_refused():
    with pytest.raises(AudioError, match="the list of stems is empty"):
        read_audio([])


# Files


def test_silence_is_read(tmp_path: Path):
    soundfile.write(tmp_path / "a.wav", np.zeros(80_000), 16_000)
    assert torch.equal(read_audio(tmp_path / "a.wav"), torch.zeros(80_000))


def test_missing_file(tmp_path: Path):
    with pytest.raises(AudioError, match=r"nope\.wav does not exist"):
        read_audio(tmp_path / "nope.wav")


def test_directory(tmp_path: Path):
    with pytest.raises(AudioError, match="is a directory; pass the list of the stem files in it"):
        read_audio(tmp_path)


def test_empty_file(tmp_path: Path):
    (tmp_path / "a.wav").touch()
    with pytest.raises(AudioError, match=r"a\.wav is empty \(0 bytes\)"):
        read_audio(tmp_path / "a.wav")


def test_file_without_samples(tmp_path: Path):
    soundfile.write(tmp_path / "a.wav", np.zeros((0, 2)), 16_000)
    with pytest.raises(AudioError, match=r"a\.wav holds no samples"):
        read_audio(tmp_path / "a.wav")


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.mp3", "a.raw"])
def test_text_that_is_called_audio(tmp_path: Path, name: str):
    (tmp_path / name).write_text("these are words, not samples\n" * 100)
    with pytest.raises(AudioError, match=rf"{name} .*; (pass WAV, FLAC|copy)"):
        read_audio(tmp_path / name)


def test_file_of_200_channels(tmp_path: Path):
    write_noise(tmp_path / "a.wav", channels=200, seconds=0.1)
    with pytest.raises(AudioError, match=r"a\.wav has 200 channels, more than 64"):
        open_audio(tmp_path / "a.wav")


def test_file_of_too_low_a_rate(tmp_path: Path):
    write_noise(tmp_path / "a.wav", MIN_SAMPLE_RATE - 1)
    with pytest.raises(AudioError, match=r"a\.wav has a rate of 7999 Hz, below 8000 Hz"):
        open_audio(tmp_path / "a.wav")


def test_one_bad_stem_is_named(tmp_path: Path):
    write_noise(tmp_path / "good.wav")
    with pytest.raises(AudioError, match=r"bad\.wav does not exist"):
        read_audio([tmp_path / "good.wav", tmp_path / "bad.wav"])


@pytest.mark.parametrize("kept", [0.3, 0.9, 0.999])
@pytest.mark.parametrize("name", ["a.wav", "a.aiff", "a.flac", "a.mp3", "a.ogg"])
def test_truncated_files_are_refused(tmp_path: Path, name: str, kept: float):
    write_noise(tmp_path / name, 44_100, 2)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: int(kept * len(content))])
    with pytest.raises(AudioError, match=rf"{name} is (damaged or )?truncated"):
        read_audio(tmp_path / name)


@pytest.mark.parametrize("name", ["a.wav", "a.aiff"])
def test_truncation_that_the_header_shows_is_refused_before_reading(tmp_path: Path, name: str):
    write_noise(tmp_path / name)
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:-2])
    with pytest.raises(
        AudioError, match=f"{name} is truncated: its header announces [0-9]+ bytes of audio, [0-9]+ are"
    ):
        open_audio(tmp_path / name)


def test_flac_damaged_in_the_middle(tmp_path: Path):
    write_noise(tmp_path / "a.flac")
    content = bytearray((tmp_path / "a.flac").read_bytes())
    middle = len(content) // 2
    content[middle : middle + 3000] = bytes(3000)
    (tmp_path / "a.flac").write_bytes(content)
    with pytest.raises(AudioError, match=r"a\.flac is damaged or truncated"):
        read_audio(tmp_path / "a.flac")


def test_flac_from_a_pipe_is_refused(tmp_path: Path):
    write_noise(tmp_path / "a.flac")
    content = bytearray((tmp_path / "a.flac").read_bytes())
    content[21] &= 0xF0  # STREAMINFO's 36 bits of total samples: 0 is "unknown"
    content[22:26] = bytes(4)
    (tmp_path / "a.flac").write_bytes(content)
    with pytest.raises(AudioError, match=r"a\.flac does not state its length"):
        read_audio(tmp_path / "a.flac")


# Imports


def test_importing_is_silent():
    """Neither torchaudio nor soundfile warns, and the package itself imports neither."""
    script = "import sys, cocola_metric; assert 'torch' not in sys.modules; import cocola_metric.audio"
    ran = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


@pytest.mark.parametrize("rate", [8000, 11_025, 22_050, 44_100, 44_101, 48_000, 96_000])
def test_arrays_are_resampled_as_tensors_are(rate: int):
    waveform = noise(2, 3 * rate)
    resampled = resample(waveform.numpy(), rate)
    assert isinstance(resampled, np.ndarray) and resampled.dtype == np.float32
    torch.testing.assert_close(torch.from_numpy(resampled), resample(waveform, rate), atol=1e-6, rtol=0)


def test_what_comes_back_is_of_the_kind_that_was_given():
    assert isinstance(inputs.read_audio(noise(1, 8000).numpy(), sample_rate=8000), np.ndarray)
    waveform = noise(1, 8000).requires_grad_()
    inputs.read_audio(waveform, sample_rate=8000).sum().backward()
    assert waveform.grad is not None
