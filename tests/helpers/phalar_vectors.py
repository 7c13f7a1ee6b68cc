"""Reference vectors of the authors' two encoders of 2026: small ones of this repository, or all where they are."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import torch
from original_2026_names import SETTINGS_2026, seeded_state_2026
from parity_vectors import FEATURE_STEPS, SMALL, read_features
from seeded_checkpoint import write_checkpoint

from cocola_metric.checkpoints.loading import load
from cocola_metric.encoder.model import CocolaModel

SMALL_SECONDS = 2  # so long is a clip of the small vectors
JOINED = {"small": ("s0_cond", "s1_acc"), "full": ("s0_cond", "s1_cond")}  # clips behind the vectors of other lengths


@dataclass(frozen=True)
class Vectors:
    """Clips, what the original computes of them by name, and the encoder that it does it with.

    `joined` are two whole clips, one after the other: (10 s,).
    """

    names: tuple[str, ...]
    waveforms: torch.Tensor
    joined: torch.Tensor
    golden: dict[str, torch.Tensor]
    checkpoint: Path
    model: CocolaModel

    def tensor(self, name: str) -> torch.Tensor:
        """Return what is stored under a name; complex embeddings as real parts, then imaginary ones."""
        values = self.golden[name]
        return values.flatten(-2) if name.startswith(("embedding", "pooled")) and values.shape[-2] == 2 else values


def read_small_2026(kind: str, folder: Path) -> Vectors:
    """Read the small vectors of "phalar" or "cocola_2026"; write their seeded checkpoint into a folder."""
    checkpoint = write_checkpoint(folder / f"{kind}.ckpt", kind, seeded_state_2026(kind), **SETTINGS_2026[kind])
    vectors = _read("small", SMALL / f"{kind}.npz", SMALL, checkpoint)
    stored = vectors.golden["features"].numpy()
    vectors.golden["features"] = torch.from_numpy(read_features(stored, FEATURE_STEPS[kind]))
    return vectors


def read_full_2026(kind: str, folder: Path) -> Vectors:
    """Read the vectors that the authors' code stored, from the folder of all vectors."""
    return _read("full", folder / kind / "golden.npz", folder / "hps", folder / kind / "reference.ckpt")


def _read(size: str, stored: Path, clips: Path, checkpoint: Path) -> Vectors:
    golden = dict(np.load(stored))
    names = tuple(str(name) for name in golden.pop("names"))
    waveforms = {name: _clip(clips, name) for name in {*names, *JOINED[size]}}
    length = SMALL_SECONDS * 16_000 if size == "small" else None
    return Vectors(
        names,
        torch.stack([waveforms[name][:length] for name in names]),
        torch.cat([waveforms[name] for name in JOINED[size]]),
        {name: torch.from_numpy(values) for name, values in golden.items()},
        checkpoint,
        load(checkpoint).model,
    )


def _clip(folder: Path, name: str) -> torch.Tensor:
    (file,) = folder.glob(f"{name}.*")
    return torch.from_numpy(soundfile.read(file, dtype="float32")[0])
