"""--engine ray, with a stand-in for Ray: the bytes of one process, rows as they come, errors, what may not be asked."""

import json
from pathlib import Path

import pytest
from fake_ray import FakeRay
from pair_lists import DAMAGED, SHORT, SILENT, write_pairs

from cocola_metric.cli import fad, pair_work, score


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pairs(tmp_path_factory.mktemp("pairs"))


@pytest.fixture(scope="module")
def here(manifest: Path) -> dict[str, bytes]:
    """The score files of one process, by their options."""
    found = {}
    for name, options in OPTIONS.items():
        out = manifest.parent / f"here{name}"
        assert score.main(["--pairs", str(manifest), "--out", str(out), *options]) == 1
        found[name] = out.read_bytes()
    return found


OPTIONS = {".csv": ["--anchor", "--group", "track"], ".jsonl": ["--windows"]}
SPREAD = ["--engine", "ray", "--workers", "3"]


@pytest.mark.parametrize("name", OPTIONS)
def test_the_bytes_are_those_of_one_process(
    ray: FakeRay, manifest: Path, here: dict[str, bytes], name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ray.is_lethal = lambda call, items: call in (2, 3, 7)
    out = tmp_path / f"there{name}"
    assert score.main(["--pairs", str(manifest), "--out", str(out), *OPTIONS[name], *SPREAD]) == 1
    assert out.read_bytes() == here[name] and ray.died == 3 and not ray.running
    printed, said = capsys.readouterr()
    answer = json.loads(printed)
    assert (answer["failed"], answer["silent"], answer["scored"]) == (1, 1, 22)
    assert f"1_{DAMAGED:02}.wav: " in said and f"1_{SILENT:02}.wav: in every window one side is silent" in said
    assert f"1_{SHORT:02}.wav is 1.50 s, shorter than the window of 5 s" in said
    assert "ray scored " in said and "with 3 workers" in said and "3 died and were replaced" in said


def test_a_run_goes_on_with_either_engine(
    ray: FakeRay, manifest: Path, here: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    out = tmp_path / "scores.jsonl"
    command = ["--pairs", str(manifest), "--out", str(out), *OPTIONS[".jsonl"]]
    begun: list[int] = []

    def stopped(call: int, items: object) -> bool:
        if call == 7:
            begun.append(len(out.read_bytes().splitlines()))  # rows are there before the end
            raise KeyboardInterrupt
        return False

    ray.is_lethal = stopped
    assert score.main([*command, *SPREAD]) == 130
    assert 0 < begun[0] < 24 and not ray.running
    assert "interrupted; the same command with the same --out goes on from here" in capsys.readouterr().err
    ray.is_lethal = lambda call, items: False
    assert score.main([*command, *SPREAD]) == 1
    assert out.read_bytes() == here[".jsonl"]
    calls = ray.calls
    assert score.main([*command, *SPREAD]) == 1  # the damaged pair is tried again
    assert ray.calls == calls + 1 and out.read_bytes() == here[".jsonl"]
    monkeypatch.setattr(pair_work, "outcomes_there", lambda *_: pytest.fail("scored by workers"))
    assert score.main(command) == 1 and out.read_bytes() == here[".jsonl"]


def test_strict_stops_at_the_first_failure(ray: FakeRay, manifest: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "scores.csv"
    assert score.main(["--pairs", str(manifest), "--out", str(out), "--strict", *SPREAD]) == 1
    assert "stopped because of --strict" in capsys.readouterr().err and not ray.running


def test_a_worker_with_another_encoder_is_refused(
    ray: FakeRay, manifest: Path, tmp_path: Path, monkeypatch, capsys
) -> None:
    monkeypatch.setattr("cocola_metric.scorer.HOP", 2.5)
    opening = pair_work.open_scorer
    monkeypatch.setattr(pair_work, "open_scorer", lambda options: opening(options).in_mode("harmonic"))
    out = tmp_path / "scores.csv"
    assert score.main(["--pairs", str(manifest), "--out", str(out), *SPREAD]) == 2
    assert "install one version of the package and of the encoder on every machine" in capsys.readouterr().err


def test_gpus_are_asked_for(ray: FakeRay, manifest: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    """No GPU here: what Ray and the workers are asked for."""
    ray.available["GPU"] = 1.0
    devices = []
    opening = pair_work.open_scorer

    def opened(options):
        devices.append(options.device)
        options.device = "cpu"
        return opening(options)

    monkeypatch.setattr(pair_work, "open_scorer", opened)
    out = tmp_path / "scores.csv"
    assert score.main(["--pairs", str(manifest), "--out", str(out), *SPREAD, "--workers-gpu", "0.5"]) == 1
    assert {resources["num_gpus"] for resources in ray.resources} == {0.5} and set(devices) == {"cuda"}


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--workers", "2"], "--workers is an option of --engine ray"),
        (["--workers-gpu", "1"], "--workers-gpu is an option of --engine ray"),
        (["--engine", "ray", "--device", "cuda"], "--engine ray has no --device; got cuda"),
        (["--engine", "ray", "--workers", "0"], "--workers must be 1 or more; got 0"),
    ],
)
def test_what_makes_no_sense_is_refused(ray: FakeRay, manifest: Path, tmp_path: Path, options, problem, capsys) -> None:
    out = tmp_path / "scores.csv"
    assert score.main(["--pairs", str(manifest), "--out", str(out), *options]) == 2
    assert problem in capsys.readouterr().err and not out.exists()


def test_one_pair_is_scored_here(ray: FakeRay, data: Path, capsys) -> None:
    assert score.main([str(data / "conditioning.flac"), str(data / "accompaniment.flac"), "--engine", "ray"]) == 2
    assert "--engine ray is for many pairs" in capsys.readouterr().err


@pytest.mark.parametrize("embedder", ["cocola", "timbre"])
def test_a_frechet_distance_is_the_same(ray: FakeRay, manifest: Path, embedder: str, tmp_path: Path, capsys) -> None:
    for name in ("generated", "reference"):
        (tmp_path / name).mkdir()
    for number in range(8):
        for side, name in enumerate(("generated", "reference")):
            (tmp_path / name / f"{number}.wav").write_bytes((manifest.parent / f"{side}_{number:02}.wav").read_bytes())
    folders = ["--generated", str(tmp_path / "generated"), "--reference", str(tmp_path / "reference")]
    command = [*folders, "--embedder", embedder, "--per-song", "--json"]
    codes, printed = [], []
    for options in (["--no-cache"], ["--no-cache", *SPREAD], ["--cache", str(tmp_path / "cache"), *SPREAD]):
        codes.append(fad.main([*command, *options]))
        answer, said = capsys.readouterr()
        printed.append(answer)
        assert f"reference/{DAMAGED}.wav: " in said
    assert codes == [1, 1, 1] and printed[0] == printed[1] == printed[2]
    assert list((tmp_path / "cache").rglob("*.npz")) and not ray.running
    sub = ["--conditioning", str(tmp_path / "generated"), *command, "--no-cache"]
    assert fad.main(sub) == 1
    expected = capsys.readouterr().out
    ray.is_lethal = lambda call, items: call % 4 == 0
    assert fad.main([*sub, *SPREAD]) == 1
    assert capsys.readouterr().out == expected and ray.died
