"""Reference vectors of the authors' two encoders of 2026, on the clips of the HP vectors."""

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import torch

from cocola_metric.checkpoints.loading import load
from cocola_metric.encoder.model import CocolaModel


@dataclass(frozen=True)
class Vectors:
    """Clips, what the original code made of them by name, and the encoder that it did it with."""

    names: tuple[str, ...]
    waveforms: torch.Tensor
    golden: dict[str, torch.Tensor]
    model: CocolaModel

    def tensor(self, name: str) -> torch.Tensor:
        """Return what is stored under a name; complex embeddings as real parts, then imaginary ones."""
        values = self.golden[name]
        return values.flatten(-2) if name.startswith(("embedding", "pooled")) and values.shape[-2] == 2 else values


@functools.cache
def _read(folder: Path, kind: str) -> Vectors:
    golden = dict(np.load(folder / kind / "golden.npz"))
    names = tuple(str(name) for name in golden.pop("names"))
    clips = [soundfile.read(folder / "hps" / f"{name}.wav", dtype="float32")[0] for name in names]
    model = load(folder / kind / "reference.ckpt").model
    tensors = {name: torch.from_numpy(values) for name, values in golden.items()}
    return Vectors(names, torch.from_numpy(np.stack(clips)), tensors, model)


def read_phalar(folder: Path) -> Vectors:
    """Read the vectors of PHALAR from the folder of all vectors."""
    return _read(folder, "phalar")


def read_cocola_2026(folder: Path) -> Vectors:
    """Read the vectors of the COCOLA of 2026 from the folder of all vectors."""
    return _read(folder, "cocola_2026")
