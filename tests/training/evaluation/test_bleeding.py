"""The experiment on bleed: versions of a window hold what they say, and what is measured of them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_corpus import write_corpus

from cocola_metric.checkpoints import loading
from cocola_metric.encoder.model import CocolaModel, EncoderConfig
from cocola_metric.training.encoder.starts import save_head
from cocola_metric.training.evaluation import bleeding, bleeding_report, commands
from cocola_metric.training.evaluation.bleeding import CONDITIONS, DUEL, ECHO, Measured, Window
from cocola_metric.training.signal import level_db

PLACED = EncoderConfig(front_end="pitch_onset", backbone="placed_efficientnet_b0")
PHASORS = EncoderConfig(
    front_end="pitch_onset", backbone="phasor_efficientnet_b0", similarity="phasors", embedding_dim=1312
)
MEL = EncoderConfig(front_end="mel", embedding_dim=32)
LENGTH = 80_000


@pytest.fixture(scope="module")
def versions() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    stems, strangers = noises(4, seed=0), noises(2, seed=1)
    return {
        name: (mixed, leaked)
        for name, mixed, leaked in bleeding.versions(Window(0, stems, ([0, 2], [1])), list(strangers))
    }


def noises(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, (count, LENGTH)).astype(np.float32)


def test_versions_hold_what_they_say(versions) -> None:
    stems, strangers = noises(4, seed=0), noises(2, seed=1)
    assert list(versions) == list(CONDITIONS)
    assert not versions["clean"][1].any()
    gain = 10 ** (-12 / 20)
    total = stems.sum(0)
    expected = np.stack([gain * (2 * total - stems[0] - stems[2]), gain * (total - stems[1])])
    np.testing.assert_allclose(versions["own, -12 dB"][1], expected, atol=1e-5)
    np.testing.assert_allclose(versions["own, -24 dB"][1], expected * 10 ** (-12 / 20), atol=1e-5)
    foreign = gain * np.stack([2 * strangers[0], strangers[1]])
    np.testing.assert_allclose(versions["foreign, -12 dB"][1], foreign, atol=1e-5)
    for mixed, _ in versions.values():
        np.testing.assert_allclose(level_db(mixed), [-20, -20], atol=0.01)


def test_without_two_other_tracks_nothing_foreign_leaks() -> None:
    made = bleeding.versions(Window(0, noises(2, seed=0), ([0], [1])), list(noises(1, seed=1)))
    assert [name for name, _, _ in made] == [name for name in CONDITIONS if not CONDITIONS[name].foreign]


def test_echo_alone_wins_where_stems_bleed_and_is_chance_where_they_do_not() -> None:
    """Noises have nothing in common: whatever is found in them has leaked."""
    owners, phases = np.repeat(np.arange(6), 4), {name: [] for name in CONDITIONS}
    for window in range(len(owners)):
        rng = noises(5, seed=window)
        for name, mixed, _ in bleeding.versions(Window(0, rng[:3], ([0], [1])), list(rng[3:])):
            phases[name].append(bleeding.traces(mixed).phases)
    negatives = bleeding.draw_negatives(owners, same_track=False)
    shares = {name: bleeding._echo_wins(found, negatives).mean() for name, found in phases.items()}
    assert shares["own, -12 dB"] == 1.0
    assert 0.25 < shares["clean"] < 0.75 and 0.25 < shares["foreign, -12 dB"] < 0.75


def test_in_a_duel_every_side_holds_both_windows_alike(monkeypatch) -> None:
    """Noises again: echo alone finds no right answer of the two, though both have the conditioning in them."""
    first, second = noises(3, seed=0), noises(3, seed=1)
    given, right, wrong = bleeding.duel(Window(0, first, ([0], [1, 2])), Window(1, second, ([0], [1])))
    gain = 10 ** (-12 / 20)
    both = first.sum(0) + second.sum(0)
    answer = first[1] + first[2] + gain * (2 * both - first[1] - first[2])
    np.testing.assert_allclose(right / right.std(), answer / answer.std(), atol=1e-3)
    answer = second[1] + gain * (both - second[1])
    np.testing.assert_allclose(wrong / wrong.std(), answer / answer.std(), atol=1e-3)
    np.testing.assert_allclose(level_db(np.stack([given, right, wrong])), [-20] * 3, atol=0.01)
    monkeypatch.setattr(bleeding, "embed_on_trunk", lambda models, trunk, waveforms: {})
    trunk, won = CocolaModel(MEL), []
    for seed in range(0, 60, 2):
        windows = [Window(number, noises(2, seed=seed + number), ([0], [1])) for number in (0, 1)]
        won.append(bleeding._fight(bleeding.duel(*windows), {}, trunk)[ECHO])
    assert 0.2 < np.mean(won) < 0.8


def measured(shift: int) -> Measured:
    wins = {
        (name, condition, measure): np.full(4, 0.5)
        for name in ("a", "b")
        for condition in CONDITIONS
        for measure in bleeding_report.MEASURES
    }
    wins["b", "own, -12 dB", "other_track"] = np.asarray([1.0, 1.0, 0.5, 0.5])
    return Measured(np.asarray([0, 0, 1, 1]) + shift, wins, dict.fromkeys(CONDITIONS, 6.0))


def test_the_tables_state_losses_and_gains() -> None:
    pooled = bleeding.pool([measured(0), measured(0)])
    assert pooled.owners.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    lines = bleeding_report.bleed_markdown("tones", pooled).splitlines()
    assert lines[0].startswith("| tones (4 tracks, 8 windows) | encoder | clean | own, -24 dB |")
    [lost] = [line for line in lines if line.startswith("| another track, K = 2 | b |") and ";" in line]
    assert "| 75.0; +25.0 [" in lost
    [gained] = [line for line in lines if line.startswith("| another track, K = 2 | b |") and ";" not in line]
    assert "| +25.0 [" in gained and gained.count("+0.0 [+0.0, +0.0]") == len(CONDITIONS) - 1


def test_from_the_command_line(tmp_path: Path, capsys) -> None:
    corpus = write_corpus(tmp_path / "corpus", tracks=3, seconds=11.0) / "train"
    torch.manual_seed(0)
    trunk = CocolaModel(PLACED).eval()
    loading.save(trunk, tmp_path / "trunk")
    head = CocolaModel(PHASORS)
    save_head(head, tmp_path / "head")
    file = tmp_path / "table.md"
    arguments = [f"head={tmp_path / 'head'}", f"trunk={tmp_path / 'trunk'}", "--trunk", str(tmp_path / "trunk")]
    commands.bleed([*arguments, "--test", f"tones={corpus}", "--max-windows", "1", "--out", str(file)])
    printed = capsys.readouterr().out
    assert file.read_text() == printed and "tones (3 tracks, " in printed and ECHO in printed
    assert "more than head" in printed and DUEL in printed
    with pytest.raises(SystemExit) as exit_code:
        commands.bleed(
            [
                f"a={tmp_path / 'head'}",
                f"a={tmp_path / 'head'}",
                "--trunk",
                str(tmp_path / "trunk"),
                "--test",
                str(corpus),
            ]
        )
    assert exit_code.value.code == 1 and "two encoders have one label" in capsys.readouterr().err
