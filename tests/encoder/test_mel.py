"""The front ends: the paper's two against librosa, torchaudio and the original code's stored features."""

import numpy as np
import pytest
import torch
import torchaudio
from original_recipe import librosa_chain

from cocola_metric.encoder.mel import HarmonicPercussive, LogMel
from cocola_metric.encoder.model import FRONT_ENDS

PARITY_DB_HPS = 1e-2  # float32 FFT rounding near the -80 dB floor
PARITY_DB_MEL = 1e-3  # where a mel band is within 40 dB of its clip's loudest; see test_mel_agrees_with_the_original
AUDIBLE_RANGE_DB = 40.0
SAME_MACHINE_DB = 1e-4


def test_shapes() -> None:
    waveform = torch.randn(3, 80_000)
    assert LogMel()(waveform).shape == (3, 1, 64, 501)
    assert HarmonicPercussive()(waveform).shape == (3, 2, 64, 501)


@pytest.mark.parametrize("level", [1.0, 1e-3])
def test_hps_equals_librosa(level: float) -> None:
    rng = np.random.default_rng(0)
    time = np.arange(32_000) / 16_000
    waveform = level * (0.3 * np.sin(2 * np.pi * 220 * time) + 0.1 * rng.standard_normal(32_000) * (time % 0.5 < 0.02))
    ours = HarmonicPercussive()(torch.from_numpy(waveform.astype(np.float32))[None])[0].numpy()
    assert np.abs(ours - librosa_chain(waveform.astype(np.float32))).max() < PARITY_DB_HPS


def test_mel_equals_torchaudio() -> None:
    waveform = 0.1 * torch.randn(2, 40_000)
    reference = torchaudio.transforms.MelSpectrogram(
        sample_rate=16_000, n_fft=1024, win_length=400, hop_length=160, n_mels=64, f_min=60.0, f_max=7800.0
    )
    expected = torchaudio.transforms.AmplitudeToDB()(reference(waveform))
    assert (LogMel()(waveform)[:, 0] - expected).abs().max() < SAME_MACHINE_DB


def test_hps_agrees_with_the_original(parity) -> None:
    vectors = parity("hps")
    difference = HarmonicPercussive()(vectors.waveforms) - vectors.features
    assert difference.abs().max() < PARITY_DB_HPS


def test_mel_agrees_with_the_original(parity) -> None:
    """Within 1e-3 dB where a band is heard; deeper down the stored values themselves are rounding noise.

    Without a relative floor the features reach down to -100 dB, where what is left of a loud frame's float32 FFT is its
    rounding: the stored vectors, made on another processor, differ there from a float64 computation by up to 0.64 dB,
    and torchaudio itself on this machine from the vectors by up to 0.70 dB.
    """
    vectors = parity("mel")
    difference = (LogMel()(vectors.waveforms) - vectors.features).abs()
    heard = vectors.features > vectors.features.amax((2, 3), keepdim=True) - AUDIBLE_RANGE_DB
    assert difference[heard].max() < PARITY_DB_MEL
    exact = (LogMel().double()(vectors.waveforms.double()) - vectors.features).abs()
    assert difference.max() < 2 * exact.max()  # no worse than the vectors' own rounding


@pytest.mark.parametrize("kind", sorted(FRONT_ENDS))
def test_silence_is_finite_and_flat(kind: str) -> None:
    features = FRONT_ENDS[kind]()(torch.zeros(1, 16_000))
    assert features.unique().tolist() == [{"mel": -100.0}.get(kind, 0.0)]


@pytest.mark.parametrize("kind", sorted(FRONT_ENDS))
def test_batches_do_not_mix(kind: str) -> None:
    waveform = torch.randn(3, 16_000)
    front_end = FRONT_ENDS[kind]()
    alone = torch.cat([front_end(clip[None]) for clip in waveform])
    assert (front_end(waveform) - alone).abs().max() < SAME_MACHINE_DB


@pytest.mark.parametrize("kind", sorted(FRONT_ENDS))
def test_gradients_reach_the_waveform(kind: str) -> None:
    torch.manual_seed(0)
    time = torch.arange(4_000, dtype=torch.float64) / 16_000
    waveform = (torch.sin(2000 * time) + 0.1 * torch.randn(4_000, dtype=torch.float64))[None].requires_grad_()
    front_end = FRONT_ENDS[kind]().double()
    direction = torch.randn_like(waveform)
    front_end(waveform).mean().backward()
    step = 1e-9  # small, since medians and maxima have kinks
    with torch.no_grad():
        slope = (front_end(waveform + step * direction) - front_end(waveform - step * direction)).mean() / (2 * step)
    assert torch.isclose((waveform.grad * direction).sum(), slope, rtol=1e-3)


@pytest.mark.parametrize("kind", sorted(FRONT_ENDS))
def test_gradients_of_silence_are_finite(kind: str) -> None:
    waveform = torch.zeros(1, 4_000, requires_grad=True)
    FRONT_ENDS[kind]()(waveform).sum().backward()
    assert waveform.grad.isfinite().all()


@pytest.mark.parametrize("kind", sorted(FRONT_ENDS))
def test_buffers_stay_out_of_checkpoints(kind: str) -> None:
    assert not FRONT_ENDS[kind]().state_dict()
