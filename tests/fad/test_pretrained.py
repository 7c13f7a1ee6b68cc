"""CLAP, EnCodec and VGGish: the guard around frechet-audio-distance, and the package itself with random weights."""

import io
import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from cocola_metric import CocolaError, MissingExtraError
from cocola_metric.errors import AudioError, CheckpointError, UsageError
from cocola_metric.fad import pretrained
from cocola_metric.fad.embedders import EMBEDDERS, new_embedder
from cocola_metric.fad.pretrained import CLAP, ENCODEC, VGGISH, Backbone, clap_windows, vggish_examples

needs_package = pytest.mark.skipif(
    find_spec("frechet_audio_distance") is None, reason="frechet-audio-distance (extra [fad]) is not installed"
)


class Network:
    """Behaves as the package does: prints, and gives what it can."""

    def __init__(self, backbone: Backbone, answer: str) -> None:
        self.backbone, self.answer = backbone, answer
        self.windows: list[int] = []

    def get_embeddings(self, windows: list[np.ndarray], rate: int) -> np.ndarray:
        assert rate == self.backbone.sample_rate
        self.windows += [len(window) for window in windows]
        print("chatter")
        print("chatter", file=sys.stderr)
        each = 1 if self.backbone is CLAP else self.backbone.rows(len(windows[0]))
        rows = np.random.default_rng(0).normal(size=(len(windows) * each, self.backbone.dimension))
        answers = {"good": rows, "dropped": rows[1:], "transposed": rows.T, "nan": rows * np.nan}
        if self.answer == "nothing":
            print("get_embeddings throw an exception: out of memory")
            return np.concatenate([])
        return answers[self.answer]


@pytest.fixture
def embedder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Build an embedder around a network that gives one kind of answer."""

    def build(backbone: Backbone, answer: str = "good", **options: Any) -> pretrained.PackageEmbedder:
        monkeypatch.setattr(pretrained, "_package_version", lambda: "0.3.4")
        monkeypatch.setattr(pretrained, "_construct", lambda *_: Network(backbone, answer))
        for file in (*backbone.files, "630k-audioset-best.pt"):
            (tmp_path / file).parent.mkdir(exist_ok=True)
            (tmp_path / file).write_text(file)
        return pretrained.PackageEmbedder(backbone, weights=tmp_path, **options)

    return build


@pytest.mark.parametrize(
    ("seconds", "windows"), [(3, [3]), (10, [10]), (10.24, [10]), (15, [10, 5]), (14.9, [10]), (32, [10, 10, 10])]
)
def test_clap_hears_all_of_a_clip_in_order(seconds: float, windows: list[int], embedder) -> None:
    spans = clap_windows(round(seconds * 48_000))
    assert [(end - start) / 48_000 for start, end in spans] == windows
    clap = embedder(CLAP)
    assert clap.embed(torch.zeros(round(seconds * 48_000))).shape == (len(windows), 512)
    assert [length / 48_000 for length in clap._network.windows] == windows


def test_vggish_examples() -> None:
    assert [vggish_examples(length) for length in (399, 15_599, 15_600, 16_000, 5 * 16_000)] == [0, 0, 1, 1, 5]


@pytest.mark.parametrize(
    ("backbone", "rows"), [(CLAP, 1), (ENCODEC, 150), (VGGISH, 2)], ids=["clap", "encodec", "vggish"]
)
def test_rows_are_time(backbone: Backbone, rows: int, embedder, capfd: pytest.CaptureFixture[str]) -> None:
    embeddings = embedder(backbone).embed(torch.zeros(2 * backbone.sample_rate))
    assert embeddings.shape == (rows, backbone.dimension) and embeddings.dtype == np.float64
    assert capfd.readouterr() == ("", "")


def test_versions_that_turn_encodec_round(embedder) -> None:
    clip = torch.zeros(2 * 24_000)
    upright, turned = embedder(ENCODEC).embed(clip), embedder(ENCODEC, "transposed").embed(clip)
    np.testing.assert_array_equal(upright, turned)
    legacy = embedder(ENCODEC, axis="legacy")
    np.testing.assert_array_equal(legacy.embed(clip), upright.T)
    assert "|axis:legacy|" in legacy.recipe and "|axis:time|" in embedder(ENCODEC).recipe


@pytest.mark.parametrize("backbone", [CLAP, ENCODEC, VGGISH], ids=lambda backbone: backbone.name)
@pytest.mark.parametrize(
    ("answer", "message"),
    [("dropped", "not .* finite ones"), ("nan", "finite"), ("nothing", "gave no embeddings .*out of memory")],
)
def test_nothing_is_dropped_in_silence(backbone: Backbone, answer: str, message: str, embedder) -> None:
    with pytest.raises(AudioError, match=message):
        embedder(backbone, answer).embed(torch.zeros(25 * backbone.sample_rate))


def test_too_short_a_clip(embedder) -> None:
    with pytest.raises(AudioError, match=r"0\.50 s is too short for vggish"):
        embedder(VGGISH).embed(torch.zeros(8000))


def test_recipes_tell_weights_apart(embedder, tmp_path: Path) -> None:
    before = embedder(CLAP).recipe
    assert before.startswith("embedder:clap-630k-audioset|weights:") and before.endswith("distance-0.3.4")
    assert "|sr:48000|axis:time|" in before
    (tmp_path / "630k-audioset-best.pt").write_text("other weights")
    clap = pretrained.PackageEmbedder(CLAP, weights=tmp_path)
    assert clap.recipe.replace(clap.recipe.split("|")[1], "") == before.replace(before.split("|")[1], "")
    assert clap.recipe != before


@pytest.mark.parametrize("name", ["clap", "encodec", "vggish"])
def test_missing_weights_are_named(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretrained, "_package_version", lambda: "0.3.4")
    with pytest.raises(CheckpointError, match=str(tmp_path)) as error:
        new_embedder(name, weights=tmp_path)
    assert "--download" in str(error.value)
    assert ("roberta-base" in str(error.value)) == (name == "clap")


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(_: str) -> str:
        raise pretrained.PackageNotFoundError

    monkeypatch.setattr(pretrained, "version", absent)
    with pytest.raises(MissingExtraError, match=r"pip install 'cocola-metric\[fad\]'"):
        new_embedder("clap")


def test_a_network_that_cannot_be_built(tmp_path: Path) -> None:
    """Without the package its import fails, with it the empty weights file does: either way with the folder's name."""
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / ENCODEC.files[0]).write_bytes(b"")
    with pytest.raises(CocolaError, match=f"encodec cannot be loaded from {tmp_path}"):
        pretrained._construct(ENCODEC, tmp_path, {}, io.StringIO())


def test_a_submodel_that_is_none() -> None:
    with pytest.raises(UsageError, match=r"submodel must be one of .*; got 'music'"):
        new_embedder("clap", submodel="music")


def test_the_process_keeps_its_settings(embedder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    before, weights = torch.hub.get_dir(), embedder(ENCODEC).weights
    offline = []

    def construct(*_: Any) -> Network:
        torch.hub.set_dir("elsewhere")
        offline.append(os.environ.get("HF_HUB_OFFLINE"))
        return Network(ENCODEC, "good")

    monkeypatch.setattr(pretrained, "_construct", construct)
    for download in (False, True):
        pretrained.PackageEmbedder(ENCODEC, weights=weights, download=download)
        assert torch.hub.get_dir() == before and "HF_HUB_OFFLINE" not in os.environ
    assert offline == ["1", None]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment in which random weights lie where the real ones would."""
    folder = tmp_path_factory.mktemp("weights")
    script = Path(__file__).parents[1] / "helpers" / "random_fad_weights.py"
    subprocess.run([sys.executable, script, folder], check=True, capture_output=True, text=True)
    return os.environ | {"TORCH_HOME": str(folder), "HF_HOME": str(folder / "hf"), "XDG_CACHE_HOME": str(folder)}


@needs_package
@pytest.mark.slow
def test_the_whole_path_with_random_weights(weights: dict[str, str], tmp_path: Path) -> None:
    """Three folders of clips to a sub-FAD with every embedder, in a fresh process: offline, JSON alone on stdout."""
    generator = np.random.default_rng(0)
    for folder in ("mixes", "ours", "real"):
        (tmp_path / folder).mkdir()
        for number in range(4):
            clip = 0.1 * generator.normal(size=(3 * 44_100, 2))
            soundfile.write(tmp_path / folder / f"song{number}.wav", clip, 44_100)
    command = [sys.executable, "-m", "cocola_metric", "fad", "--embedder", "all", "--resamples", "5"]
    for option, folder in (("--conditioning", "mixes"), ("--generated", "ours"), ("--reference", "real")):
        command += [option, str(tmp_path / folder)]
    done = subprocess.run(command, env=weights, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    assert list(results) == list(EMBEDDERS)
    assert {name: result["dimension"] for name, result in results.items()} == {
        "cocola": 512,
        "timbre": 128,
        "clap": 512,
        "encodec": 128,
        "vggish": 128,
    }
    assert {name: result["n"] for name, result in results.items()} == {
        "cocola": 4,
        "timbre": 4 * 3,
        "clap": 4,
        "encodec": 4 * 225,
        "vggish": 4 * 3,
    }
    assert all(result["fad"] > 0 and result["failed"] == 0 for result in results.values())
    again = subprocess.run([*command, "--no-cache"], env=weights, capture_output=True, text=True, check=True)
    assert again.stdout == done.stdout
