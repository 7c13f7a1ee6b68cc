"""The paper's protocol: windows, levels and subsets as section 5.1 has them, Eq. 8 averaged over batches of K."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from cocola_metric import functional
from cocola_metric.checkpoints import loading
from cocola_metric.encoder.model import CocolaModel, EncoderConfig
from cocola_metric.training.corpora.registry import index_stem_folder
from cocola_metric.training.evaluation import commands
from cocola_metric.training.evaluation.paper_protocol import (
    PaperResult,
    accuracy_of_batches,
    draw_windows,
    paper_markdown,
)
from cocola_metric.training.evaluation.retrieval import SHUFFLES

RATE = 16_000
SECONDS = 13
AMPLITUDES = {"loud": 0.5, "quiet": 0.02, "silent": 0.0}
TRACKS = 6


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("corpus")
    rng = np.random.default_rng(0)
    for number in range(TRACKS):
        for name, amplitude in AMPLITUDES.items():
            (root / f"track{number}").mkdir(exist_ok=True)
            soundfile.write(
                root / f"track{number}" / f"{name}.flac", amplitude * rng.uniform(-1, 1, SECONDS * RATE), RATE
            )
    return root


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("weights") / "untrained"
    torch.manual_seed(0)
    loading.save(CocolaModel(EncoderConfig(front_end="mel", embedding_dim=16)), folder)
    return folder


def test_windows_are_sums_of_raw_stems_drawn_anew(corpus: Path) -> None:
    """They overlap by half, a silent stem may be drawn, and levels are those of the files."""
    seen = set()
    for number, track in enumerate(index_stem_folder(corpus)):
        stems = np.stack([soundfile.read(stem.files[0], dtype="float32")[0] for stem in track.stems])
        windows = list(draw_windows(track, number))
        assert len(windows) == 4  # at 0, 2.5, 5 and 7.5 s
        for place, window in enumerate(windows):
            excerpt = stems[:, round(2.5 * place * RATE) :][:, : 5 * RATE]
            sides = []
            for side in window["paper"]:
                [subset] = [
                    chosen
                    for chosen in np.ndindex(2, 2, 2)
                    if any(chosen) and np.allclose(excerpt[np.array(chosen, bool)].sum(0), side, atol=1e-6)
                ][:1]
                sides.append(subset)
            seen.add(tuple(sides))
    assert len(seen) > 3
    levels = [
        np.sqrt(np.square(side).mean())
        for track in index_stem_folder(corpus)
        for w in draw_windows(track, 0)
        for side in w["paper"]
    ]
    assert min(levels) < 0.02 < 0.2 < max(levels)


def random_sides(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    left = torch.nn.functional.normalize(torch.randn(count, 16, generator=generator), dim=1)
    return left, left + 0.5 * torch.randn(count, 16, generator=generator)


@pytest.mark.parametrize("size", [2, 8])
def test_equation_8_is_averaged_over_batches(size: int) -> None:
    left, right = random_sides(21)
    rng = np.random.default_rng([3, size])
    orders = [rng.permutation(21)[: 21 // size * size].reshape(-1, size) for _ in range(SHUFFLES)]
    batches = [functional.accuracy(left[rows] @ right[rows].T).item() for order in orders for rows in order]
    found = accuracy_of_batches(left, right, np.arange(21) // 3, size, seed=3)
    assert found.percent == pytest.approx(100 * np.mean(batches))
    assert found.low < found.percent < found.high and (found.tracks, found.windows) == (7, 21)


def test_ties_are_wrong_and_chance_is_one_in_k() -> None:
    constant = torch.ones(40, 4)
    tracks = np.arange(40)
    assert accuracy_of_batches(constant, constant, tracks, 2).percent == 0
    left, _ = random_sides(2000)
    _, right = random_sides(4000)
    assert accuracy_of_batches(left, right[2000:], np.arange(2000), 4).percent == pytest.approx(25, abs=3)
    assert accuracy_of_batches(left[:7], right[:7], tracks[:7], 8) is None


def test_published_values_stand_beside_their_own_k() -> None:
    found = accuracy_of_batches(*random_sides(40), np.arange(40), 2)
    two, both = (paper_markdown([PaperResult("songs", "mine", dict.fromkeys(ks, found))]) for ks in ((2,), (2, 16)))
    assert "| trained on | MUSDB18-HQ |" in two and "PHALAR" not in two
    assert "| COCOLA All | 90.43 |" in both and "| PHALAR | 86.8 |" in both
    assert f"| mine, K = 2 | {found} |" in two and "| songs (40 tracks, 40 windows) |" in two


def test_both_protocols_from_the_command_line(corpus: Path, weights: Path, capsys) -> None:
    commands.evaluate([f"songs={corpus}", "--model", str(weights), "--protocol", "paper", "--k", "2,4,64"])
    report = json.loads(capsys.readouterr().out)
    assert set(report["protocols"]) == {"strict", "paper"}
    paper = report["songs"]["paper"]
    assert list(paper) == ["2", "4", "64"] and paper["64"] is None
    assert (paper["2"]["tracks"], paper["2"]["windows"]) == (TRACKS, 4 * TRACKS)
    assert report["songs"]["other_track"] is None or report["songs"]["other_track"]["windows"] <= 2 * TRACKS


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--k", "1", "corpus"], "K must be 2 or more; got 1"),
        (["--validity", "embedded", "--test", "corpus", "--protocol", "paper"], "not with --validity"),
    ],
)
def test_wrong_usage_is_told(options: list[str], message: str, capsys) -> None:
    with pytest.raises(SystemExit, match="2"):
        commands.evaluate(options)
    assert message in capsys.readouterr().err
