"""The command that shows how sub-FAD and the COCOLA score behave, on songs made here, and its kinds of damage."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from cocola_metric.benchmarks.fad import behaviour, commands
from cocola_metric.benchmarks.fad.damage import DAMAGES, add_noise, low_pass, through_mp3

RATE = 16_000


@pytest.fixture
def generator() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def clip() -> torch.Tensor:
    time = torch.arange(2 * RATE) / RATE
    return sum(0.1 * torch.sin(2 * torch.pi * hertz * time) for hertz in (200, 1000, 3000))


@pytest.fixture
def songs(tmp_path: Path, generator: np.random.Generator) -> Path:
    """Three songs of three stems, 5.1 s each: noise of which every stem has a rhythm."""
    for song in ("a", "b", "c"):
        (tmp_path / song).mkdir()
        for stem in ("bass", "drums", "keys"):
            beat = np.repeat(generator.random(20), 51 * 22_050 // 200)
            soundfile.write(tmp_path / song / f"{stem}.wav", 0.2 * beat * generator.normal(size=len(beat)), 22_050)
    (tmp_path / "notes.txt").write_text("no song")
    return tmp_path


def test_noise_is_as_loud_as_it_says(clip: torch.Tensor, generator: np.random.Generator) -> None:
    error = add_noise(clip, generator, decibels=20) - clip
    assert 20 * torch.log10(clip.norm() / error.norm()) == pytest.approx(20, abs=0.1)


def test_low_pass_halves_the_power_at_its_edge(clip: torch.Tensor, generator: np.random.Generator) -> None:
    power = torch.fft.rfft(low_pass(clip, generator, hertz=1000)).abs().square()
    ratios = [(power / torch.fft.rfft(clip).abs().square())[2 * hertz].item() for hertz in (200, 1000, 3000)]
    assert ratios == pytest.approx([1, 0.5, 0], abs=1e-3)


@pytest.mark.parametrize("kilobits", [64, 32, 8])
def test_mp3_keeps_time(kilobits: int, generator: np.random.Generator) -> None:
    """An encoder that hears beats hears 69 ms of delay."""
    pulses = torch.arange(32_000) % 8_000 < 800
    clip = torch.from_numpy(0.1 * generator.standard_normal(32_000)).float() * pulses
    coded = through_mp3(clip, generator, kilobits=kilobits)
    spectra = [torch.fft.rfft(side, 64_000) for side in (clip, coded)]
    assert int(torch.fft.irfft(spectra[1] * spectra[0].conj()).argmax()) == 0


def test_mp3_loses_more_at_lower_rates(generator: np.random.Generator) -> None:
    clip = 0.1 * torch.from_numpy(generator.normal(size=2 * RATE)).float()
    coded = [through_mp3(clip, generator, kilobits=rate) for rate in (64, 8)]
    power = [torch.fft.rfft(each)[len(clip) // 4 :].abs().square().mean().item() for each in coded]
    assert all(each.shape == clip.shape for each in coded)
    assert power[0] > 10 * power[1]


def test_excerpts_are_dealt_in_two_parts(songs: Path) -> None:
    queries = behaviour.draw_excerpts(songs, seconds=2.5, per_song=2, seed=0)
    assert [query.song for query in queries] == ["a", "a", "b", "b", "c", "c"]
    assert all(query.conditioning.shape == query.accompaniment.shape == (2.5 * RATE,) for query in queries)
    again = behaviour.draw_excerpts(songs, seconds=2.5, per_song=2, seed=0)
    assert all(torch.equal(a.accompaniment, b.accompaniment) for a, b in zip(queries, again, strict=True))
    strangers = behaviour.strangers(queries, np.random.default_rng(0))
    assert all(query.song != queries[index].song for query, index in zip(queries, strangers, strict=True))


def test_the_command_prints_and_draws(songs: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    few = {kind: dict(list(strengths.items())[-1:]) for kind, strengths in DAMAGES.items()}
    monkeypatch.setattr(behaviour, "DAMAGES", few)
    picture = songs / "behaviour.png"
    commands.fad_behaviour([str(songs), "--seconds", "5", "--plot", str(picture)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].startswith("| real |  | 0.00 |") and lines[3].startswith("| another song's |")
    assert [line.split("|")[2].strip() for line in lines[4:7]] == ["0 dB SNR", "500 Hz", "8 kbit/s"]
    assert "3 excerpts. `sub-FAD|embedder:cocola|" in lines[-1]
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_folder_without_songs(tmp_path: Path, capsys) -> None:
    with pytest.raises(SystemExit, match="1"):
        commands.fad_behaviour([str(tmp_path)])
    assert "needs two folders or more" in capsys.readouterr().err
