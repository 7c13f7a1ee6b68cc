"""`cocola-fad` as a user meets it: JSON on stdout, messages on stderr, exit codes, bad files, runs that go on."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from cocola_metric import FAD, SubFAD
from cocola_metric.cli import fad
from cocola_metric.fad import pretrained

COUNT = 3


@pytest.fixture
def songs(tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folders mixes/, ours/ and real/ of files with matching names, and a cache of their own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    generator = np.random.default_rng(0)
    for folder, source in (("mixes", "conditioning"), ("ours", "accompaniment"), ("real", "accompaniment")):
        (tmp_path / folder).mkdir()
        waveform, rate = soundfile.read(data / f"{source}.flac", dtype="float32")
        for number in range(COUNT):
            shifted = np.roll(waveform, number * rate // 3, axis=0)
            if folder == "ours":
                shifted = shifted + 0.05 * generator.normal(size=shifted.shape)
            soundfile.write(tmp_path / folder / f"song{number}.wav", shifted, rate)
    return tmp_path


def run(*arguments: object, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict, str]:
    code = fad.main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, json.loads(captured.out) if captured.out else {}, captured.err


def folders(songs: Path) -> list[object]:
    return ["--generated", songs / "ours", "--reference", songs / "real", "--resamples", 5]


def paths(songs: Path, folder: str) -> list[Path]:
    return sorted((songs / folder).glob("*.wav"))


def test_sub_fad_of_folders(songs: Path, capsys) -> None:
    code, result, _ = run("--conditioning", songs / "mixes", *folders(songs), capsys=capsys)
    sides = [paths(songs, folder) for folder in ("mixes", "ours", "real")]
    expected = SubFAD(resamples=5).score(*sides)
    assert code == 0
    assert result["fad"] == pytest.approx(expected.fad, abs=1e-4) and result["signature"] == expected.signature
    assert result["interval"] == pytest.approx(expected.interval, abs=1e-4)
    assert (result["tracks"], result["failed"], result["dimension"]) == (COUNT, 0, 512)
    assert result["infinity"] is None and "per_song" not in result


def test_fad_of_folders_and_songs(songs: Path, capsys) -> None:
    code, result, _ = run(*folders(songs), "--per-song", "--no-cache", capsys=capsys)
    expected = FAD(resamples=5).score(paths(songs, "ours"), paths(songs, "real"))
    assert code == 0 and result["fad"] == pytest.approx(expected.fad, abs=1e-4)
    assert list(result["per_song"]) == [str(path) for path in paths(songs, "ours")]
    assert list(result["per_song"].values()) == pytest.approx(list(expected.per_song))


def test_a_stored_reference(songs: Path, capsys) -> None:
    kept = songs / "new" / "real.npz"
    _, first, _ = run(*folders(songs), "--save-reference", kept, capsys=capsys)
    code, second, _ = run("--generated", songs / "ours", "--reference", kept, "--resamples", 5, capsys=capsys)
    assert code == 0 and second["fad"] == pytest.approx(first["fad"], abs=1e-12)
    assert (second["floor"], second["signature"]) == (first["floor"], first["signature"])


def test_bad_files_are_named_and_left_out(songs: Path, capsys) -> None:
    """Of a sub-FAD, the whole track leaves both sets; the exit code says that there were some."""
    (songs / "ours" / "song1.wav").write_bytes(b"RIFF nothing")
    command = ["--conditioning", songs / "mixes", *folders(songs)]
    code, result, messages = run(*command, capsys=capsys)
    remaining = [
        [path for path in paths(songs, folder) if "song1" not in path.name] for folder in ("mixes", "ours", "real")
    ]
    assert code == 1 and (result["tracks"], result["tracks_reference"], result["failed"]) == (2, 2, 1)
    assert result["fad"] == pytest.approx(SubFAD(resamples=5).score(*remaining).fad, abs=1e-4)
    assert "song1.wav" in messages
    code, result, messages = run(*command, "--strict", capsys=capsys)
    assert code == 1 and result == {} and "stopped because of --strict" in messages


def test_nothing_left(songs: Path, capsys) -> None:
    for path in paths(songs, "ours"):
        path.write_bytes(b"RIFF nothing")
    code, result, messages = run(*folders(songs), capsys=capsys)
    assert code == 1 and result == {} and "no clip is left" in messages


def test_a_stopped_run_goes_on(songs: Path, capsys) -> None:
    """What was embedded before is not embedded again: the second run needs the cache only."""
    run(*folders(songs), capsys=capsys)
    kept = {file: file.stat().st_mtime_ns for file in (songs / "cache").rglob("*.npz")}
    assert len(kept) == 2 * COUNT
    lost = next(iter(kept))
    lost.unlink()
    run(*folders(songs), capsys=capsys)
    after = {file: file.stat().st_mtime_ns for file in (songs / "cache").rglob("*.npz")}
    assert after.keys() == kept.keys()
    assert {file for file in kept if after[file] != kept[file]} == {lost}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--conditioning", "missing"], "missing: not a folder"),
        (["--reference", "missing.npz"], "missing.npz: not reference statistics"),
        (["--reference", "missing"], "missing: not a folder"),
        (["--embedder", "all", "--save-reference", "x.npz"], "name one embedder"),
        (["--save-reference", "x.json"], "must end in .npz"),
        (["--model", "missing"], "missing"),
        (["--resamples", "1"], "resamples must be 2 or more; got 1"),
    ],
)
def test_wrong_usage(songs: Path, change: list[str], message: str, capsys) -> None:
    code, result, messages = run(*folders(songs), *change, capsys=capsys)
    assert code == 2 and result == {} and message in messages


def test_names_that_do_not_match(songs: Path, capsys) -> None:
    (songs / "ours" / "song2.wav").rename(songs / "ours" / "tune.wav")
    code, _, messages = run("--conditioning", songs / "mixes", *folders(songs), capsys=capsys)
    assert code == 2 and "song2, tune in only one of them" in messages


def test_all_embedders_as_far_as_they_are_there(songs: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    def absent(_: str) -> str:
        raise pretrained.PackageNotFoundError

    monkeypatch.setattr(pretrained, "version", absent)
    code, results, messages = run(*folders(songs), "--embedder", "all", capsys=capsys)
    assert code == 2 and results["cocola"]["fad"] > 0
    assert all("pip install" in results[name]["error"] for name in ("clap", "encodec", "vggish"))
    assert "cocola-fad: clap: " in messages


def test_few_clips_and_null_are_explained(songs: Path, capsys) -> None:
    code, result, messages = run(*folders(songs), capsys=capsys)
    assert code == 0 and result["n"] < result["dimension"] and result["infinity"] is None
    assert f"n is {result['n']} (generated set), below D = 512" in messages
    assert f"infinity is null: it is extrapolated from quarters of 8 clips or more; got {COUNT} generated" in messages
    assert fad.main([str(argument) for argument in (*folders(songs), "--format", "text")]) == 0
    captured = capsys.readouterr()
    assert captured.err == "" and "warning    n is" in captured.out and "warning    infinity is null" in captured.out


def test_a_distance_below_the_floor_is_no_difference(songs: Path, capsys) -> None:
    same = ["--generated", songs / "real", "--reference", songs / "real", "--resamples", 5]
    code, result, messages = run(*same, capsys=capsys)
    assert code == 0 and result["fad"] < result["floor"]
    assert f"is below the floor {result['floor']:.4f} of two halves of the reference: no difference" in messages
    assert fad.main([str(argument) for argument in (*same, "--quiet", "--score-only")]) == 0
    captured = capsys.readouterr()
    assert captured.err == "" and captured.out == f"{result['fad']:.4f}\n"
    assert fad.main([str(argument) for argument in (*same, "--format", "csv")]) == 0
    assert capsys.readouterr().out.startswith("fad,infinity,infinity_r_squared,floor,n,")
