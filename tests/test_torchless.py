"""Scoring on a CPU without torch: what is imported, what a fork does, how memory grows, what is kept."""

import itertools
import json
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from cocola_metric import CocolaScorer
from cocola_metric.audio import Audio, WindowPlan
from cocola_metric.checkpoints import load
from cocola_metric.checkpoints.known import CONFIG_FILE, EMBEDDED_FOLDER, WEIGHTS_FILE
from cocola_metric.encoder import Sides
from cocola_metric.errors import AudioError, UsageError
from cocola_metric.scoring import Catalogue, Request, WindowEmbedder
from cocola_metric.signature import score_recipe

RATE = 16_000
HEAVY = {"torch", "torchaudio", "timm", "torchvision", "librosa", "onnx", "sklearn", "scipy.signal"}
TOLERANCE = 1e-3  # of scores, between the graph and torch
PAIRS = 2_000
MOST_BYTES_A_PAIR = 4_000  # names, lengths and results of the call; an embedded pair would add 8 kB


def imported_by(code: str) -> set[str]:
    check = f"import json, sys\n{code}\nprint(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    run = subprocess.run([sys.executable, "-c", check], check=True, capture_output=True, text=True)
    return set(json.loads(run.stderr.splitlines()[-1]))


@pytest.mark.parametrize(
    "arguments",
    [
        ["{c}", "{a}"],
        ["rank", "{c}", "{a}", "{a}"],
        ["--conditioning", "{c}", "{a}", "--accompaniment", "{a}"],
        ["--pairs", "{pairs}", "--out", "{pairs}.out.csv"],
    ],
    ids=["score", "rank", "stems", "pairs"],
)
def test_a_score_imports_no_torch(data: Path, arguments: list[str], tmp_path: Path) -> None:
    files = {"c": data / "conditioning.flac", "a": data / "accompaniment.flac", "pairs": tmp_path / "pairs.csv"}
    files["pairs"].write_text(f"conditioning,accompaniment\n{files['c']},{files['a']}\n")
    given = [argument.format(**files) for argument in arguments]
    assert not HEAVY & imported_by(f"from cocola_metric.cli.score import main; assert main({given!r}) == 0")


def test_a_scorer_imports_no_torch(data: Path) -> None:
    files = [str(data / "conditioning.flac"), str(data / "accompaniment.flac")]
    code = (
        "from cocola_metric import CocolaScorer\n"
        f"scorer, files = CocolaScorer.from_pretrained(device='cpu'), {files!r}\n"
        "scorer.score(*files), scorer.score_windows(*files), scorer.embed(files[0]), scorer.rank(files[0], files)\n"
        "scorer.score_pairs(files, files), scorer.similarity_matrix(files, files)\n"
        "scorer.similarity(scorer.embeddings(files), scorer.embeddings(files))"
    )
    assert not HEAVY & imported_by(code)


@pytest.mark.parametrize("embedder", ["cocola", "timbre"])
def test_a_frechet_distance_imports_no_torch(data: Path, embedder: str, tmp_path: Path) -> None:
    for side in ("generated", "reference"):
        (tmp_path / side).mkdir()
        for name in ("conditioning.flac", "accompaniment.flac"):
            (tmp_path / side / name).write_bytes((data / name).read_bytes())
    given = ["--generated", str(tmp_path / "generated"), "--reference", str(tmp_path / "reference"), "--no-cache"]
    code = f"from cocola_metric.cli.fad import main; assert main({[*given, '--embedder', embedder]!r}) == 0"
    assert not HEAVY & imported_by(code)


def noise(seconds: float, seed: int) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal((1, round(seconds * RATE)))).astype(np.float32)


def test_torch_gives_the_same_scores() -> None:
    checkpoint = load("embedded")
    slow = CocolaScorer(checkpoint.model, name="embedded", weights_sha256=checkpoint.sha256, device="cpu")
    fast = CocolaScorer.from_pretrained(device="cpu")
    assert slow.signature == score_recipe(fast.signature)  # a model alone has no folder, and no reference
    sides = [noise(seconds, seed) for seed, seconds in enumerate((8, 8, 8))]
    expected = slow.similarity_matrix(sides, sides, sample_rate=RATE)
    scores = fast.similarity_matrix(sides, [torch.from_numpy(side) for side in sides], sample_rate=RATE)
    assert isinstance(scores, np.ndarray) and np.abs(scores - expected).max() < TOLERANCE


def test_weights_without_a_graph_run_in_torch_and_a_line_says_what_would_be_fast(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for file in (EMBEDDED_FOLDER / WEIGHTS_FILE, EMBEDDED_FOLDER / CONFIG_FILE):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    slow, fast = CocolaScorer.from_pretrained(tmp_path, device="cpu"), CocolaScorer.from_pretrained(device="cpu")
    (record,) = caplog.records
    assert record.getMessage().startswith(f"{tmp_path.name}: no encoder.onnx, so torch runs it")
    assert "cocola-convert writes a fast folder" in record.getMessage()
    sides = noise(8, 0), noise(8, 1)
    assert slow.score(*sides, sample_rate=RATE) == pytest.approx(fast.score(*sides, sample_rate=RATE), abs=TOLERANCE)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_scorer_survives_a_fork() -> None:
    """In a fresh interpreter, so that no thread of the test's own is forked along."""
    code = (
        "import os, numpy as np\n"
        "from cocola_metric import CocolaScorer\n"
        "scorer = CocolaScorer.from_pretrained(device='cpu')\n"
        "clip = np.random.default_rng(0).standard_normal((1, 80000)).astype('f4') * 0.1\n"
        "before = scorer.score(clip, clip, sample_rate=16000)\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    os._exit(0 if abs(scorer.score(clip, clip, sample_rate=16000) - before) < 1e-4 else 1)\n"
        "raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


def test_torch_does_not_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    scorer = CocolaScorer(load("embedded").model, device="cpu")
    monkeypatch.setattr(os, "getpid", lambda: -1)
    with pytest.raises(UsageError, match="made before the process was forked"):
        scorer.score(noise(5, 0), noise(5, 1), sample_rate=RATE)


class _Stub:
    """An encoder that takes no time, and counts how many windows it is given at once."""

    device = "cpu"

    def __init__(self) -> None:
        self.batches: list[int] = []

    def __call__(self, windows: np.ndarray, mode: str = "both") -> Sides:
        self.batches.append(len(windows))
        embeddings = np.repeat(windows[:, :1], 512, axis=1)
        return Sides(embeddings, embeddings, embeddings)

    def prepare(self) -> None: ...

    def prepare_thread(self) -> None: ...


def test_windows_of_many_audios_fill_a_batch() -> None:
    stub = _Stub()
    embedder = WindowEmbedder(stub, mode="both", plan=WindowPlan(0.5, 0.25), batch_size=16)
    catalogue = Catalogue(RATE)
    clips = [np.full((1, 8_000), value, np.float32) for value in np.linspace(0.1, 0.9, 64)]
    for clip in clips:
        catalogue.add(clip)
    results = list(embedder.embed_all(catalogue.requests([])))
    assert sorted(stub.batches) == [16] * 4
    assert [result.windows.embeddings[0, 0] for result in results] == [clip[0, 0] for clip in clips]


def test_an_audio_that_breaks_off_costs_itself_alone_and_the_order_stays() -> None:
    def broken() -> Iterator[np.ndarray]:
        yield np.full(12_000, 0.5, np.float32)
        raise AudioError("damaged after sample 12000")

    clips = [np.full((1, 20_000), value, np.float32) for value in (0.1, 0.2, 0.3, 0.4)]
    catalogue = Catalogue(RATE)
    for clip in clips:
        catalogue.add(clip)
    requests = catalogue.requests([])
    requests.insert(2, Request(Audio("broken.wav", 20_000, broken)))
    embedder = WindowEmbedder(_Stub(), mode="both", plan=WindowPlan(0.5, 0.25), batch_size=3)
    results = list(embedder.embed_all(requests))
    assert isinstance(results[2], AudioError) and "damaged after sample 12000" in str(results[2])
    del results[2]
    assert [result.windows.embeddings[0, 0] for result in results] == [clip[0, 0] for clip in clips]


@pytest.mark.filterwarnings("ignore::cocola_metric.audio.AudioWarning")
def test_a_score_is_the_same_to_the_last_bit_alone_and_in_company() -> None:
    """So that rows of a run that was stopped, or that many machines share, are the bytes of one run."""
    clips = [noise(seconds, seed) for seed, seconds in enumerate((5, 8, 20, 11.3, 1.2))]
    clips += [(0.1 * np.sin(np.arange(9 * RATE) / 16 * (1 + tone / 9)))[None].astype(np.float32) for tone in range(3)]
    pairs = list(itertools.product(clips, clips))
    together = list(CocolaScorer.from_pretrained(device="cpu").iter_scores(pairs, sample_rate=RATE))
    for size in (1, 3):
        scorer = CocolaScorer.from_pretrained(device="cpu", batch_size=size)
        alone = [next(scorer.iter_scores([pair], sample_rate=RATE)) for pair in pairs[::3]]
        assert [repr(result) for result in alone] == [repr(result) for result in together[::3]]


@pytest.mark.parametrize("kind", ["float16", "float64", "strides", "gradient", "array"])
def test_numpy_comes_out_whatever_goes_in(kind: str) -> None:
    scorer = CocolaScorer.from_pretrained(device="cpu", window=1.0, hop=1.0)
    clip = torch.from_numpy(noise(1, 0))
    given = {
        "float16": clip.half(),
        "float64": clip.double(),
        "strides": torch.stack([clip, clip], -1)[..., 0],
        "gradient": clip.clone().requires_grad_(),
        "array": clip.numpy().astype(np.float64),
    }[kind]
    results = (
        scorer.embed(given, sample_rate=RATE),
        scorer.score_pairs([given], [given], sample_rate=RATE),
        scorer.similarity_matrix([given], [given], sample_rate=RATE),
    )
    assert [(type(result), result.dtype, result.shape) for result in results] == [
        (np.ndarray, np.float32, shape) for shape in ((1, 3490), (1,), (1, 1))
    ]
    expected = scorer.score(clip, clip, sample_rate=RATE)
    assert float(results[1][0]) == pytest.approx(expected, abs=2e-2 if kind == "float16" else 1e-5)


def test_memory_does_not_grow_with_the_number_of_pairs() -> None:
    scorer = CocolaScorer.from_pretrained(device="cpu", window=0.5, hop=0.5)
    scorer._embedder.encoder = _Stub()
    clips = [np.full((1, 8_000), 0.5, np.float32) for _ in range(2 * PAIRS)]
    pairs = list(zip(clips[::2], clips[1::2], strict=True))
    list(scorer.iter_scores(pairs[:10], sample_rate=RATE))
    tracemalloc.start()
    try:
        count = sum(1 for _ in scorer.iter_scores(pairs, sample_rate=RATE))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == PAIRS and peak < 3e6 + PAIRS * MOST_BYTES_A_PAIR


def test_embeddings_are_kept_and_compared_later() -> None:
    scorer = CocolaScorer.from_pretrained(device="cpu")
    clips = [noise(seconds, seed) for seed, seconds in enumerate((8, 8, 8))]
    kept = scorer.embeddings(clips, sample_rate=RATE)
    assert [len(entry) for entry in kept] == [3, 3, 3]
    expected = scorer.similarity_matrix(clips, clips, sample_rate=RATE)
    assert np.abs(scorer.similarity(kept, kept) - expected).max() < 1e-4
    ranked = scorer.rank(kept[0], kept[1:])
    assert [entry.index for entry in ranked] == [
        entry.index for entry in scorer.rank(clips[0], clips[1:], sample_rate=RATE)
    ]
    other = CocolaScorer.from_pretrained(device="cpu", mode="harmonic")
    with pytest.raises(UsageError, match="embeddings were made by"):
        other.similarity(kept, kept)
    with pytest.raises(UsageError, match="cannot be mixed"):
        scorer.rank(kept[0], clips)
