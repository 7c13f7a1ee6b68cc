"""Guides: waveforms in, gradients out; the scorer's own scores; silence, other rates, encoders without a gradient."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from cocola_metric import CocolaScorer, examples
from cocola_metric.audio import SAMPLE_RATE, read_audio
from cocola_metric.benchmarks.guides import SHARES, Guidance, Guide, open_guide, split_guidance
from cocola_metric.benchmarks.guides.guide import WindowedScore
from cocola_metric.benchmarks.guides.shares import noise_share
from cocola_metric.checkpoints import loading
from cocola_metric.encoder.model import CocolaModel, EncoderConfig
from cocola_metric.errors import CheckpointError, UsageError

PHALAR = EncoderConfig("cqt", "axial", 64, "complex_bilinear", 0.0, 0.0, "spectral", "complex_mlp")
FORMS = {"paper": EncoderConfig(front_end="mel"), "phalar": PHALAR}


def guide_of(config: EncoderConfig) -> Guide:
    torch.manual_seed(0)
    return Guide(WindowedScore(CocolaModel(config).eval().requires_grad_(False)))


def sides(seconds: float) -> tuple[Tensor, Tensor]:
    """Drums and bass of an example song, and its keys."""
    song = examples()
    length = round(seconds * SAMPLE_RATE)
    return tuple(  # type: ignore[return-value]
        torch.as_tensor(np.array(read_audio(side)[2 * SAMPLE_RATE :][:length]))[None]
        for side in (song.conditioning, song.accompaniment)
    )


@pytest.fixture(scope="module")
def embedded() -> Guide:
    return open_guide("embedded")


def test_a_guide_gives_the_scores_of_the_scorer(embedded: Guide) -> None:
    """Three windows, the last of which is padded."""
    given, keys = sides(9.0)
    pull = embedded.pull(given, keys, SAMPLE_RATE)
    scored = CocolaScorer.from_pretrained("embedded").score_windows(given, keys, sample_rate=SAMPLE_RATE)
    assert len(scored.scores) == 3
    assert pull.scores.item() == pytest.approx(scored.mean, abs=2e-3)


@pytest.mark.parametrize("form", ["embedded", *FORMS])
def test_gradients_are_those_of_finite_differences(form: str, embedded: Guide) -> None:
    """On both sides, along the gradient, which is steep: logarithms of quiet bins change fast."""
    guide = embedded if form == "embedded" else guide_of(FORMS[form])
    given, keys = sides(5.0)
    pull = guide.pull(given, keys, SAMPLE_RATE, both=True)
    step = 1e-4 * pull.answer / pull.answer.norm()
    up, down = (guide.pull(given, keys + sign * step, SAMPLE_RATE).scores for sign in (1, -1))
    assert (up - down).item() / 2 == pytest.approx((pull.answer * step).sum().item(), rel=0.06)
    step = 1e-4 * pull.given / pull.given.norm()
    up, down = (guide.pull(given + sign * step, keys, SAMPLE_RATE).scores for sign in (1, -1))
    assert (up - down).item() / 2 == pytest.approx((pull.given * step).sum().item(), rel=0.1)


def test_gradients_of_a_smooth_score_are_exact_in_double_precision() -> None:
    guide = Guide(WindowedScore(lambda given, answer: (given * answer).sin().sum(dim=1)))
    given, answer = torch.randn(2, 1, 500, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    pull = guide.pull(given, answer, SAMPLE_RATE, both=True)
    torch.testing.assert_close(pull.answer, (given * answer).cos() * given)
    torch.testing.assert_close(pull.given, (given * answer).cos() * answer)


def test_waveforms_of_other_rates_get_gradients_at_their_rate(embedded: Guide) -> None:
    given, keys = (side[:, : 5 * 11_025] for side in sides(6.0))
    pull = embedded.pull(given, keys, 11_025)
    assert pull.answer.shape == keys.shape and not pull.given.any()
    step = 1e-3 * pull.answer / pull.answer.norm()
    assert embedded.pull(given, keys + step, 11_025).scores > pull.scores


def test_silence_has_no_gradient(embedded: Guide) -> None:
    given, keys = sides(5.0)
    for pair in ((torch.zeros_like(given), keys), (given, torch.zeros_like(keys))):
        pull = embedded.pull(*pair, SAMPLE_RATE, both=True)
        assert not pull.scores.any() and not pull.given.any() and not pull.answer.any()
    both = embedded.pull(given.repeat(2, 1), torch.cat([keys, torch.zeros_like(keys)]), SAMPLE_RATE)
    assert both.answer[0].any() and not both.answer[1].any()
    torch.testing.assert_close(both.scores[0], embedded.pull(given, keys, SAMPLE_RATE).scores[0])


def test_gradients_that_are_not_finite_count_as_zero() -> None:
    pull = Guide(lambda given, answer: answer.sqrt().sum(dim=1)).pull(torch.ones(1, 3), torch.zeros(1, 3), SAMPLE_RATE)
    assert torch.equal(pull.answer, torch.zeros(1, 3))


def test_the_same_waveforms_get_the_same_gradient_also_in_inference_mode(embedded: Guide) -> None:
    given, keys = sides(5.0)
    first = embedded.pull(given, keys, SAMPLE_RATE)
    with torch.inference_mode():
        second = embedded.pull(given.clone(), keys.clone(), SAMPLE_RATE)
    assert torch.equal(first.answer, second.answer) and torch.equal(first.scores, second.scores)


def test_an_encoder_without_weights_in_torch_is_refused(tmp_path: Path) -> None:
    torch.manual_seed(0)
    loading.save(CocolaModel(FORMS["paper"]), tmp_path)
    assert open_guide(str(tmp_path)).identity
    (tmp_path / "encoder.onnx").write_bytes(b"a graph")
    (tmp_path / "model.safetensors").unlink()
    for place in (tmp_path, tmp_path / "encoder.onnx"):
        with pytest.raises(CheckpointError, match=r"a graph has no gradient; a guide must be a folder with model"):
            open_guide(str(place))


def test_schedules_are_shares_of_the_weight() -> None:
    noises = (1.0, 0.6, 0.5, 0.0)
    expected = {"constant": (1, 1, 1, 1), "rising": (0, 0.4, 0.5, 1), "early": (1, 1, 0, 0), "late": (0, 0, 1, 1)}
    assert {name: tuple(map(pytest.approx, shares)) for name, shares in expected.items()} == {
        name: tuple(map(share, noises)) for name, share in SHARES.items()
    }
    assert noise_share(0.3, 0.1) == pytest.approx(0.9)


def test_settings_are_taken_out_of_a_specification() -> None:
    texts = ["steps=4", "guide=embedded", "guide_weight=2.5", "guidance=3", "guide_schedule=late", "guide_limit=0.1"]
    assert split_guidance(texts, "gmsdi") == (Guidance("embedded", 2.5, "late", 0.1), ["steps=4", "guidance=3"])
    assert split_guidance(["steps=4"], "msdm") == (None, ["steps=4"])
    assert split_guidance(["guide=embedded"], "msdm") == (Guidance("embedded", 1.0, "constant", 0.3), [])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("guide_weight=1", "guide_weight needs a guide"),
        ("guide=", "guide must name an encoder"),
        ("guide=a,guide=b", "each once"),
        ("guide=a,guide_wait=1", "guide_weight=…"),
        ("guide=a,guide_weight=much", "guide_weight must be a number; got 'much'"),
        ("guide=a,guide_weight=-1", "guide_weight must be 0 or more"),
        ("guide=a,guide_weight=inf", "guide_weight must be 0 or more"),
        ("guide=a,guide_limit=0", "guide_limit above 0"),
        ("guide=a,guide_schedule=never", "guide_schedule must be one of constant, rising, early, late; got 'never'"),
    ],
)
def test_settings_that_say_nothing_are_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        split_guidance(text.split(","), "msdm")
