"""Echo and noise: what they are of sounds whose answer is known, and that scores, commands and tables report them."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from cocola_metric import CocolaScorer
from cocola_metric.audio import SAMPLE_RATE, read_audio, split_windows
from cocola_metric.cli.score import main
from cocola_metric.scoring import ECHO_THRESHOLD, NOISE_THRESHOLD, echo, noise, traces

HARBOUR = Path(__file__).parents[1] / "examples" / "harbour"
CLEAR = 0.1  # at least, from a threshold

Array = np.ndarray


def windows(stem: str) -> Array:
    return np.asarray(split_windows(read_audio(HARBOUR / f"{stem}.flac")))


def echo_of(first: Array, second: Array) -> Array:
    return echo(traces(first).phases, traces(second).phases)


def test_a_copy_has_an_echo_of_one_whatever_its_level() -> None:
    keys = windows("keys")
    assert echo_of(keys, keys) == pytest.approx(np.ones(len(keys)), abs=1e-5)
    assert echo_of(keys, -0.01 * keys) == pytest.approx(np.ones(len(keys)), abs=1e-5)


@pytest.mark.parametrize("seconds", [-0.29, -0.06, 0.06, 0.29])
def test_a_late_or_early_copy_is_found(seconds: float) -> None:
    keys = windows("keys")
    late = np.roll(keys, round(seconds * SAMPLE_RATE), -1)
    assert echo_of(keys, late).mean() > ECHO_THRESHOLD + CLEAR


def test_what_lies_beyond_the_longest_lag_is_no_echo() -> None:
    noisy = np.random.default_rng(0).standard_normal((2, 80_000)).astype(np.float32)
    assert (echo_of(noisy, np.roll(noisy, round(0.28 * SAMPLE_RATE), -1)) > 0.8).all()
    assert (echo_of(noisy, np.roll(noisy, round(0.35 * SAMPLE_RATE), -1)) < CLEAR).all()


def test_parts_of_a_song_are_no_echo_and_a_part_with_the_other_in_it_is() -> None:
    drums, keys = windows("drums"), windows("keys")
    assert echo_of(drums, keys).mean() < ECHO_THRESHOLD - CLEAR
    assert echo_of(drums, keys + 0.5 * drums).mean() > ECHO_THRESHOLD + CLEAR
    assert echo_of(drums, keys) == pytest.approx(echo_of(keys, drums), abs=1e-5)


@pytest.mark.parametrize("colour", [0.0, 0.5])
def test_white_and_pink_noise_are_noise(colour: float) -> None:
    white = np.random.default_rng(0).standard_normal((3, 80_000))
    spectrum = np.fft.rfft(white)
    coloured = np.fft.irfft(spectrum / np.arange(1, spectrum.shape[-1] + 1) ** colour).astype(np.float32)
    assert noise(coloured) == pytest.approx(np.ones(3), abs=0.1)
    assert (noise(coloured) > NOISE_THRESHOLD).all()


def test_music_is_no_noise() -> None:
    assert max(float(noise(windows(stem)).mean()) for stem in ("drums", "bass", "keys")) < NOISE_THRESHOLD - CLEAR


@pytest.mark.parametrize("length", [400, 13_000, 48_001, 79_999, 160_000])
def test_windows_of_any_length(length: int) -> None:
    sound = np.random.default_rng(1).standard_normal((2, length)).astype(np.float32)
    assert echo_of(sound, sound) == pytest.approx(np.ones(2), abs=1e-5)
    assert np.isfinite(noise(sound)).all()


def test_silence_is_neither() -> None:
    silence = np.zeros((1, 80_000), np.float32)
    assert np.isfinite(noise(silence)).all()
    assert np.isfinite(echo_of(silence, silence)).all()


@pytest.mark.filterwarnings("ignore::cocola_metric.AudioWarning")
def test_scores_say_what_they_are_scores_of() -> None:
    scorer = CocolaScorer.from_pretrained()
    plain = scorer.score_windows(HARBOUR / "drums.flac", HARBOUR / "keys.flac")
    copied = scorer.score_windows(HARBOUR / "drums.flac", HARBOUR / "drums.flac")
    noisy = scorer.score_windows(
        read_audio(HARBOUR / "drums.flac"),
        0.1 * np.random.default_rng(0).standard_normal(20 * SAMPLE_RATE).astype(np.float32),
        sample_rate=SAMPLE_RATE,
    )
    assert plain.suspicions == []
    assert len(plain.echo) == len(plain.noise) == len(plain.scores)
    assert copied.mean_echo == pytest.approx(1, abs=1e-4)
    assert [reason.partition(" ")[0] for reason in copied.suspicions] == ["echo"]
    assert [reason.partition(" ")[0] for reason in noisy.suspicions] == ["noise"]


def test_a_window_without_score_has_no_echo() -> None:
    half = np.asarray(read_audio(HARBOUR / "drums.flac")).copy()
    half[6 * SAMPLE_RATE :] = 0
    result = CocolaScorer.from_pretrained().score_windows(half, half, sample_rate=SAMPLE_RATE)
    silent = np.isnan(result.scores)
    assert silent.any()
    assert np.array_equal(np.isnan(result.echo), silent) and np.array_equal(np.isnan(result.noise), silent)
    assert result.mean_echo == pytest.approx(1, abs=1e-4)
    assert math.isfinite(result.mean_noise)


def test_the_cache_keeps_them(tmp_path: Path) -> None:
    pair = HARBOUR / "drums.flac", HARBOUR / "keys.flac"
    plain = CocolaScorer.from_pretrained().score_windows(*pair)
    scorer = CocolaScorer.from_pretrained(cache=tmp_path)
    scorer.similarity_matrix(pair[:1], pair[1:])  # asks for no traces, and keeps them
    assert [scorer.score_windows(*pair), scorer.score_windows(*pair)] == [plain, plain]
    assert scorer.reused == 4


def test_the_command_line_warns_and_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drums, keys = str(HARBOUR / "drums.flac"), str(HARBOUR / "keys.flac")
    assert main([drums, drums]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["echo"] == 1.0 and "seems to contain its conditioning" in told.err
    soundfile.write(tmp_path / "noise.wav", 0.1 * np.random.default_rng(0).standard_normal(18 * 16_000), 16_000)
    (tmp_path / "pairs.csv").write_text(
        f"conditioning,accompaniment\n{drums},{keys}\n{drums},{drums}\n{drums},noise.wav\n"
    )
    for _ in range(2):  # the second time from the rows of the first
        assert main(["--pairs", str(tmp_path / "pairs.csv"), "--out", str(tmp_path / "s.csv")]) == 0
        assert json.loads(capsys.readouterr().out)["suspect"] == 2


@pytest.mark.filterwarnings("ignore::cocola_metric.AudioWarning")
def test_the_table_of_false_alarms(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    command: Callable[..., None] = pytest.importorskip("cocola_metric.training.evaluation.commands").guards
    for song in ("harbour", "lantern"):
        (tmp_path / song).symlink_to(HARBOUR.parent / song)
    command([f"ours={tmp_path}", "--max-windows", "2"])
    rows = {
        line.split("|")[2].strip(): line.split("|")[3:-1]
        for line in capsys.readouterr().out.splitlines()
        if "|" in line
    }
    numbers = {name: [float(cell) for cell in cells] for name, cells in rows.items() if name not in ("answer", "---:")}
    assert numbers["real accompaniment"] == [2, 0, 0, 0, 0]
    assert numbers["conditioning"][1:3] == [100, 100]
    assert numbers["pink noise"][3:] == [100, 100]
