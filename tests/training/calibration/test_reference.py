"""A reference is made of known music by one command, and its likelihoods are measured on other music."""

import json
from pathlib import Path

import numpy as np
import pytest
from known_references import known_reference
from tiny_corpus import write_corpus

from cocola_metric import AudioError, CheckpointError, CocolaScorer, UsageError, checkpoints
from cocola_metric.cli import score as cli
from cocola_metric.reading import LEVELS, REFERENCE_FILE, write_reference
from cocola_metric.training.calibration import BINS
from cocola_metric.training.calibration.commands import reference
from cocola_metric.training.calibration.known_pairs import DRAWS, PairsOfLength, ScoredWindows, pairs_of
from cocola_metric.training.calibration.making import fitted_likelihood, make_reference
from cocola_metric.training.calibration.measuring import balanced, calibration_error, measure_calibration

pytest.importorskip("sklearn", reason="needs the extra [train]")


def drawn_windows(tracks: int, *, seed: int, windows: int = 30, apart: float = 3.0) -> ScoredWindows:
    """Scores without sound: coherent pairs are `apart` higher on average, everything scatters by one."""
    rng = np.random.default_rng(seed)
    track = np.repeat(np.arange(tracks), windows)
    scores = rng.standard_normal((len(track), len(track)))
    scores[np.diag_indices(len(track))] += apart
    return ScoredWindows(track, np.tile(np.arange(windows), tracks), {("both", False): scores, ("both", True): scores})


def test_pairs_are_of_one_place_or_of_two_tracks() -> None:
    windows = drawn_windows(3, seed=0)
    numbered = np.arange(90 * 90, dtype=float).reshape(90, 90)
    windows = ScoredWindows(windows.track, windows.place, {("both", False): numbered})
    pairs = pairs_of(windows, "both", False, 1)
    assert pairs.coherent.tolist() == np.diag(numbered).tolist()
    conditionings, accompaniments = np.divmod(pairs.mismatched.astype(int), 90)
    assert len(conditionings) == 90 * DRAWS
    assert (windows.track[conditionings] != windows.track[accompaniments]).all()


def test_longer_pairs_are_means_over_successive_windows() -> None:
    scores = np.diag([1.0, 3.0, 5.0, 7.0, 2.0, 4.0, 6.0])
    windows = ScoredWindows(np.array([0, 0, 0, 0, 1, 1, 1]), np.array([0, 1, 3, 4, 0, 1, 2]), {("both", False): scores})
    pairs = pairs_of(windows, "both", False, 2)
    assert pairs.coherent.tolist() == [2.0, 6.0, 3.0, 5.0]  # no pair across the gap, none across tracks
    assert pairs.tracks.tolist() == [0, 0, 1, 1]
    with pytest.raises(AudioError, match="two tracks or more must have 3 successive windows"):
        pairs_of(windows, "both", False, 3)


def test_a_likelihood_means_what_it_says() -> None:
    """On music of the same kind, pairs with a likelihood of p are coherent in a share p of the cases."""
    made = make_reference("0" * 64, {"known": drawn_windows(20, seed=1)})
    measured = measure_calibration(made, drawn_windows(20, seed=2))
    assert {one.windows for one in measured} == {1, 2, 4, 8}
    assert all(one.error < 0.03 for one in measured)
    assert measured[0].brier < 0.1 < 0.25
    assert sum(measured[0].shares) == pytest.approx(1) and len(measured[0].shares) == BINS


def test_a_likelihood_that_is_wrong_is_measured_as_wrong() -> None:
    likelihood, coherent = np.full(1000, 0.9), np.arange(1000) < 500
    error, (means, frequencies, shares) = calibration_error(likelihood, coherent, np.ones(1000))
    assert error == pytest.approx(0.4)
    assert (means[9], frequencies[9], shares[9]) == (pytest.approx(0.9), 0.5, 1)


def test_mismatched_pairs_weigh_as_much_as_coherent_ones() -> None:
    pairs = PairsOfLength(np.ones(3), np.zeros(30), np.zeros(3, int), np.zeros(30, int))
    _, coherent, weights = balanced(pairs)
    assert weights[coherent].sum() == pytest.approx(weights[~coherent].sum())
    assert weights.mean() == pytest.approx(1)


def test_logistic_regression_finds_the_likelihood_of_normal_scores() -> None:
    """Two normal distributions of one spread, 2 apart: the log-odds are 2 (x - 1)."""
    rng = np.random.default_rng(0)
    scores = np.concatenate([rng.normal(2, 1, 20_000), rng.normal(0, 1, 20_000)])
    knots, likelihoods = fitted_likelihood(scores, np.arange(40_000) < 20_000, np.ones(40_000))
    assert np.interp([0.0, 1.0, 2.0], knots, likelihoods) == pytest.approx([0.119, 0.5, 0.881], abs=0.01)


def test_an_encoder_that_hears_nothing_gets_no_reference() -> None:
    with pytest.raises(UsageError, match="coherent pairs score no higher"):
        make_reference("0" * 64, {"known": drawn_windows(4, seed=0, apart=-2.0)})


def test_quantiles_are_those_of_the_scores() -> None:
    windows = drawn_windows(5, seed=3)
    part = make_reference("0" * 64, {"known": windows}).of("both")
    assert part is not None
    coherent = np.diag(windows.scores["both", False])
    assert part.band(levels=LEVELS) == pytest.approx(np.percentile(coherent, LEVELS), abs=1e-4)
    assert part.coherent_mean == pytest.approx(coherent.mean(), abs=1e-4)
    assert part.percentile(np.median(coherent)) == pytest.approx(50, abs=1)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded weights in a folder of their own, with a reference that the command made."""
    root = tmp_path_factory.mktemp("reference")
    scorer = CocolaScorer.from_pretrained(reference=None)
    scorer.save_pretrained(root / "encoder")
    corpus = write_corpus(root / "corpus", tracks=3, seconds=23.0)
    arguments = [str(root / "encoder"), f"known={corpus / 'train'}", "--test", f"other={corpus / 'validation'}"]
    reference([*arguments, "--json", str(root / "calibration.json")])
    return root / "encoder"


@pytest.mark.slow
def test_one_command_makes_the_reference_of_an_encoder(encoder: Path, data: Path, capsys) -> None:
    files = [str(data / "conditioning.flac"), str(data / "accompaniment.flac")]
    scorer = CocolaScorer.from_pretrained(encoder, mode="harmonic", symmetric=True)
    scores = scorer.score_windows(*files)
    assert scorer.reference is not None
    assert 0 <= scores.percentile <= 100 and 0 < scores.likelihood < 1
    assert scores.anchored == pytest.approx(float(scorer.reference.anchored(scores.mean)), abs=1e-4)
    assert "|ref:" in scorer.signature
    assert "|ref:" not in CocolaScorer.from_pretrained(encoder, hop=1.0).signature
    assert cli.main(["--model", str(encoder), *files]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert 0 < printed["likelihood"] < 1 and "|ref:" in printed["signature"]
    measured = json.loads((encoder.parent / "calibration.json").read_text())
    assert measured["weights"] == scorer.weights_sha256 and measured["music"] == {"known": 3}
    assert {(one["mode"], one["windows"]) for one in measured["tests"]["other"]} >= {("both", 1), ("percussive", 8)}


@pytest.mark.slow
def test_a_reference_goes_with_its_weights(encoder: Path, tmp_path: Path) -> None:
    scorer = CocolaScorer.from_pretrained(encoder)
    scorer.save_pretrained(tmp_path / "copy")
    assert CocolaScorer.from_pretrained(tmp_path / "copy").reference == scorer.reference
    assert CocolaScorer.from_pretrained(encoder, device="cpu", reference=None).reference is None


def test_a_reference_of_other_weights_is_refused_when_an_encoder_is_opened(tmp_path: Path) -> None:
    folder = tmp_path / "encoder"
    CocolaScorer.from_pretrained(reference=None).save_pretrained(folder)
    write_reference(known_reference(), folder / REFERENCE_FILE)
    with pytest.raises(CheckpointError, match="made for other weights"):
        CocolaScorer.from_pretrained(folder)
    assert CocolaScorer.from_pretrained(folder, reference=None).reference is None


def test_a_reference_elsewhere_is_named(tmp_path: Path) -> None:
    sha256 = CocolaScorer.from_pretrained(reference=None).weights_sha256
    made = write_reference(known_reference(sha256), tmp_path / "mine.json")
    scorer = CocolaScorer.from_pretrained(reference=tmp_path / "mine.json")
    assert f"|ref:{made.sha256[:8]}|v:" in scorer.signature
    assert CocolaScorer.from_pretrained(reference=str(tmp_path / "mine.json")).reference == scorer.reference


def test_the_embedded_encoder_has_a_reference_of_its_own_weights() -> None:
    scorer = CocolaScorer.from_pretrained()
    assert scorer.reference is not None
    for mode in ("both", "harmonic", "percussive"):
        part = CocolaScorer.from_pretrained(mode=mode).reference
        assert part is not None and part.coherent_mean > part.mismatched_mean


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.ckpt", "a=b"], "not found"),
        (["embedded", "nothing"], "nothing"),
        (["embedded", "a=x", "a=y"], "two sets of music have one name"),
    ],
)
def test_wrong_use_is_one_line(arguments: list[str], message: str, capsys, tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as stop:
        reference([*arguments, "--out", str(tmp_path / "reference.json")])
    assert stop.value.code == 1
    captured = capsys.readouterr().err
    assert message in captured and "Traceback" not in captured
    assert not (tmp_path / "reference.json").exists()
    assert checkpoints.find_encoder("embedded").path.is_dir()
