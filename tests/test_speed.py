"""How fast the parts are, each beside the way it was done before: pytest --benchmark-only.

One thread per operation throughout, so that a ratio is one of work and not of cores.
"""

import subprocess
import sys
from pathlib import Path

import librosa
import numpy as np
import pytest
import torch
from original_recipe import librosa_chain
from phalar_peer import PHALAR, convolved_constant_q, dense_kernels, layer_by_layer, write_and_read_graph

from cocola_metric import CocolaScorer, functional
from cocola_metric.encoder.constant_q import constant_q, unit_decibels
from cocola_metric.encoder.front_end_modules import FrontEndModule
from cocola_metric.encoder.median import running_median
from cocola_metric.encoder.model import CocolaModel, EncoderConfig, fold_batch_norm
from cocola_metric.scoring import echo, traces
from cocola_metric.training.encoder.depthwise import quicken_depthwise

pytestmark = pytest.mark.bench
RATE = 16_000
COLD_START = {
    "ours": "from cocola_metric.cli.score import main; main({files!r})",
    # The imports of the original repository's inference recipe, and its front end on both files.
    "original": (
        "import sys, torch, torchaudio, librosa, lightning, efficientnet_pytorch, soundfile\n"
        "sys.path.insert(0, {tests!r})\n"
        "from original_recipe import librosa_chain\n"
        "from cocola_metric.encoder.model import CocolaModel\n"
        "model = CocolaModel().eval()\n"
        "clips = [soundfile.read(file, dtype='float32')[0][:80000] for file in {files!r}]\n"
        "features = torch.stack([torch.from_numpy(librosa_chain(clip)).float() for clip in clips])\n"
        "embeddings = model.encoder.embed_features(features)\n"
        "print(model.similarity.matrix(embeddings[:1], embeddings[1:]).item())"
    ),
}


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def clip() -> torch.Tensor:
    return 0.1 * torch.randn(1, 5 * RATE, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def original() -> CocolaModel:
    return CocolaModel().eval()  # untrained: the time is the same


@pytest.mark.benchmark(group="median of 31, both axes of a clip")
@pytest.mark.parametrize("how", ["network", "scipy"])
def test_median(benchmark, how: str) -> None:
    from scipy.ndimage import median_filter

    magnitude = torch.rand(513, 501)
    values = magnitude.numpy()
    ways = {
        "network": lambda: (running_median(magnitude, 1), running_median(magnitude, 0)),
        "scipy": lambda: (median_filter(values, size=(1, 31)), median_filter(values, size=(31, 1))),
    }
    benchmark(ways[how])


@pytest.mark.benchmark(group="hps front end, one clip")
@pytest.mark.parametrize("how", ["ours", "librosa", "pitch_onset"])
def test_hps(benchmark, clip: torch.Tensor, how: str) -> None:
    front_end, of_embedded = FrontEndModule("hps"), FrontEndModule("pitch_onset")
    ways = {
        "ours": lambda: front_end(clip),
        "librosa": lambda: librosa_chain(clip[0].numpy()),
        "pitch_onset": lambda: of_embedded(clip),
    }
    with torch.inference_mode():
        benchmark(ways[how])


@pytest.mark.benchmark(group="mel front end, one clip")
@pytest.mark.parametrize("how", ["ours", "librosa"])
def test_mel(benchmark, clip: torch.Tensor, how: str) -> None:
    front_end = FrontEndModule("mel")
    settings = {"sr": RATE, "n_fft": 1024, "win_length": 400, "hop_length": 160, "n_mels": 64, "fmin": 60, "fmax": 7800}

    def with_librosa() -> np.ndarray:
        mel = librosa.feature.melspectrogram(y=clip[0].numpy(), htk=True, norm=None, **settings)
        return librosa.power_to_db(mel, top_db=None)

    with torch.inference_mode():
        benchmark({"ours": lambda: front_end(clip), "librosa": with_librosa}[how])


@pytest.mark.benchmark(group="encoder without front end, 8 windows")
@pytest.mark.parametrize("how", ["folded", "original padding and BatchNorm"])
def test_encoder(benchmark, original: CocolaModel, how: str) -> None:
    features = torch.randn(8, 2, 64, 501)
    model = fold_batch_norm(CocolaModel()) if how == "folded" else original
    with torch.inference_mode():
        benchmark(model.encoder.embed_features, features)


@pytest.mark.benchmark(group="one warm pair of 5 s")
@pytest.mark.parametrize("how", ["ours", "original recipe"])
def test_one_pair(benchmark, clip: torch.Tensor, original: CocolaModel, how: str) -> None:
    other = clip.flip(1)
    scorer = CocolaScorer.from_pretrained(device="cpu")

    def original_recipe() -> float:
        with torch.inference_mode():
            features = [torch.from_numpy(librosa_chain(side[0].numpy())).float()[None] for side in (clip, other)]
            return original.similarity.pairs(*map(original.encoder.embed_features, features)).item()

    ways = {"ours": lambda: scorer.score(clip, other, sample_rate=RATE), "original recipe": original_recipe}
    benchmark(ways[how])


@pytest.mark.benchmark(group="echo and noise of one window of a pair")
def test_guards(benchmark, clip: torch.Tensor) -> None:
    windows = clip.numpy()[:, : 5 * RATE]

    def both_sides() -> None:
        first, second = traces(windows), traces(windows)
        echo(first.phases, second.phases)

    benchmark(both_sides)


@pytest.mark.benchmark(group="100 pairs of 5 s", min_rounds=2)
@pytest.mark.parametrize("shared", [False, True], ids=["200 clips", "10 x 10 clips"])
def test_100_pairs(benchmark, shared: bool) -> None:
    scorer = CocolaScorer.from_pretrained(device="cpu")
    clips = list(0.1 * torch.randn(200, 1, 5 * RATE))
    if shared:
        benchmark(scorer.similarity_matrix, clips[:10], clips[10:20], sample_rate=RATE)
    else:
        benchmark(scorer.score_pairs, clips[:100], clips[100:], sample_rate=RATE)


@pytest.mark.benchmark(group="constant-Q magnitudes of a clip")
@pytest.mark.parametrize("how", ["one FFT, NumPy", "one FFT, torch", "convolution"])
def test_constant_q(benchmark, clip: torch.Tensor, how: str) -> None:
    """The original convolves the clip with all kernels, dense, in torch."""
    if how == "convolution":
        benchmark(convolved_constant_q, clip, dense_kernels())
    else:
        benchmark(constant_q, clip.numpy() if how == "one FFT, NumPy" else clip)


@pytest.mark.benchmark(group="PHALAR, one clip")
@pytest.mark.parametrize("how", ["without torch", "torch", "original"])
def test_phalar(benchmark, clip: torch.Tensor, tmp_path: Path, how: str) -> None:
    """The original: a dense convolution, then the network in torch, layer by layer."""
    model = CocolaModel(PHALAR).eval()
    if how == "original":
        layer_by_layer(model)
    if how == "without torch":
        encoder = write_and_read_graph(model, tmp_path)
        benchmark(encoder, clip.numpy())
        return
    dense = dense_kernels()

    def embed() -> torch.Tensor:
        with torch.inference_mode():
            if how == "torch":
                return model.encoder(clip)
            return model.encoder.embed_features(unit_decibels(convolved_constant_q(clip, dense))[:, None])

    benchmark(embed)


@pytest.mark.benchmark(group="training step, 8 pairs", min_rounds=2)
@pytest.mark.parametrize("how", ["ours", "original front end"])
def test_training_step(benchmark, how: str) -> None:
    """The same model, batch and optimiser; the waveforms are at hand, the front end is part of the step."""
    waveforms = 0.1 * torch.randn(16, 5 * RATE, generator=torch.Generator().manual_seed(0))
    model = CocolaModel(EncoderConfig()).to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), 1e-4)

    def front_end() -> torch.Tensor:
        if how == "ours":
            with torch.no_grad():
                return model.encoder.front_end(waveforms)
        return torch.stack([torch.from_numpy(librosa_chain(clip.numpy())).float() for clip in waveforms])

    def step() -> None:
        model.train()
        embeddings = model.encoder.embed_features(front_end().contiguous(memory_format=torch.channels_last))
        loss = functional.contrastive_loss(model.similarity.matrix(embeddings[::2], embeddings[1::2]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    benchmark(step)


@pytest.mark.benchmark(group="gradients of the mel network, 16 windows", min_rounds=3)
@pytest.mark.parametrize("how", ["bfloat16", "bfloat16, all of it", "float32"])
def test_gradients(benchmark, how: str) -> None:
    """As training computes them on a CPU, beside torch with all gradients in bfloat16, and in float32."""
    model = CocolaModel(EncoderConfig(front_end="mel")).to(memory_format=torch.channels_last).train()
    if how == "bfloat16":
        quicken_depthwise(model)
    images = torch.randn(16, 1, 64, 501, generator=torch.Generator().manual_seed(0))

    def gradients() -> None:
        model.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=how != "float32"):
            pooled = model.encoder.pool(images)
        pooled.float().square().sum().backward()

    benchmark(gradients)


# Of another process, whose CPU time no timer here sees: the number of rounds cannot follow from what one takes.
@pytest.mark.benchmark(group="cold start: two files, from the shell")
@pytest.mark.parametrize("how", sorted(COLD_START))
def test_cold_start(benchmark, data: Path, how: str) -> None:
    if how == "original":
        for package in ("lightning", "efficientnet_pytorch"):
            pytest.importorskip(package, reason="the original recipe imports it")
    files = [str(data / "conditioning.flac"), str(data / "accompaniment.flac")]
    code = COLD_START[how].format(files=files, tests=str(Path(__file__).parent / "helpers"))
    command = [sys.executable, "-c", code]
    benchmark.pedantic(lambda: subprocess.run(command, check=True, capture_output=True), rounds=5, warmup_rounds=1)


HELP = {
    "cocola-score": "from cocola_metric.cli.score import main; main(['--help'])",
    **{
        " ".join((package, *command)): (
            f"import runpy, sys; sys.argv = ['-m', *{command!r}, '--help']; "
            f"runpy.run_module({package!r}, run_name='__main__', alter_sys=True)"
        )
        for package, *command in (
            ("cocola_metric",),
            ("cocola_metric.training",),
            ("cocola_metric.benchmarks",),
            ("cocola_metric.training", "train"),
            ("cocola_metric.training", "evaluate"),
            ("cocola_metric.benchmarks", "queries"),
            ("cocola_metric.benchmarks", "table3"),
        )
    },
}


@pytest.mark.benchmark(group="--help, from the shell: below 0.3 s")
@pytest.mark.parametrize("command", HELP)
def test_help(benchmark, command: str) -> None:
    given = [sys.executable, "-c", HELP[command]]
    ended = benchmark.pedantic(lambda: subprocess.run(given, capture_output=True, text=True), rounds=5, warmup_rounds=1)
    assert ended.returncode == 0 and ended.stdout.startswith("usage: ")
