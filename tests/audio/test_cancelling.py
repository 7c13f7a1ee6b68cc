"""Stereo whose channels cancel each other out is named as that, and not only as silence."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from cocola_metric import AudioError, CocolaScorer
from cocola_metric.audio.cancelling import cancelling_channels
from cocola_metric.cli import score

RATE = 16_000


@pytest.fixture
def stereo() -> np.ndarray:
    left = 0.1 * np.random.default_rng(0).standard_normal(6 * RATE).astype(np.float32)
    return np.stack([left, -left])


def test_the_error_names_the_file_and_the_way_out(stereo: np.ndarray, tmp_path: Path, data: Path, capsys) -> None:
    file = tmp_path / "out of phase.wav"
    soundfile.write(file, stereo.T, RATE)
    scorer = CocolaScorer.from_pretrained()
    music = data / "conditioning.flac"
    for side, options in ((file, {}), ([file], {}), (stereo, {"sample_rate": RATE})):
        with pytest.raises(AudioError, match=r"side is silent; the channels of .* cancel each other out"):
            scorer.score(music, side, **options)
    for left, right in ((music, file), (file, music)):
        assert score.main([str(left), str(right)]) == 1
        assert "out of phase.wav cancel each other out" in capsys.readouterr().err


def test_others_are_not_accused(stereo: np.ndarray, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "silent.wav", 0 * stereo.T, RATE)
    for side in (stereo[0], stereo[:1], stereo * [[1], [0.5]], tmp_path / "silent.wav", tmp_path / "missing", 5, None):
        assert cancelling_channels(side) == ""
    assert "tensor (2, 96000)" in cancelling_channels(torch.from_numpy(stereo))
