"""Evaluation in small: test pairs, Eq. 8, baselines, Table 2, validity and Figure 4 on music made in the test."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch import nn

from cocola_metric.audio.inputs import read_audio
from cocola_metric.checkpoints import loading, read_accuracies
from cocola_metric.encoder.model import CocolaModel, EncoderConfig
from cocola_metric.errors import AudioError, UsageError
from cocola_metric.training.corpora.registry import index_stem_folder
from cocola_metric.training.evaluation import commands, evaluate, held_out, table2, validity, validity_report
from cocola_metric.training.evaluation.baselines import cross_validated_wins, fit_preference
from cocola_metric.training.evaluation.classification import (
    Accuracy,
    accuracy_with_interval,
    compare,
    draw_negatives,
    share_of_wins,
    wins_of_two,
)
from cocola_metric.training.evaluation.encoders import Encoders, sides_of
from cocola_metric.training.paper.tables import PUBLISHED_TABLE_2
from cocola_metric.training.signal.cues import beat_period, coherence, measure_cues, onset_envelope, pitchedness

EXAMPLES = Path(__file__).parents[3] / "examples"
RATE = 16_000
SECONDS = 13
TRACKS = 5
TONES = {"low": 1, "mid": 3, "high": 5}  # multiples of a track's pitch
MEL = EncoderConfig(front_end="mel", embedding_dim=500)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    """Tracks of three stems that play one rhythm in one key; each track has a rhythm, tempo and key of its own."""
    root = tmp_path_factory.mktemp("corpus")
    rng = np.random.default_rng(0)
    time = np.arange(SECONDS * RATE) / RATE
    for number in range(TRACKS):
        folder = root / f"track{number}"
        folder.mkdir()
        step, pitch = rng.uniform(0.1, 0.2), 110 * 2 ** (number * 2 / 12)
        plays = rng.random(200) < 0.4
        place = time / step
        envelope = plays[place.astype(int)] * np.exp(-4 * (place % 1))
        for name, multiple in TONES.items():
            soundfile.write(folder / f"{name}.flac", 0.3 * np.sin(2 * np.pi * pitch * multiple * time) * envelope, RATE)
    return root


class Deaf(nn.Module):
    """Embeds whatever it is given at random."""

    def forward(self, features: torch.Tensor, mode: str) -> torch.Tensor:
        return torch.randn(len(features), MEL.embedding_dim)


class HearsOnsets(nn.Module):
    """Embeds when something begins, and nothing else."""

    def forward(self, features: torch.Tensor, mode: str) -> torch.Tensor:
        return onset_envelope(features[:, 0])


def encoder_that(kind: nn.Module) -> Encoders:
    """Make an encoder with another way to embed features, and the plain inner product."""
    model = CocolaModel(MEL)
    model.encoder.embed_features = kind.forward
    return Encoders({"toy": model})


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    """Untrained weights, as a folder to load."""
    folder = tmp_path_factory.mktemp("weights") / "untrained"
    torch.manual_seed(0)
    loading.save(CocolaModel(EncoderConfig(front_end="mel", embedding_dim=16)), folder)
    return folder


def test_windows_lie_within_the_track_and_are_thinned_evenly() -> None:
    assert held_out.window_starts(13.0) == [0.0, 5.0]
    assert held_out.window_starts(13.0, margin=1.0) == [1.0, 6.0]
    assert held_out.window_starts(4.9) == held_out.window_starts(6.9, margin=1.0) == []
    assert held_out.window_starts(55.0, most=3) == [0.0, 25.0, 50.0]


@pytest.mark.parametrize("partition", ["track", "window"])
def test_sides_share_no_stem_and_have_one_level(corpus: Path, partition: str) -> None:
    for number, track in enumerate(index_stem_folder(corpus)):
        pitch = 110 * 2 ** (number * 2 / 12)
        bins = [round(5 * pitch * multiple) for multiple in TONES.values()]  # a window of 5 s: 0.2 Hz each
        drawn = []
        for window in held_out.read_submixes(track, number, partitions=(partition,)):
            levels = 10 * np.log10(np.square(window[partition]).mean(1))
            assert levels == pytest.approx([-20, -20], abs=0.01)
            spectrum = np.abs(np.fft.rfft(window[partition]))
            heard = np.stack([spectrum[:, b - 3 : b + 4].max(1) for b in bins], 1)
            drawn.append(heard > 0.2 * heard.max())
            assert not drawn[-1].all(0).any() and drawn[-1].any(1).all()
        assert len(drawn) == 2
        assert partition == "window" or np.array_equal(drawn[0], drawn[1])


def test_the_same_sub_mixes_are_drawn_again(corpus: Path) -> None:
    track = index_stem_folder(corpus)[0]
    both, alone = (
        list(held_out.read_submixes(track, 3, seed=1, partitions=names)) for names in (("track", "window"), ("window",))
    )
    assert all(np.array_equal(first["window"], second["window"]) for first, second in zip(both, alone, strict=True))
    others = list(held_out.read_submixes(track, 3, seed=2, partitions=("window",)))
    assert not all(np.array_equal(a["window"], b["window"]) for a, b in zip(both, others, strict=True))


def test_a_test_set_is_a_test_folder_or_all_of_a_folder(corpus: Path, tmp_path: Path) -> None:
    assert len(held_out.open_test_set(str(corpus))) == TRACKS
    (tmp_path / "test").symlink_to(corpus)
    (tmp_path / "train").mkdir()
    assert len(held_out.open_test_set(str(tmp_path))) == TRACKS
    assert len(held_out.open_test_set(f"rendered:{tmp_path}")) == TRACKS


def test_negatives_are_other_windows_of_other_tracks_or_the_same() -> None:
    track = np.repeat([0, 1, 2], [4, 4, 1])
    other, same = (draw_negatives(track, same_track=same) for same in (False, True))
    assert other.shape == same.shape == (9, 10)
    assert (track[other] != track[:, None]).all()
    assert (same[8] == -1).all()  # the only window of its track
    assert (track[same[:8]] == track[:8, None]).all() and (same[:8] != np.arange(8)[:, None]).all()


def test_accuracy_of_a_perfect_and_of_a_blind_encoder() -> None:
    tracks = np.repeat(np.arange(20), 5)
    codes = torch.eye(100)
    model = CocolaModel(EncoderConfig(embedding_dim=100))
    perfect = evaluate.EmbeddedSubmixes(tracks, torch.stack([codes, codes], 1))

    def accuracy(submixes: evaluate.EmbeddedSubmixes, same_track: bool = False) -> Accuracy:
        sides = sides_of(model, *submixes.sides.unbind(1))
        wins = wins_of_two(*sides, submixes.track, same_track=same_track)
        return accuracy_with_interval(wins, submixes.track)

    result = accuracy(perfect)
    assert (result.percent, result.low, result.high, result.tracks, result.windows) == (100, 100, 100, 20, 100)
    blind = evaluate.EmbeddedSubmixes(tracks, torch.randn(100, 2, 100, generator=torch.Generator().manual_seed(0)))
    for same_track in (False, True):
        result = accuracy(blind, same_track)
        assert result.low < 50 < result.high
        assert result.low < result.percent < result.high


def test_windows_of_one_track_cannot_be_mismatched() -> None:
    alone = evaluate.EmbeddedSubmixes(np.zeros(3, np.int64), torch.ones(3, 2, 500))
    with pytest.raises(AudioError, match="windows of two tracks or more are needed"):
        evaluate.score_distributions(CocolaModel(MEL), alone)


def test_a_tie_is_half_a_win() -> None:
    constant = torch.ones(6, 8)
    negatives = draw_negatives(np.repeat([0, 1], 3), same_track=False)
    assert share_of_wins(constant, constant, negatives) == pytest.approx(np.full(6, 0.5))
    assert compare(np.array([1, 2, 3]), np.array([2, 2, 2])).tolist() == [0, 0.5, 1]


def test_tracks_without_a_negative_do_not_count() -> None:
    wins = np.array([1.0, 0.0, np.nan])
    result = accuracy_with_interval(wins, np.array([0, 1, 2]))
    assert (result.percent, result.tracks, result.windows, result.low, result.high) == (50, 2, 2, 0, 100)
    assert accuracy_with_interval(np.full(3, np.nan), np.arange(3)) is None
    assert str(result) == "50.0 [0.0, 100.0]"


def test_the_regression_finds_what_tells_and_nothing_where_nothing_does() -> None:
    rng = np.random.default_rng(0)
    track = np.repeat(np.arange(10), 20)
    noise = rng.normal(size=(200, 4, 3)).astype(np.float32)
    telling = noise + np.array([0, -3.0, 0], np.float32)
    weights = fit_preference(telling.reshape(-1, 3).astype(np.float64))
    assert weights[1] < -5 * abs(weights[[0, 2]]).max()
    assert cross_validated_wins(telling, track).mean() > 0.95
    assert cross_validated_wins(noise, track).mean() == pytest.approx(0.5, abs=0.05)
    assert np.isnan(cross_validated_wins(noise, np.zeros(200, np.int64))).all()


def test_cues_hear_what_belongs_together(corpus: Path) -> None:
    windows = [next(held_out.read_submixes(track, 0))["track"] for track in index_stem_folder(corpus)]
    waveforms = torch.from_numpy(np.stack(windows))
    first, second = (measure_cues(waveforms[:, side]) for side in (0, 1))
    right = coherence(first, second)
    wrong = coherence(first, second.rows(np.roll(np.arange(TRACKS), 1)))
    assert right.shape == (TRACKS, 9) and right.isfinite().all()
    assert (right[:, 0] > wrong[:, 0] + 0.2).all()  # onsets that fall together
    assert (right[:, 5] > wrong[:, 5]).all()  # pitch classes


@pytest.mark.parametrize("bpm", [70, 100, 120, 160])
def test_the_beat_of_clicks_is_found(bpm: int) -> None:
    time = torch.arange(7 * RATE) / RATE
    clicks = torch.sin(2 * torch.pi * 700 * time) * torch.exp(-60 * (time % (60 / bpm)))
    assert 60 / beat_period(clicks) == pytest.approx(bpm, rel=0.03)


@pytest.mark.parametrize("samples", [1, 160, 1_600, 4_800, 6_700, 6_900, 7_100, 8_000])
def test_music_too_short_for_a_beat_has_the_fastest(samples: int) -> None:
    noise = torch.randn(samples, generator=torch.Generator().manual_seed(0))
    assert 0.33 < beat_period(noise) < 0.5


def test_cues_say_how_long_music_has_to_be() -> None:
    with pytest.raises(UsageError, match=r"cues need 0\.14 s of music; got 0\.10 s; pass longer windows"):
        measure_cues(torch.randn(2, 1_600))
    assert measure_cues(torch.randn(2, 2_304)).loudness.isfinite().all()


def test_published_numbers() -> None:
    assert PUBLISHED_TABLE_2["All"]["MUSDB18-HQ"] == 90.43
    assert PUBLISHED_TABLE_2["CocoChorales"]["CocoChorales"] == 99.78
    assert {tuple(row) for row in PUBLISHED_TABLE_2.values()} == {
        ("MUSDB18-HQ", "MoisesDB", "Slakh2100", "CocoChorales")
    }


def test_encoders_share_what_a_front_end_computes(monkeypatch) -> None:
    models = {name: CocolaModel(MEL) for name in ("first", "second")}
    encoders = Encoders(models)
    calls = []
    for model in models.values():
        model.encoder.front_end.register_forward_hook(lambda *_: calls.append(1))
    embedded = encoders.embed(torch.randn(3, RATE))
    assert len(calls) == 1
    assert set(embedded) == {("first", "both"), ("second", "both")}
    assert embedded["second", "both"].shape == (3, MEL.embedding_dim)


def test_table_2_tells_a_listener_from_a_deaf_encoder(corpus: Path) -> None:
    tracks = {"songs": index_stem_folder(corpus)}
    scores = {}
    for kind in (HearsOnsets(), Deaf()):
        results = table2.measure_table(encoder_that(kind), tracks, hop=1.0)
        assert len(results) == 2 * 2 * (1 + 3)
        scores[type(kind)] = {(r.partition, r.negatives, r.listener): r.accuracy for r in results}
    for partition in ("track", "window"):
        heard = scores[HearsOnsets][partition, "other_track", "toy"]
        assert heard.percent > 95 and heard.tracks == TRACKS
        assert scores[Deaf][partition, "other_track", "toy"].percent == pytest.approx(50, abs=15)
        assert scores[Deaf][partition, "other_track", "coherence by hand"].percent > 90
    baselines = [key for key in scores[Deaf] if key[2] != "toy"]
    assert all(scores[Deaf][key] == scores[HearsOnsets][key] for key in baselines)  # the same sub-mixes and negatives


def test_table_2_from_the_command_line(corpus: Path, weights: Path, tmp_path: Path, capsys) -> None:
    file = tmp_path / "table2.json"
    models = ["--table2", f"first={weights}", f"second={weights}"]
    tests = ["--test", f"songs={corpus}", f"again={corpus}", "--max-tracks", "3", "--max-windows", "1"]
    commands.evaluate([*models, *tests, "--json", str(file)])
    printed = capsys.readouterr().out
    titles = [line for line in printed.splitlines() if line.startswith("## ")]
    assert [title.startswith("## Strict protocol: ") for title in titles] == [True] * 6 + [False]
    assert titles[-1] == "## The paper's protocol"
    for published in (
        "| COCOLA All | 90.43 | 93.06 |",
        "| PHALAR | 86.8 | 81.5 |",
    ):  # beside the paper's protocol alone
        assert printed.index(titles[-1]) < printed.index(published)
    [header, *_] = (line for line in printed.splitlines() if line.startswith("| accuracy"))
    assert header == "| accuracy (%), K = 2 | songs (3 tracks, 3 windows) | again (3 tracks, 3 windows) |"
    rows = [line.split(" | ")[0] for line in printed.splitlines() if line.startswith("| ")]
    assert "| PHALAR | 86.8 | 81.5 | 70.9 | 87.7 | 83.3 | 72.4 | 98.6 |" in printed
    assert rows[1:6] == ["| first", "| second", "| *loudness*", "| *spectral shape*", "| *coherence by hand*"]
    assert "| COCOLA All | 90.43 | 93.06 | 90.06 | 99.89 |" in printed
    written = json.loads(file.read_text())
    assert len(written["results"]) == 2 * 2 * 2 * 5
    assert len(written["weights"]["first"]) == 64
    first, second = (
        [r["accuracy"] for r in written["results"] if r["listener"] == name] for name in ("first", "second")
    )
    assert first == second


def test_validity_of_one_that_hears_onsets_and_of_one_that_hears_nothing(corpus: Path) -> None:
    tracks = {"songs": index_stem_folder(corpus)}
    torch.manual_seed(0)
    heard = validity.measure_validity(encoder_that(HearsOnsets()), tracks, hop=3.0)
    onsets, *baselines = heard
    assert onsets.mode == "both" and [result.mode for result in baselines] == [None] * 3
    assert onsets.wins["shift"].percent > 90
    assert onsets.wins["stretch"].percent > 90
    assert onsets.wins["shift"].tracks == TRACKS
    assert onsets.track_wins["shift"] == onsets.track_wins["stretch"] == 100 and not baselines[0].track_wins
    assert onsets.by_cue["shift"] == {"onsets together": onsets.wins["shift"], "onsets in turn": None}
    assert onsets.gain.change < 1e-3
    [deaf] = (r for r in validity.measure_validity(encoder_that(Deaf()), tracks, hop=3.0) if r.mode)
    assert deaf.gain.change > 0 and not deaf.gain.passed
    wins = [deaf.wins[kind].percent for kind in ("shift", "transpose", "stretch")]
    assert np.mean(wins) == pytest.approx(50, abs=15)
    table = validity_report.validity_markdown([*heard, deaf])
    rows = [line for line in table.splitlines() if line.startswith("| ")]
    assert rows[1].startswith("| toy | songs | both |")
    assert "; 100 |" in rows[1] and ";" not in rows[2]
    assert rows[2].startswith("| *loudness* | songs | - |") and rows[5].endswith("failed |")
    assert rows[6].endswith("| onsets together | onsets in turn | both sides pitched | one is not |")
    assert f"] of {onsets.wins['shift'].windows} | - |" in rows[7] and len(rows) == 9


def test_wins_are_told_apart_by_what_cues_say() -> None:
    scores = np.zeros((2, len(validity.CONDITIONING), len(validity.ACCOMPANIMENT)), np.float32)
    scores[:, 0, validity.ACCOMPANIMENT.index("plain")] = 1
    scores[:, 0, validity.ACCOMPANIMENT.index("early")] = 2  # both windows win against "late" only
    cued = {"shift": np.array([[True, False], [False, False]]), "transpose": np.zeros((2, 2), bool)}
    judged = validity._judge("toy", "songs", "both", scores, cued, np.arange(2), seed=0)
    assert judged.wins["shift"].percent == 50
    together, in_turn = judged.by_cue["shift"].values()
    assert (together.percent, together.windows, in_turn.percent, in_turn.windows) == (100, 1, 25, 2)
    pitched, unpitched = judged.by_cue["transpose"].values()
    assert pitched is None and unpitched.percent == 50 and unpitched.windows == 2


def test_noise_and_a_chord_are_told_apart_by_pitch() -> None:
    time = torch.arange(2 * RATE) / RATE
    chord = sum(torch.sin(2 * torch.pi * hertz * time) for hertz in (220, 277, 330))
    heard = measure_cues(torch.stack([torch.randn(2 * RATE, generator=torch.Generator().manual_seed(0)), chord]))
    noise, pitched = pitchedness(heard).tolist()
    assert noise < validity.PITCHED / 2 and pitched > 2 * validity.PITCHED


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*/drums.flac")), ids=lambda file: file.parent.name)
def test_drum_kits_lie_between_noise_and_a_chord(file: Path) -> None:
    assert 0.2 < pitchedness(measure_cues(torch.from_numpy(read_audio(file))[None])).item() < 0.5


def test_validity_hears_every_mode_that_an_encoder_knows() -> None:
    encoders = Encoders({"hps": CocolaModel(EncoderConfig()), "mel": CocolaModel(MEL)})
    embedded = encoders.embed(0.1 * torch.randn(1, RATE), ("both", "harmonic", "percussive"))
    assert set(embedded) == {("hps", "both"), ("hps", "harmonic"), ("hps", "percussive"), ("mel", "both")}


def test_wrong_versions_are_processed_as_much_as_right_ones() -> None:
    """A tone of both sides ends up a semitone apart in a wrong pair, and together in a right one."""
    time = torch.arange(round(6 * RATE)) / RATE
    music = torch.sin(2 * torch.pi * 1000 * time).repeat(2, 1)
    made = validity._make_versions(music, torch.zeros(2, validity.LENGTH) + music[:, : validity.LENGTH])
    assert made.shape == (len(validity.CONDITIONING) + len(validity.ACCOMPANIMENT), 5 * RATE)
    pitch = torch.fft.rfft(made).abs().argmax(1) / 5
    sides = {
        **{("conditioning", name): row for row, name in enumerate(validity.CONDITIONING)},
        **{
            ("accompaniment", name): len(validity.CONDITIONING) + row for row, name in enumerate(validity.ACCOMPANIMENT)
        },
    }
    for side in ("conditioning", "accompaniment"):
        ratio = float(pitch[sides[side, "high"]] / pitch[sides[side, "low"]])
        assert 12 * np.log2(ratio) == pytest.approx(1, abs=0.06)
        assert pitch[sides[side, "fast"]] == pytest.approx(1000, abs=2)
    levels = 10 * torch.log10(made.square().mean(1))
    assert float(levels[0] - levels[1]) == pytest.approx(12, abs=0.01)


def test_validity_from_the_command_line(corpus: Path, weights: Path, tmp_path: Path, capsys) -> None:
    file = tmp_path / "validity.json"
    limits = ["--max-tracks", "2", "--max-windows", "1"]
    commands.evaluate(["--validity", str(weights), "--test", f"songs={corpus}", *limits, "--json", str(file)])
    assert capsys.readouterr().out.startswith("| encoder | test set | mode | shift by ½ beat |")
    first, *baselines = json.loads(file.read_text())["results"]
    assert first["wins"]["transpose"]["windows"] == 2 and isinstance(first["gain"]["passed"], bool)
    assert [result["encoder"] for result in baselines] == ["loudness", "spectral shape", "coherence by hand"]


def test_evaluation_from_the_command_line(corpus: Path, weights: Path, tmp_path: Path, capsys) -> None:
    picture = tmp_path / "scores.png"
    commands.evaluate(
        [str(corpus), "--model", str(weights), "--max-tracks", "2", "--plot", str(picture), "--protocol", "paper"]
    )
    report = json.loads(capsys.readouterr().out)
    result = report[str(corpus)]
    assert list(result["among"]) == ["2", "8", "16", "64"] and result["among"]["8"] is None  # of four windows
    assert result["other_track"]["windows"] == 4  # windows of 5 s every 5 s, in two tracks of 13 s
    assert result["same_track"]["tracks"] == 2
    for kind in ("other_track", "same_track"):  # two windows of each track
        assert np.mean(list(result["by_track"][kind].values())) == pytest.approx(result[kind]["percent"], abs=0.01)
    assert list(result["by_track"]["other_track"]) == [track.name for track in index_stem_folder(corpus)[:2]]
    assert result["coherent_scores"]["p5"] <= result["coherent_scores"]["median"]
    published = {(row["encoder"], row["test"], row["K"]): row["percent"] for row in report["published_on_other_data"]}
    assert published["PHALAR", "MoisesDB", 64] == 70.9 and published["COCOLA, retrained", "CocoChorales", 64] == 89.3
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_windows_further_apart_from_the_command_line(corpus: Path, weights: Path, capsys) -> None:
    commands.evaluate([str(corpus), "--model", str(weights), "--max-tracks", "2", "--hop", "8.1"])
    report = json.loads(capsys.readouterr().out)
    assert report["hop"] == 8.1 and report[str(corpus)]["other_track"]["windows"] == 2
    assert report[str(corpus)]["same_track"] is None and report[str(corpus)]["by_track"]["same_track"] == {}


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["songs", "--hop", "4"], "must be 5 s or more, so that windows do not overlap; got 4"),
        (["songs", "--hop", "nan"], "must be 5 s or more"),
        (["songs", "--hop", "6", "--card"], "leave --hop out"),
        (["--hop", "6", "--table2", "embedded", "--test", "songs"], "leave --hop out"),
        (["songs", "--json", "scores.json"], "the JSON of one encoder is printed"),
    ],
)
def test_options_that_would_be_ignored_are_refused(arguments: list[str], problem: str, capsys) -> None:
    with pytest.raises(SystemExit):
        commands.evaluate(arguments)
    assert problem in capsys.readouterr().err


def test_both_directions_from_the_command_line(corpus: Path, tmp_path: Path, capsys) -> None:
    torch.manual_seed(0)
    model = CocolaModel(MEL)
    torch.nn.init.normal_(model.similarity.weight)  # an untrained one starts symmetric
    loading.save(model, tmp_path / "model")
    reports = []
    for option in ([], ["--symmetric"]):
        commands.evaluate([str(corpus), "--model", str(tmp_path / "model"), "--max-tracks", "2", *option])
        reports.append(json.loads(capsys.readouterr().out))
    one_way, both = reports
    assert (one_way["symmetric"], both["symmetric"]) == (False, True)
    assert one_way[str(corpus)]["coherent_scores"] != both[str(corpus)]["coherent_scores"]
    assert both["published_on_other_data"][0] == {"encoder": "PHALAR", "test": "MoisesDB", "K": 8, "percent": 86.8}


def test_sides_of_both_directions_give_the_mean_score() -> None:
    torch.manual_seed(0)
    model = CocolaModel(MEL)
    torch.nn.init.normal_(model.similarity.weight)
    first, second = torch.randn(2, 4, 500)
    there, back = model.similarity.matrix(first, second), model.similarity.matrix(second, first).T
    left, right = sides_of(model, first, second, symmetric=True)
    assert torch.allclose(left @ right.T, (there + back) / 2, atol=1e-2, rtol=1e-4)
    assert not torch.allclose(there, back, atol=1)


def test_a_card_states_the_accuracies_of_every_set(corpus: Path, weights: Path, tmp_path: Path, capsys) -> None:
    folder, limits = tmp_path / "run", ["--max-tracks", "2", "--max-windows", "2"]
    shutil.copytree(weights, folder)
    command = [f"songs={corpus}", f"again={corpus}", "--model", str(folder), "--card", *limits]
    with pytest.raises(SystemExit, match="1"):
        commands.evaluate(command)
    assert f"--card needs a folder with a README.md as --model; got {folder}" in capsys.readouterr().err
    (folder / "README.md").write_text("# Mine\n")
    commands.evaluate(command)
    report = json.loads(capsys.readouterr().out)
    stated = {(one.dataset, one.others, one.among): one for one in read_accuracies(folder)}
    assert set(stated) == {
        (name, *kind) for name in ("songs", "again") for kind in (("other_track", 2), ("same_track", 2), ("all", 2))
    }
    found = report["songs"]["other_track"]
    assert stated["songs", "other_track", 2].percent == pytest.approx(found["percent"], abs=0.01)
    assert stated["songs", "other_track", 2].tracks == 2 and "# Mine" in (folder / "README.md").read_text()
    with pytest.raises(SystemExit, match="2"):
        commands.evaluate(["--table2", str(folder), "--test", f"songs={corpus}", "--card"])


def test_wrong_usage_is_told(corpus: Path, weights: Path, tmp_path: Path, capsys) -> None:
    for arguments in ([], ["--table2", "embedded"], [str(corpus), "--test", str(corpus)]):
        with pytest.raises(SystemExit, match="2"):
            commands.evaluate(arguments)
    with pytest.raises(SystemExit, match="1"):
        commands.evaluate([str(tmp_path / "nowhere"), "--model", str(weights)])
    assert "no such folder" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="1"):
        commands.evaluate([str(corpus), "--model", str(weights), "--mode", "harmonic"])
    assert "mode must be one of both for this model" in capsys.readouterr().err
    with pytest.raises(UsageError, match="two encoders are called"):
        Encoders.load([str(weights), str(weights)])


LOG = """\
step,loss,accuracy,pairs_per_second,validation_loss,validation_accuracy,other_track,same_track,shift,transpose,stretch
50,3.4,0.05,100,,,,,,,
100,3.1,0.15,100,3.2,0.12,0.6,0.55,0.5,0.5,0.5
"""


def test_figure_4_from_two_logs(tmp_path: Path, capsys) -> None:
    for name, text in (("cosine", LOG), ("bilinear", LOG.replace("0.12", "0.20"))):
        (tmp_path / name).mkdir()
        (tmp_path / name / "log.csv").write_text(text)
    picture = tmp_path / "figure4.png"
    commands.figure4([str(tmp_path / "cosine"), str(tmp_path / "bilinear" / "log.csv"), "--plot", str(picture)])
    assert capsys.readouterr().out.splitlines() == [
        "similarity,step,validation_loss,validation_accuracy,other_track,same_track",
        "cosine,100,3.2,0.12,0.6,0.55",
        "bilinear,100,3.2,0.20,0.6,0.55",
    ]
    assert picture.read_bytes().startswith(b"\x89PNG")
    with pytest.raises(SystemExit, match="1"):
        commands.figure4([str(tmp_path), str(tmp_path)])
    assert "no such log" in capsys.readouterr().err
