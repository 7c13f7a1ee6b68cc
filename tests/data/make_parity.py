"""Make the small reference vectors in parity/: what the original recipe computes, with the libraries that it uses.

Run `pip install --no-deps efficientnet_pytorch==0.7.1 nnAudio==0.3.4`, `pip install librosa` and
`python tests/data/make_parity.py`. The network is that library's own EfficientNet-B0; the front ends are librosa,
torchaudio and nnAudio, call by call; PHALAR's network is written out in `original_2026_recipe.py`. Of this package only
the names of the weights and their seeded values are used (`seeded_checkpoint.py`). `tests/test_parity_vectors.py` holds
the recipe to what the authors' own code stored.
"""

import sys
from pathlib import Path

import efficientnet_pytorch
import numpy as np
import soundfile
import torch
import torchaudio
from torch import Tensor, nn

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "helpers"))

from original_2026_names import seeded_state_2026  # noqa: E402
from original_2026_recipe import cocola_2026, cocola_2026_features, phalar, phalar_features  # noqa: E402
from original_recipe import librosa_chain  # noqa: E402
from parity_vectors import FEATURE_STEPS, pack_features, read_features  # noqa: E402
from phalar_vectors import JOINED, SMALL_SECONDS  # noqa: E402
from seeded_checkpoint import seeded_state  # noqa: E402

RATE = 16_000
SECONDS = 5
PARITY = HERE / "parity"
EXAMPLES = HERE.parents[1] / "examples"
CLIPS = {  # name -> stem of an example song (CC0), first second
    "s0_cond": ("harbour/drums.flac", 4),
    "s0_acc": ("harbour/keys.flac", 4),
    "s1_acc": ("lantern/melody.flac", 6),
}
MODES = {"mel": {"both": ()}, "hps": {"both": (), "harmonic": (1,), "percussive": (0,)}}  # channels that are zeroed


def original_mel(waveform: Tensor) -> Tensor:
    """The single-channel front end: (L,) -> (1, M, F)."""
    spectrogram = torchaudio.transforms.MelSpectrogram(
        sample_rate=RATE, n_fft=1024, win_length=400, hop_length=160, n_mels=64, f_min=60.0, f_max=7800.0
    )
    return torchaudio.transforms.AmplitudeToDB()(spectrogram(waveform))[None]


def main() -> None:
    """Write the clips and, for each encoder, its features, embeddings and cross scores."""
    PARITY.mkdir(exist_ok=True)
    clips = _write_clips()
    for kind, modes in MODES.items():
        front_end = original_mel if kind == "mel" else lambda clip: torch.from_numpy(librosa_chain(clip.numpy()))
        golden, features = _packed(kind, torch.stack([front_end(clip) for clip in clips]))
        for mode, zeroed in modes.items():
            results = _original_network(kind, _without(features, zeroed))
            golden[f"embeddings_{mode}"], golden[f"cross_scores_{mode}"] = results
        _write(kind, golden)
    short = torch.stack(clips)[:, : SMALL_SECONDS * RATE]
    with torch.inference_mode():
        _write("cocola_2026", _cocola_2026(short))
        _write("phalar", _phalar(short, torch.cat([clips[list(CLIPS).index(name)] for name in JOINED["small"]])))


def _write_clips() -> list[Tensor]:
    waveforms = []
    for name, (file, start) in CLIPS.items():
        audio, rate = soundfile.read(EXAMPLES / file, dtype="float32")
        mono = torch.from_numpy(audio if audio.ndim == 1 else audio.mean(1))
        clip = torchaudio.functional.resample(mono, rate, RATE)[start * RATE : (start + SECONDS) * RATE]
        soundfile.write(PARITY / f"{name}.flac", clip.numpy(), RATE, subtype="PCM_16")
        waveforms.append(torch.from_numpy(soundfile.read(PARITY / f"{name}.flac", dtype="float32")[0]))
    return waveforms


def _packed(kind: str, features: Tensor) -> tuple[dict[str, np.ndarray], Tensor]:
    """Return the beginning of a file, and the features as they are read from it."""
    packed = pack_features(features.double().numpy(), FEATURE_STEPS[kind])
    golden = {"names": np.array(list(CLIPS)), "features": packed}
    return golden, torch.from_numpy(read_features(packed, FEATURE_STEPS[kind]))


def _without(features: Tensor, zeroed: tuple[int, ...]) -> Tensor:
    heard = features.clone()
    heard[:, list(zeroed)] = 0
    return heard


def _cocola_2026(clips: Tensor) -> dict[str, np.ndarray]:
    state = seeded_state_2026("cocola_2026")
    golden, features = _packed("cocola_2026", torch.stack([cocola_2026_features(clip) for clip in clips]))
    for mode, zeroed in MODES["hps"].items():
        embeddings, scores = cocola_2026(state, _without(features, zeroed))
        golden |= {f"embeddings_{mode}": embeddings.numpy(), f"cross_scores_{mode}": scores.numpy()}
    return golden


def _phalar(clips: Tensor, joined: Tensor) -> dict[str, np.ndarray]:
    state = seeded_state_2026("phalar")
    golden, features = _packed("phalar", torch.stack([phalar_features(clip) for clip in clips]))
    golden |= {name: values.numpy() for name, values in phalar(state, features).items()}
    for seconds in (2, 3, 7, 10):
        alone = phalar(state, phalar_features(joined[: seconds * RATE])[None])
        golden[f"embedding_{seconds}s"] = alone["embeddings"][0].numpy()
    return golden


def _write(kind: str, golden: dict[str, np.ndarray]) -> None:
    np.savez_compressed(PARITY / f"{kind}.npz", **golden)


def _original_network(kind: str, features: Tensor) -> tuple[np.ndarray, np.ndarray]:
    state = seeded_state(kind)
    network = efficientnet_pytorch.EfficientNet.from_name(
        "efficientnet-b0", include_top=False, in_channels=features.shape[1]
    )
    prefix = "encoder.encoder.model.0."
    network.load_state_dict({name.removeprefix(prefix): t for name, t in state.items() if name.startswith(prefix)})
    projection, norm = nn.Linear(1280, 512), nn.LayerNorm(512)
    projection.load_state_dict({part: state[f"encoder.projection.{part}"] for part in ("weight", "bias")})
    norm.load_state_dict({part: state[f"layer_norm.{part}"] for part in ("weight", "bias")})
    with torch.inference_mode():
        embeddings = torch.tanh(norm(projection(network.eval()(features).flatten(1))))
        scores = embeddings @ state["similarity.w"] @ embeddings.T
    return embeddings.numpy(), scores.numpy()


if __name__ == "__main__":
    main()
