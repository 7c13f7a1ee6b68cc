"""Warnings blame the line outside the package that led to them."""

import inspect
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from cocola_metric import AudioWarning, CocolaMetric, CocolaScorer
from cocola_metric.audio import WindowPlan, mix_clips, read_audio, split_windows
from cocola_metric.blame import warn_caller
from cocola_metric.encoder.model import CocolaModel, EncoderConfig

RATE = 16_000


@pytest.fixture(scope="module")
def model() -> CocolaModel:
    torch.manual_seed(0)
    return CocolaModel(EncoderConfig(front_end="mel", embedding_dim=8)).eval()


@pytest.fixture
def stems(tmp_path: Path) -> list[Path]:
    files = [tmp_path / "long.wav", tmp_path / "short.wav"]
    for file, seconds in zip(files, (6, 5), strict=True):
        soundfile.write(file, 0.1 * np.random.default_rng(0).standard_normal(seconds * RATE), RATE)
    return files


def blamed(call: Callable[[], object]) -> None:
    """See that a call warns, and that each warning blames the call's own line."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    told = [warning for warning in caught if issubclass(warning.category, AudioWarning)]
    assert told
    assert {warning.filename for warning in told} == {__file__}
    line = inspect.getsourcelines(call)[1]
    assert {warning.lineno for warning in told} == {line}


def test_audio_that_is_read(stems: list[Path]) -> None:
    blamed(lambda: read_audio(stems))
    blamed(lambda: mix_clips(stems, RATE))
    blamed(lambda: split_windows(torch.ones(RATE), WindowPlan(5.0, 2.5)))


def test_pairs_that_are_scored(model: CocolaModel, stems: list[Path]) -> None:
    scorer = CocolaScorer(model)
    sound = torch.randn(1, 6 * RATE, generator=torch.Generator().manual_seed(0)) / 10
    blamed(lambda: scorer.score(stems[0], stems[1]))
    blamed(lambda: scorer.score_pairs([stems[0]], [stems[1]]))
    blamed(lambda: scorer.score(stems, stems[0]))
    blamed(lambda: scorer.score(sound[:, :RATE], sound[:, :RATE], sample_rate=RATE))
    blamed(lambda: scorer.score_pairs([sound], [torch.zeros_like(sound)], sample_rate=RATE))


def test_the_metric_of_torchmetrics() -> None:
    pytest.importorskip("torchmetrics")
    metric = CocolaMetric(sample_rate=RATE)
    sound = torch.randn(1, 6 * RATE, generator=torch.Generator().manual_seed(0)) / 10
    blamed(lambda: metric.update(sound, sound[:, : 5 * RATE]))
    metric.reset()
    blamed(lambda: metric.compute())


def test_where_all_frames_are_ours_the_outermost_is_blamed() -> None:
    with pytest.warns(AudioWarning, match="heard") as told:
        exec("warn('heard', kind)", {"__name__": "cocola_metric.x", "warn": warn_caller, "kind": AudioWarning})
    assert told[0].filename == __file__
