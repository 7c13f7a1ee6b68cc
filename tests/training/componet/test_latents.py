"""The log-mel of AudioLDM2 against librosa, lengths against the stock pipeline, latents there and back."""

import librosa
import numpy as np
import pytest
import torch
from tiny_audioldm2 import tiny_vae, tiny_vocoder

from cocola_metric.errors import UsageError
from cocola_metric.training.componet.latents import decode_audio, encode_audio, fit_frames, latent_rows, log_mel

RATE = 16_000
SCALE = 0.4110932946205139
TOLERANCE = 1e-5  # of the logarithm, against double precision


@pytest.fixture(scope="module")
def vae():
    return tiny_vae()


def tones(seconds: float, level: float = 0.3) -> torch.Tensor:
    time = torch.arange(round(seconds * RATE), dtype=torch.float64) / RATE
    noise = torch.rand(len(time), generator=torch.Generator().manual_seed(0), dtype=torch.float64) - 0.5
    sweep = torch.sin(2 * torch.pi * (200 + 900 * time) * time)
    return ((sweep + noise) * level).float()[None]


def reference(waveform: torch.Tensor) -> np.ndarray:
    """The same spectrogram in double precision from librosa and numpy."""
    samples = np.pad(waveform[0].double().clamp(-1, 1).numpy(), 512, mode="reflect")
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(1024) / 1024)
    frames = np.lib.stride_tricks.sliding_window_view(samples, 1024)[::160]
    magnitude = np.abs(np.fft.rfft(frames * window))
    filters = librosa.filters.mel(sr=RATE, n_fft=1024, n_mels=64, fmin=0, fmax=8000, dtype=np.float64)
    return np.log(np.maximum(magnitude @ filters.T, 1e-5))


@pytest.mark.parametrize("level", [0.3, 0.003, 3.0])
def test_log_mel_agrees_with_double_precision(level: float) -> None:
    waveform = tones(1.0, level)
    difference = log_mel(waveform)[0].double().numpy() - reference(waveform)
    assert difference.shape == (101, 64)
    assert np.abs(difference).max() < TOLERANCE


def test_silence_is_the_floor() -> None:
    assert torch.equal(log_mel(torch.zeros(1, 1600)), torch.full((1, 11, 64), -11.512925148))


def test_levels_are_kept_and_clipped() -> None:
    loud = tones(0.5, 3.0)
    assert torch.equal(log_mel(loud), log_mel(loud.clamp(-1, 1)))
    quiet = log_mel(tones(0.5, 0.1)) - log_mel(tones(0.5, 0.05))
    torch.testing.assert_close(quiet.mean(), torch.tensor(2.0).log(), rtol=0, atol=1e-4)


def test_the_gradient_is_finite_in_silence() -> None:
    waveform = torch.zeros(1, 1600, requires_grad=True)
    log_mel(waveform).sum().backward()
    assert waveform.grad is not None
    assert bool(waveform.grad.isfinite().all())


@pytest.mark.parametrize("shape", [(1600,), (1, 512), (1, 1, 1600)])
def test_waveforms_that_have_no_spectrogram(shape: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match=r"waveforms must be \(B, L\)"):
        log_mel(torch.zeros(shape))


@pytest.mark.parametrize(
    ("seconds", "frames", "rows", "rows_of_eight"),
    [(5.944, 595, 149, 152), (10.23, 1024, 256, 256), (10.24, 1025, 256, 256), (30.0, 3001, 750, 752)],
)
def test_lengths(vae, seconds: float, frames: int, rows: int, rows_of_eight: int) -> None:
    samples = round(seconds * RATE)
    height = int(seconds * 100 + 1e-9)  # as the stock pipeline counts, without its rounding errors
    assert latent_rows(samples) == -(-height // 4) == rows
    assert latent_rows(samples, multiple=8) == rows_of_eight
    assert log_mel(tones(seconds)).shape == (1, frames, 64)
    if seconds < 6:
        assert encode_audio(vae, tones(seconds)).shape == (1, 8, rows, 16)
        assert encode_audio(vae, tones(seconds), multiple=8).shape == (1, 8, rows_of_eight, 16)


def test_one_sample_more_makes_one_row_more() -> None:
    assert [latent_rows(samples) for samples in (1, 640, 641, 1280)] == [1, 1, 2, 2]
    with pytest.raises(UsageError, match="0 samples"):
        latent_rows(0)


def test_frames_are_cut_or_the_last_repeated() -> None:
    mel = torch.arange(10.0).reshape(1, 5, 2)
    assert torch.equal(fit_frames(mel, 3), mel[:, :3])
    longer = fit_frames(mel, 7)
    assert torch.equal(longer[:, :5], mel)
    assert torch.equal(longer[:, 5:], mel[:, 4:].expand(1, 2, 2))


@torch.no_grad()
def test_latents_are_the_scaled_mode_or_a_seeded_sample(vae) -> None:
    waveform = tones(0.64)
    posterior = vae.encode(log_mel(waveform)[:, None, :64]).latent_dist
    assert torch.equal(encode_audio(vae, waveform), posterior.mode() * SCALE)
    drawn = [encode_audio(vae, waveform, generator=torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert torch.equal(drawn[0], posterior.sample(torch.Generator().manual_seed(1)) * SCALE)
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


@torch.no_grad()
def test_latents_become_audio_of_the_length_asked_for(vae) -> None:
    vocoder = tiny_vocoder()
    latents = encode_audio(vae, tones(0.63).expand(2, -1))
    audio = decode_audio(vae, vocoder, latents, samples=10_080)
    assert audio.shape == (2, 10_080)
    mel = vae.decode(latents / SCALE).sample[:, 0]
    assert torch.equal(audio, vocoder(mel)[:, :10_080])
    with pytest.raises(UsageError, match=r"16 rows of latents are .* samples, fewer than samples=11000"):
        decode_audio(vae, vocoder, latents, samples=11_000)
