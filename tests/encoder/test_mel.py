"""The front ends: the paper's two against librosa, torchaudio and the original code's stored features."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
import torchaudio
from original_recipe import librosa_chain

from cocola_metric.audio import read_audio
from cocola_metric.encoder.front_end_modules import OF_TORCH, FrontEndModule
from cocola_metric.encoder.front_ends import FRONT_ENDS, ArrayFrontEnd
from cocola_metric.encoder.mel import hann_window, mel_filterbank
from cocola_metric.errors import UsageError

PARITY_DB_HPS = 1e-2  # float32 FFT rounding near the -80 dB floor
PARITY_DB_MEL = 1e-3  # where a mel band is within 40 dB of its clip's loudest; see test_mel_agrees_with_the_original
AUDIBLE_RANGE_DB = 40.0
SAME_MACHINE_DB = 1e-4
NEAREST_FILTER_TOLERANCE = 1e-5  # one corner lies one bit from torch's: 2.6e-6 of a filter
PARITY_DB_ARRAYS = 1e-3


def test_shapes() -> None:
    waveform = torch.randn(3, 80_000)
    assert FrontEndModule("mel")(waveform).shape == (3, 1, 64, 501)
    assert FrontEndModule("hps")(waveform).shape == (3, 2, 64, 501)


@pytest.mark.parametrize("level", [1.0, 1e-3])
def test_hps_equals_librosa(level: float) -> None:
    rng = np.random.default_rng(0)
    time = np.arange(32_000) / 16_000
    waveform = level * (0.3 * np.sin(2 * np.pi * 220 * time) + 0.1 * rng.standard_normal(32_000) * (time % 0.5 < 0.02))
    ours = FrontEndModule("hps")(torch.from_numpy(waveform.astype(np.float32))[None])[0].numpy()
    assert np.abs(ours - librosa_chain(waveform.astype(np.float32))).max() < PARITY_DB_HPS


def test_mel_equals_torchaudio() -> None:
    torch.manual_seed(0)
    waveform = 0.1 * torch.randn(2, 40_000)
    reference = torchaudio.transforms.MelSpectrogram(
        sample_rate=16_000, n_fft=1024, win_length=400, hop_length=160, n_mels=64, f_min=60.0, f_max=7800.0
    )
    expected = torchaudio.transforms.AmplitudeToDB()(reference(waveform))
    assert (FrontEndModule("mel")(waveform)[:, 0] - expected).abs().max() < SAME_MACHINE_DB


def test_hps_agrees_with_the_original(parity) -> None:
    vectors = parity("hps")
    difference = FrontEndModule("hps")(vectors.waveforms) - vectors.features
    assert difference.abs().max() < PARITY_DB_HPS


def test_mel_agrees_with_the_original(parity) -> None:
    """Within 1e-3 dB where a band is heard; deeper down the stored values themselves are rounding noise.

    Without a relative floor the features reach down to -100 dB, where what is left of a loud frame's float32 FFT is its
    rounding: the stored vectors, made on another processor, differ there from a float64 computation by up to 0.64 dB,
    and torchaudio itself on this machine from the vectors by up to 0.70 dB.
    """
    vectors = parity("mel")
    difference = (FrontEndModule("mel")(vectors.waveforms) - vectors.features).abs()
    heard = vectors.features > vectors.features.amax((2, 3), keepdim=True) - AUDIBLE_RANGE_DB
    assert difference[heard].max() < PARITY_DB_MEL
    exact = (FrontEndModule("mel").double()(vectors.waveforms.double()) - vectors.features).abs()
    assert difference.max() < 2 * exact.max()  # no worse than the vectors' own rounding


def length(kind: str, usual: int) -> int:
    """Return a number of samples that a front end takes."""
    return max(usual, FRONT_ENDS[kind].least_samples)


def test_a_clip_that_is_too_short_for_its_mirror_is_named() -> None:
    with pytest.raises(UsageError, match="at least 16385 samples; got 16000"):
        FrontEndModule("cqt")(torch.zeros(1, 16_000))


@pytest.mark.parametrize("kind", sorted(FRONT_ENDS))
def test_silence_is_finite_and_flat(kind: str) -> None:
    features = FrontEndModule(kind)(torch.zeros(1, length(kind, 16_000)))
    assert features.unique().tolist() == [{"mel": -100.0, "cqt": -1.5}.get(kind, 0.0)]


@pytest.mark.parametrize("kind", sorted(FRONT_ENDS))
def test_a_front_end_can_be_pickled(kind: str) -> None:
    waveform = torch.randn(1, length(kind, 16_000))
    front_end = FrontEndModule(kind)
    assert torch.equal(pickle.loads(pickle.dumps(front_end))(waveform), front_end(waveform))


@pytest.mark.parametrize("kind", sorted(FRONT_ENDS))
def test_batches_do_not_mix(kind: str) -> None:
    waveform = torch.randn(3, length(kind, 16_000))
    front_end = FrontEndModule(kind)
    alone = torch.cat([front_end(clip[None]) for clip in waveform])
    assert (front_end(waveform) - alone).abs().max() < SAME_MACHINE_DB


@pytest.mark.parametrize("kind", sorted(FRONT_ENDS))
def test_gradients_reach_the_waveform(kind: str) -> None:
    torch.manual_seed(0)
    time = torch.arange(length(kind, 4_000), dtype=torch.float64) / 16_000
    waveform = (torch.sin(2000 * time) + 0.1 * torch.randn(len(time), dtype=torch.float64))[None].requires_grad_()
    front_end = FrontEndModule(kind).double()
    direction = torch.randn_like(waveform)
    front_end(waveform).mean().backward()
    step = 1e-9  # small, since medians and maxima have kinks
    with torch.no_grad():
        slope = (front_end(waveform + step * direction) - front_end(waveform - step * direction)).mean() / (2 * step)
    assert torch.isclose((waveform.grad * direction).sum(), slope, rtol=1e-3)


@pytest.mark.parametrize("kind", sorted(FRONT_ENDS))
def test_gradients_of_silence_are_finite(kind: str) -> None:
    waveform = torch.zeros(1, length(kind, 4_000), requires_grad=True)
    FrontEndModule(kind)(waveform).sum().backward()
    assert waveform.grad.isfinite().all()


@pytest.mark.parametrize("kind", sorted(FRONT_ENDS))
def test_buffers_stay_out_of_checkpoints(kind: str) -> None:
    assert not FrontEndModule(kind).state_dict()


@pytest.mark.parametrize("file", ["conditioning.flac", "accompaniment.flac"])
@pytest.mark.parametrize("kind", sorted(FRONT_ENDS))
def test_arrays_and_tensors_give_the_same_images(data: Path, kind: str, file: str) -> None:
    """Within 1e-3 dB where something is heard, and elsewhere as near to the truth in float64 as tensors are."""
    clips = read_audio(data / file)[None, :80_000]
    images = ArrayFrontEnd(kind)(np.asarray(clips))
    assert images.dtype == np.float32 and images.shape[1:3] == (FRONT_ENDS[kind].channels, FRONT_ENDS[kind].rows)
    tensors = FrontEndModule(kind)(torch.as_tensor(clips)).numpy()
    heard = tensors > tensors.max((2, 3), keepdims=True) - AUDIBLE_RANGE_DB
    assert np.abs(images - tensors)[heard].max() < PARITY_DB_ARRAYS
    truth = FrontEndModule(kind).double()(torch.as_tensor(clips).double()).numpy()
    assert np.abs(images - truth).max() < 3 * np.abs(tensors - truth).max()


@pytest.mark.parametrize("kind", ["mel", "hps"])
def test_arrays_agree_with_the_original(parity, kind: str) -> None:
    vectors = parity(kind)
    difference = np.abs(ArrayFrontEnd(kind)(vectors.waveforms.numpy()) - vectors.features.numpy())
    heard = vectors.features > vectors.features.amax((2, 3), keepdim=True) - AUDIBLE_RANGE_DB
    assert difference[heard.numpy() | (kind == "hps")].max() < {"mel": PARITY_DB_MEL, "hps": PARITY_DB_HPS}[kind]


@pytest.mark.parametrize("slaney", [False, True])
@pytest.mark.parametrize(("n_fft", "rows", "range_hz"), [(1024, 64, (60.0, 7800.0)), (1024, 128, (30.0, 7800.0))])
def test_filterbanks_are_those_of_torchaudio(slaney: bool, n_fft: int, rows: int, range_hz: tuple) -> None:
    settings = {"norm": "slaney", "mel_scale": "slaney"} if slaney else {"norm": None, "mel_scale": "htk"}
    expected = torchaudio.functional.melscale_fbanks(n_fft // 2 + 1, *range_hz, rows, 16_000, **settings).T.numpy()
    assert np.array_equal(mel_filterbank(n_fft, rows, range_hz, slaney=slaney, elementary=OF_TORCH), expected)
    ours = mel_filterbank(n_fft, rows, range_hz, slaney=slaney)
    assert np.abs(ours - expected).max() < NEAREST_FILTER_TOLERANCE * expected.max()


@pytest.mark.parametrize("size", [64, 400, 1024])
def test_the_window_is_that_of_torch(size: int) -> None:
    expected = torch.hann_window(size).numpy()
    assert np.array_equal(hann_window(size, OF_TORCH), expected)
    assert np.abs(hann_window(size) - expected).max() <= np.spacing(np.float32(0.5))  # one bit of the upper half


def test_modules_have_the_constants_of_torch() -> None:
    front_end = FrontEndModule("mel")
    expected = torchaudio.functional.melscale_fbanks(513, 60.0, 7800.0, 64, 16_000).T
    assert torch.equal(front_end.window, torch.hann_window(400)) and torch.equal(front_end.filterbank, expected)
