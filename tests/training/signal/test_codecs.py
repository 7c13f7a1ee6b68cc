"""Lossy codecs: time and level stay, and something is lost."""

import pytest
import soundfile
import torch

from cocola_metric.audio import SAMPLE_RATE
from cocola_metric.errors import MissingExtraError
from cocola_metric.training.signal.codecs import CODECS, code_lossily


@pytest.mark.parametrize("container", CODECS)
@pytest.mark.parametrize("gain", [0.01, 3.0])
def test_a_file_keeps_time_and_level(container: str, gain: float) -> None:
    if container not in soundfile.available_formats():
        pytest.skip(f"libsndfile {soundfile.__libsndfile_version__} writes no {container}")
    generator = torch.Generator().manual_seed(0)
    waveform = gain * torch.nn.functional.avg_pool1d(torch.randn(1, SAMPLE_RATE + 7, generator=generator), 8, 1)[0]
    mild, hard = (code_lossily(waveform, container, strength) for strength in (0.2, 0.99))
    assert mild.shape == waveform.shape
    lost = [(coded - waveform).square().mean().sqrt() / waveform.square().mean().sqrt() for coded in (mild, hard)]
    assert 0.001 < lost[0] < lost[1] < 0.8
    later = torch.stack([(mild.roll(lag) * waveform).sum() for lag in (-1, 0, 1)])
    assert later.argmax() == 1


def test_an_old_libsndfile_is_named(monkeypatch) -> None:
    monkeypatch.setattr(soundfile, "available_formats", lambda: {"WAV": ""})
    with pytest.raises(MissingExtraError, match="writes no MP3; pip install --upgrade soundfile"):
        code_lossily(torch.zeros(100), "MP3", 0.5)
