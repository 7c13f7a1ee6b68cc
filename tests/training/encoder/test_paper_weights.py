"""The weights of the paper's encoders that this repository holds: the authors' network, and what it has learned."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from cocola_metric import checkpoints
from cocola_metric.audio import SAMPLE_RATE, WINDOW
from cocola_metric.training.encoder.config import load_config

ROOT = Path(__file__).parents[3]
WEIGHTS = ROOT / "training" / "weights"
LENGTH = round(WINDOW * SAMPLE_RATE)

pytestmark = pytest.mark.skipif(not WEIGHTS.exists(), reason="training/weights is in a checkout only")


@pytest.fixture(scope="module", params=["paper_cocochorales", "paper_all"])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_the_network_is_that_of_the_authors_settings(name: str) -> None:
    assert checkpoints.load(WEIGHTS / name).model.config == load_config(ROOT / f"training/configs/{name}.toml").encoder


def test_it_tells_which_halves_of_quartets_belong_together(name: str) -> None:
    """Fourteen windows of test music, both sides as loud as in their files (Eq. 8 with K = 2, over all pairs)."""
    samples, rate = soundfile.read(ROOT / "tests" / "data" / "quartets.ogg", dtype="float32")
    assert rate == SAMPLE_RATE
    windows = torch.from_numpy(np.ascontiguousarray(samples.reshape(-1, LENGTH, 2).transpose(0, 2, 1)))
    model = checkpoints.load(WEIGHTS / name).model.eval()
    with torch.inference_mode():
        conditioning, accompaniment = model.encoder(windows.flatten(0, 1)).unflatten(0, (-1, 2)).unbind(1)
        similarities = model.similarity.matrix(conditioning, accompaniment)
    wrong = ~torch.eye(len(windows), dtype=torch.bool)
    assert (similarities.diagonal()[:, None] > similarities)[wrong].float().mean() > 0.85
