"""Pictures of scores: bands of known pairs, several modes on one scale, signature and legend beside the data."""

from pathlib import Path

import numpy as np
import pytest

from cocola_metric import CocolaScorer, examples
from cocola_metric.errors import UsageError
from cocola_metric.scoring import WindowScores

pytest.importorskip("matplotlib", reason="needs the extra [plot]")
from cocola_metric import plot


@pytest.fixture(scope="module")
def scorer() -> CocolaScorer:
    return CocolaScorer.from_pretrained(device="cpu")


@pytest.fixture
def drawn(monkeypatch) -> list:
    """The figures that would be saved."""
    figures: list = []
    monkeypatch.setattr(plot, "save_picture", lambda figure, file: figures.append(figure))
    return figures


def labels_of(figure) -> list[str]:
    (legend,) = figure.legends
    return [text.get_text() for text in legend.get_texts()]


def test_a_scorer_draws_its_scores_between_known_ones(scorer: CocolaScorer, tmp_path: Path, drawn: list) -> None:
    songs = examples()
    scorer.plot(tmp_path / "scores.png", songs.conditioning, songs.accompaniment)
    (figure,) = drawn
    mean = scorer.score(songs.conditioning, songs.accompaniment)
    assert labels_of(figure) == [
        "coherent pairs: 5 to 95 %",
        "mismatched pairs: 5 to 95 %",
        "windows of this pair",
        f"mean: {mean:.2f}",
    ]
    assert figure.get_supxlabel() == scorer.signature
    assert all(axis.get_legend() is None for axis in figure.axes)  # none lies over data


def test_modes_share_the_scale_of_their_references(scorer: CocolaScorer, tmp_path: Path, drawn: list) -> None:
    songs = examples()
    modes = ("both", "harmonic", "percussive")
    scorer.plot(tmp_path / "modes.svg", songs.conditioning, songs.accompaniment, modes=modes)
    (figure,) = drawn
    assert [label.split(":")[0] for label in labels_of(figure)] == ["1", "0", *modes]
    harmonic = scorer.in_mode("harmonic")
    scores = harmonic.score_windows(songs.conditioning, songs.accompaniment).scores
    line = figure.axes[0].get_lines()[1]
    assert np.allclose(line.get_ydata(), harmonic.reference.anchored(scores))
    assert [line.split("|mode:")[1].split("|")[0] for line in figure.get_supxlabel().splitlines()] == list(modes)


def test_another_mode_scores_as_if_it_had_been_loaded(scorer: CocolaScorer) -> None:
    songs = examples()
    loaded = CocolaScorer.from_pretrained(device="cpu", mode="percussive")
    other = scorer.in_mode("percussive")
    assert other.signature == loaded.signature and scorer.mode == "both"
    pair = songs.conditioning, songs.accompaniment
    assert other.score(*pair) == loaded.score(*pair) != scorer.score(*pair)
    with pytest.raises(UsageError, match="mode must be one of"):
        scorer.in_mode("loud")


def test_modes_without_a_reference_are_refused(tmp_path: Path) -> None:
    scores = WindowScores((0.0,), (1.0,), 1.0, 0)
    curves = [plot.Curve(scores, None, "COCOLA", mode) for mode in ("both", "harmonic")]
    with pytest.raises(UsageError, match="no common scale"):
        plot.plot_scores(tmp_path / "scores.png", np.zeros(8), np.zeros(8), curves, window=5.0)
    assert list(tmp_path.iterdir()) == []


def test_a_metric_draws_its_steps() -> None:
    pytest.importorskip("torchmetrics", reason="needs the extra [torchmetrics]")
    import torch

    from cocola_metric import CocolaMetric

    metric = CocolaMetric(sample_rate=16_000)
    figure, axis = metric.plot([1.0, torch.tensor(4.0), 9.0])
    (steps, *levels) = axis.get_lines()
    assert steps.get_ydata().tolist() == [1.0, 4.0, 9.0]
    assert [line.get_ydata()[0] for line in levels] == [
        metric.reference.coherent_mean,
        metric.reference.mismatched_mean,
    ]
    assert figure.get_supxlabel() == metric.signature
    metric.update(0.1 * torch.randn(1, 80_000), 0.1 * torch.randn(1, 80_000))
    _, again = metric.plot(ax=axis)
    assert again is axis and axis.get_lines()[-3].get_ydata() == [float(metric.compute())]
