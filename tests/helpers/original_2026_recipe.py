"""What the authors' two encoders of 2026 compute, written out from their weights' names with the libraries they use.

Nothing here comes from this package. `data/make_parity.py` makes the small reference vectors with it, and
`test_parity_vectors.py` compares it with what the authors' own code stored.
"""

from collections.abc import Mapping

import librosa
import numpy as np
import torch
import torch.nn.functional as F
import torchaudio
from torch import Tensor

RATE, HOP_LENGTH = 16_000, 160
COMPONENTS = 8
LEAST_FRAMES = 19  # 1 + 2 (COMPONENTS + 1): fewer have no ninth component
State = Mapping[str, Tensor]


def phalar_features(clip: Tensor) -> Tensor:
    """Transform one clip by nnAudio's constant-Q transform: (L,) -> (1, R, F)."""
    from nnAudio.features import CQT1992v2

    size = {"fmin": 16.35, "n_bins": 96, "bins_per_octave": 12}
    transform = CQT1992v2(sr=RATE, hop_length=HOP_LENGTH, output_format="Magnitude", verbose=False, **size)
    with torch.inference_mode():
        decibels = torchaudio.transforms.AmplitudeToDB("magnitude", top_db=80.0)(transform(clip[None]))
    return (decibels + 80) / 80


def phalar(state: State, features: Tensor) -> dict[str, Tensor]:
    """Apply PHALAR's network to images (B, 1, R, F); return what the vectors hold, complex numbers as two reals."""
    pooled = _spectral_pool(state, _axial_maps(state, features))
    hidden = pooled @ _complex(state["encoder.mlp.0.W.weight"]).T
    hidden = hidden / hidden.abs().square().mean(-1, keepdim=True).sqrt() * state["encoder.mlp.1.weight"]
    hidden = F.relu(hidden.abs() + state["encoder.mlp.2.b"]) * hidden / hidden.abs()
    embeddings = hidden @ _complex(state["encoder.mlp.3.W.weight"]).T
    unit = embeddings / embeddings.abs().square().sum(-1, keepdim=True).sqrt()
    one_way = ((unit @ _complex(state["similarity.W.W.weight"]).T) @ unit.mH).real
    return {
        "pooled": _two_reals(pooled),
        "embeddings": _two_reals(embeddings),
        "cross_scores": one_way,
        "cross_scores_hermitian": (one_way + one_way.T) / 2,
    }


def _axial_maps(state: State, features: Tensor) -> Tensor:
    prefix = "encoder.backbone."
    maps = F.conv2d(features, state[f"{prefix}input_proj.weight"])
    for layer in range(10):
        for part, padding in (("freq_conv", (1, 0)), ("time_conv", (0, 1)), ("pointwise_op", (0, 0))):
            maps = maps + _residual(state, f"{prefix}layers.{layer}.{part}.", maps, padding)
        compression = state.get(f"{prefix}layers.{layer}.compression.weight")
        if compression is not None:
            maps = F.conv2d(maps, compression, stride=(1, 2), padding=(0, 1))
    return maps


def _residual(state: State, prefix: str, maps: Tensor, padding: tuple[int, int]) -> Tensor:
    normed = F.group_norm(maps, maps.shape[1], state[f"{prefix}0.weight"], state[f"{prefix}0.bias"])
    hidden = F.silu(F.conv2d(normed, state[f"{prefix}1.weight"], state[f"{prefix}1.bias"], padding=padding))
    return F.conv2d(hidden, state[f"{prefix}3.weight"]) * state[f"{prefix}4.weight"][:, None, None]


def _spectral_pool(state: State, maps: Tensor) -> Tensor:
    columns = maps.transpose(1, 2).flatten(1, 2).transpose(1, 2)  # (B, F, R x C)
    read = (columns @ state["encoder.pooling.0.project_in.1.weight"].T).transpose(1, 2)
    missing = max(0, LEAST_FRAMES - read.shape[-1])
    padded = F.pad(read, (missing // 2, missing - missing // 2))
    kept = torch.fft.rfft(padded, norm="ortho")[..., 1 : COMPONENTS + 1]
    return (kept / kept.abs().mean((1, 2), keepdim=True)).flatten(1)


def _complex(weight: Tensor) -> Tensor:
    return torch.complex(*weight.chunk(2))


def _two_reals(values: Tensor) -> Tensor:
    return torch.view_as_real(values).transpose(-1, -2).contiguous()


def cocola_2026_features(clip: Tensor) -> Tensor:
    """Return the harmonic and the percussive image of one clip: (L,) -> (2, M, F)."""
    spectrogram = torchaudio.transforms.Spectrogram(n_fft=1024, win_length=400, hop_length=HOP_LENGTH, power=None)
    filterbank = librosa.filters.mel(sr=RATE, n_fft=1024, n_mels=64, fmin=60.0, fmax=7800.0)
    parts = librosa.decompose.hpss(spectrogram(clip).numpy())
    images = [librosa.power_to_db(filterbank @ np.abs(part) ** 2, ref=np.max, top_db=80.0) for part in parts]
    return torch.from_numpy(np.stack(images))


def cocola_2026(state: State, features: Tensor) -> tuple[Tensor, Tensor]:
    """Apply the later COCOLA's network to images (B, 2, M, F), some zeroed; return embeddings and cross scores."""
    import efficientnet_pytorch

    prefix = "encoder.backbone.model."
    network = efficientnet_pytorch.EfficientNet.from_name("efficientnet-b0", include_top=False, in_channels=2)
    network.load_state_dict({name.removeprefix(prefix): t for name, t in state.items() if name.startswith(prefix)})
    with torch.inference_mode():
        pooled = network.eval()(features).flatten(1)
    hidden = F.linear(pooled, state["encoder.mlp.0.weight"], state["encoder.mlp.0.bias"])
    running = [state[f"encoder.mlp.1.{part}"] for part in ("running_mean", "running_var", "weight", "bias")]
    hidden = F.silu(F.batch_norm(hidden, *running))
    projected = F.linear(hidden, state["encoder.mlp.3.weight"], state["encoder.mlp.3.bias"])
    norm = [state[f"similarity.layer_norm.{part}"] for part in ("weight", "bias")]
    embeddings = torch.tanh(F.layer_norm(projected, (512,), *norm))
    return embeddings, embeddings @ state["similarity.w"] @ embeddings.T
