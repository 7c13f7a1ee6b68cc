"""Reference vectors that the original authors' code made, and the encoder they belong to."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import torch

from cocola_metric.checkpoints.loading import load
from cocola_metric.encoder.model import MODES, CocolaModel


@dataclass(frozen=True)
class ParityVectors:
    """Clips, and what the original code made of them; embeddings and cross scores by mode."""

    folder: Path
    names: list[str]
    waveforms: torch.Tensor
    features: torch.Tensor
    embeddings: dict[str, torch.Tensor]
    cross_scores: dict[str, torch.Tensor]
    model: CocolaModel


def read_vectors(folder: Path) -> ParityVectors:
    golden = np.load(folder / "golden.npz")
    names = [str(name) for name in golden["names"]]
    clips = [soundfile.read(folder / f"{name}.wav", dtype="float32")[0] for name in names]
    modes = [mode for mode in MODES if f"embeddings_{mode}" in golden]
    return ParityVectors(
        folder,
        names,
        torch.from_numpy(np.stack(clips)),
        torch.from_numpy(golden["features"]),
        {mode: torch.from_numpy(golden[f"embeddings_{mode}"]) for mode in modes},
        {mode: torch.from_numpy(golden[f"cross_scores_{mode}"]) for mode in modes},
        load(folder / "reference.ckpt").model,
    )
