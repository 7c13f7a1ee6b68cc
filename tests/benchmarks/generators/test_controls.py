"""The controls of Table 3: noise, and a system's answers given to other queries."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from tiny_benchmark import RATE, Benchmark, run, samples_in

from cocola_metric.benchmarks.generators import Setting, open_generator
from cocola_metric.benchmarks.generators.real_music import GroundTruth
from cocola_metric.errors import UsageError


@pytest.fixture
def setting(bench: Benchmark) -> Setting:
    return Setting(bench.audio, bench.sha256, queries=bench.queries)


def test_noise_is_as_loud_as_what_was_played(bench: Benchmark, setting: Setting, tmp_path: Path) -> None:
    generator = open_generator("noise", setting)
    assert run(bench, generator, tmp_path / "noise").generated == len(bench.queries)
    for query in bench.queries:
        noise, rate = soundfile.read(tmp_path / "noise" / f"{query.id}.wav")
        target = bench.audio.target(query, RATE)
        assert rate == RATE and noise.std() == pytest.approx(target.std(), rel=0.05)
        assert abs(np.corrcoef(noise, target)[0, 1]) < 0.05


def test_an_echo_is_the_conditioning(bench: Benchmark, setting: Setting, tmp_path: Path) -> None:
    run(bench, open_generator("echo", setting), tmp_path / "echo")
    for query in bench.queries:
        played, rate = soundfile.read(tmp_path / "echo" / f"{query.id}.wav")
        np.testing.assert_allclose(played, bench.audio.conditioning(query, rate), atol=1e-6)


def test_swapped_answers_are_those_to_other_tracks(bench: Benchmark, setting: Setting, tmp_path: Path) -> None:
    run(bench, GroundTruth(bench.audio), tmp_path / "own")
    swapped = open_generator(f"swapped:{tmp_path / 'own'}", setting)
    assert swapped.name == "Ground Truth, swapped"
    assert run(bench, swapped, tmp_path / "swapped").generated == len(bench.queries)
    own, other = samples_in(tmp_path / "own"), samples_in(tmp_path / "swapped")
    tracks = {query.id: query.accompaniment.track for query in bench.queries}
    for name, samples in other.items():
        sources = [source for source, played in own.items() if played == samples]
        assert sources and all(tracks[source] != tracks[name] for source in sources)


def test_what_cannot_be_swapped_is_said(bench: Benchmark, setting: Setting, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="write swapped:DIR"):
        open_generator("swapped:", setting)
    run(bench, GroundTruth(bench.audio), tmp_path / "own")
    first = bench.queries[0]
    for query in bench.queries:
        if query.accompaniment.track != first.accompaniment.track:
            (tmp_path / "own" / f"{query.id}.wav").unlink()
    with pytest.raises(UsageError, match="answers to queries of two tracks are needed"):
        open_generator(f"swapped:{tmp_path / 'own'}", setting)
