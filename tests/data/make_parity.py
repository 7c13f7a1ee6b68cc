"""Make the small reference vectors in parity/: what the original recipe computes, with the libraries that it uses.

Run `pip install efficientnet_pytorch librosa` and `python tests/data/make_parity.py`. The network is that library's own
EfficientNet-B0, the front ends are librosa and torchaudio call by call; of this package only the names of the weights
and their seeded values are used (`seeded_checkpoint.py`).
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

from original_recipe import librosa_chain  # noqa: E402
from parity_vectors import FEATURE_STEP, read_features  # noqa: E402
from seeded_checkpoint import seeded_state  # noqa: E402

RATE = 16_000
SECONDS = 5
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
    """Write the clips and, for each front end, its features, embeddings and cross scores."""
    folder = HERE / "parity"
    folder.mkdir(exist_ok=True)
    waveforms = []
    for name, (file, start) in CLIPS.items():
        audio, rate = soundfile.read(EXAMPLES / file, dtype="float32")
        mono = torch.from_numpy(audio if audio.ndim == 1 else audio.mean(1))
        clip = torchaudio.functional.resample(mono, rate, RATE)[start * RATE : (start + SECONDS) * RATE]
        soundfile.write(folder / f"{name}.flac", clip.numpy(), RATE, subtype="PCM_16")
        waveforms.append(torch.from_numpy(soundfile.read(folder / f"{name}.flac", dtype="float32")[0]))
    for kind, modes in MODES.items():
        front_end = original_mel if kind == "mel" else lambda clip: torch.from_numpy(librosa_chain(clip.numpy()))
        stored = torch.stack([front_end(clip) for clip in waveforms]).double() / FEATURE_STEP
        golden = {"names": np.array(list(CLIPS)), "features": stored.round().int().numpy()}
        features = torch.from_numpy(read_features(golden["features"]))
        for mode, zeroed in modes.items():
            heard = features.clone()
            heard[:, list(zeroed)] = 0
            golden[f"embeddings_{mode}"], golden[f"cross_scores_{mode}"] = _original_network(kind, heard)
        np.savez_compressed(folder / f"{kind}.npz", **golden)


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
