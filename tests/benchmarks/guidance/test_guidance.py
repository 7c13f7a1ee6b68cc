"""Guidance as measured: judges that did not guide, the best of several, and runs that go on."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from tiny_msdm import STEMS, TINY

from cocola_metric.audio import SAMPLE_RATE
from cocola_metric.benchmarks.guidance import commands
from cocola_metric.benchmarks.guidance.data import Gain, Row, Suspects, SystemTable
from cocola_metric.benchmarks.guidance.judges import CueScorer, Verdict
from cocola_metric.benchmarks.guidance.markdown import guidance_markdown
from cocola_metric.benchmarks.guidance.rows import Judged, best_of
from cocola_metric.benchmarks.queries import commands as draw
from cocola_metric.checkpoints import loading
from cocola_metric.encoder.model import CocolaModel, EncoderConfig
from cocola_metric.training.evaluation import cue_scores, fit_cue_weights, open_test_set
from cocola_metric.training.msdm.checkpoint import save_msdm
from cocola_metric.training.msdm.network import MSDM

pytestmark = pytest.mark.filterwarnings("ignore:.*shorter than the window")
RATE, SECONDS, COUNT = 16_000, 0.5, 3


def tone(frequency: float, seconds: float, on: float = 0.5) -> np.ndarray:
    """Notes twice a second."""
    time = np.arange(round(seconds * RATE)) / RATE
    return 0.2 * np.sin(2 * np.pi * frequency * time) * (time % 0.5 < on)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Songs of MSDM's four stems, manifests of AG and SS, a tiny MSDM, and two encoders of the paper's form."""
    root, rng = tmp_path_factory.mktemp("guidance"), np.random.default_rng(0)
    for song in range(3):
        (root / "songs" / f"song{song}").mkdir(parents=True)
        for place, stem in enumerate(STEMS):
            sound = tone(220 * (song + 1.5 * place + 1), 6) + rng.normal(0, 0.002, 6 * RATE)
            soundfile.write(root / "songs" / f"song{song}" / f"{stem}.wav", sound, RATE, subtype="FLOAT")
    for task in ("AG", "SS"):
        drawn = ["--count", str(COUNT), "--seconds", str(SECONDS), "--task", task, "--out", str(root / f"{task}.jsonl")]
        draw.queries([str(root / "songs"), *drawn])
    save_msdm(MSDM(replace(TINY, sample_rate=8_000, length=2 * TINY.length)).eval(), root / "msdm")
    for seed, name in enumerate(("guide", "judge")):
        torch.manual_seed(seed)
        loading.save(CocolaModel(EncoderConfig(front_end="mel")), root / name)
    return root


def options(root: Path, out: Path) -> list[str]:
    return [
        *("--queries", str(root / "AG.jsonl"), str(root / "SS.jsonl"), "--out", str(out)),
        *("--systems", f"AG/MSDM=msdm:{root / 'msdm'},steps=2", f"SS/MSDM=msdm:{root / 'msdm'},steps=2"),
        *("--guides", f"{root / 'guide'},guide_weight=50"),
        *("--judges", f"one={root / 'guide'}", f"other={root / 'judge'}"),
        *("--cues", str(root / "songs"), "--best-of", "AG/MSDM=4"),
    ]


def test_every_judge_scores_every_row_and_a_run_goes_on(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    commands.guidance(options(root, tmp_path))
    printed = capsys.readouterr().out
    assert printed == (tmp_path / "guidance.md").read_text()
    accompanied, separated = json.loads((tmp_path / "guidance.json").read_text())
    assert (accompanied["task"], separated["task"]) == ("AG", "SS")
    rows = {row["name"]: row for row in accompanied["rows"]}
    chosen = [f"best of {count} by {judge}" for judge in ("one", "other", "cues") for count in (2, 4)]
    references = ["Ground Truth", "Random", "Echo"]
    assert list(rows) == [*references, "its own answers", "guided by guide (50)", *chosen]
    assert rows["guided by guide (50)"]["by"] == "one"
    assert all(set(row["gains"]) == {"one", "other", "cues"} for row in rows.values())
    assert all(rows[name]["gains"]["one"]["difference"] is None for name in [*references, "its own answers"])
    for judge in ("one", "other", "cues"):
        own = rows["its own answers"]["gains"][judge]["mean"]
        gains = [rows[f"best of {count} by {judge}"]["gains"][judge] for count in (2, 4)]
        assert 0 <= gains[0]["difference"] <= gains[1]["difference"]
        assert all(gain["mean"] == pytest.approx(own + gain["difference"]) and gain["n"] == COUNT for gain in gains)
    assert rows["Ground Truth"]["distance"] is None and rows["Random"]["distance"] > 0
    assert accompanied["rows"][0]["separation"] is None
    parts = {row["name"]: row["separation"] for row in separated["rows"]}
    assert parts["Ground Truth"]["mean"] > 40 and parts["Echo"]["mean"] == pytest.approx(0, abs=1e-3)
    assert parts["guided by guide (50)"]["difference"] is not None
    assert all(row["distance"] is None for row in separated["rows"])
    made = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.wav")}
    scores = {file: file.read_bytes() for file in tmp_path.rglob("*.jsonl")}
    assert len(made) == COUNT * (2 * (3 + 2) + 3)
    commands.guidance(options(root, tmp_path))
    assert capsys.readouterr().out == printed
    assert made == {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.wav")}
    assert scores == {file: file.read_bytes() for file in tmp_path.rglob("*.jsonl")}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (["--best-of", "AG/MSDM=3"], "N must be a power of two"),
        (["--best-of", "AG/GMSDI=2"], "AG/GMSDI is no system of this table"),
        (["--systems", "UG/MSDM=msdm:x"], "names no task of --queries"),
        (["--systems", "msdm"], "must be TASK/NAME="),
        (["--judges", "one=nowhere/at/all"], "nowhere/at/all"),
        (["--guides", "nowhere/at/all"], "nowhere/at/all"),
        (["--embedder", "nothing"], "nothing"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    root: Path, tmp_path: Path, changed: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        commands.guidance([*options(root, tmp_path), *changed])
    assert message in capsys.readouterr().err


class TestCues:
    """The judge of hand-made cues: levels do not matter, silence has no score, coherent pairs score higher."""

    def test_coherent_pairs_score_above_others(self, root: Path) -> None:
        weights = fit_cue_weights(open_test_set(str(root / "songs")), most_windows=1)
        assert weights.shape == (9,) and np.isfinite(weights).all()
        given, same = (torch.from_numpy(tone(note, 5.0, 0.1).astype(np.float32))[None] for note in (440, 880))
        other = torch.from_numpy(np.random.default_rng(0).normal(0, 0.1, 5 * RATE).astype(np.float32))[None]
        assert cue_scores(np.ones(9), given, same) > cue_scores(np.ones(9), given, other)

    def test_levels_do_not_matter_and_silence_has_no_score(self) -> None:
        scorer = CueScorer(np.ones(9))
        given, answer = (tone(note, 5.0, 0.1).astype(np.float32)[None] for note in (440, 660))
        pairs = [(given, answer), (0.1 * given, answer), (given, 0 * answer)]
        one, softer, silent = scorer.iter_scores(pairs, sample_rate=SAMPLE_RATE)
        assert one.mean == pytest.approx(softer.mean, abs=1e-3)
        assert math.isnan(silent.mean) and len(silent.scores) == 1
        assert scorer.signature != CueScorer(np.zeros(9)).signature


def test_silence_is_never_the_best_of_several() -> None:
    class Answers:
        queries = ("a", "b")

    class Query(str):
        id = property(lambda self: str(self))

    Answers.queries = tuple(map(Query, ("a", "b")))  # type: ignore[assignment]

    def judged(*scores: float) -> Judged:
        verdicts = {name: Verdict(score, 0.1, 0.2) for name, score in zip("ab", scores, strict=True)}
        return Judged(Answers(), {"judge": verdicts})  # type: ignore[arg-type]

    candidates = [judged(math.nan, 2.0), judged(-5.0, 2.0), judged(-6.0, 1.0)]
    row = best_of("judge", candidates)
    assert row.name == "best of 3 by judge"
    assert list(row.answers.values()) == [candidates[1], candidates[0]]


def test_the_page_has_gains_and_shares() -> None:
    def row(name: str, mean: float, difference: float | None = None, by: str = "") -> Row:
        interval = None if difference is None else (difference - 1, difference + 1)
        return Row(
            name,
            by,
            {"one": Gain(mean, difference, interval, 8)},
            3.0,
            (1.0, 5.0),
            None,
            Suspects(1, 0.12),
            Suspects(2, 0.5),
            0,
        )

    rows = [row("Ground Truth", 12.0), row("Random", 2.0), row("its own answers", 7.0), row("guided", 9.5, 2.5, "one")]
    page = guidance_markdown([SystemTable("AG", "MSDM", "msdm:DIR", 8, 6, "0" * 64, rows)])
    assert "| guided | **9.50 (+2.50 [+1.50, +3.50])** | 3.00 [1.00, 5.00] | 1 (0.12) | 2 (0.50) | 0 |" in page
    assert "| guided | **+25** |" in page and "8 queries from 6 tracks" in page
