"""Reference vectors that the original authors' code made, and the encoder they belong to."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray

from cocola_metric.checkpoints.loading import load
from cocola_metric.encoder.model import MODES, CocolaModel

SMALL = Path(__file__).parents[1] / "data" / "parity"
FEATURE_STEPS = {"mel": 2.0**-12, "hps": 2.0**-8, "cocola_2026": 2.0**-8, "phalar": 2.0**-13}
"""Steps of the features in the small vectors, far below the tolerances of the tests: dB, for PHALAR 80 dB."""


@dataclass(frozen=True)
class ParityVectors:
    """Clips, and what the original code made of them; embeddings and cross scores by mode."""

    clips: dict[str, Path]
    checkpoint: Path
    waveforms: torch.Tensor
    features: torch.Tensor
    embeddings: dict[str, torch.Tensor]
    cross_scores: dict[str, torch.Tensor]
    model: CocolaModel

    @property
    def names(self) -> list[str]:
        """Names of the clips, in the order of all rows."""
        return list(self.clips)


def read_vectors(folder: Path, golden: Path, checkpoint: Path) -> ParityVectors:
    """Read the clips in a folder, what the original made of them, and the weights it had."""
    arrays = np.load(golden)
    clips = {str(name): next(folder.glob(f"{name}.*")) for name in arrays["names"]}
    modes = [mode for mode in MODES if f"embeddings_{mode}" in arrays]
    return ParityVectors(
        clips,
        checkpoint,
        torch.from_numpy(np.stack([soundfile.read(file, dtype="float32")[0] for file in clips.values()])),
        torch.from_numpy(
            read_features(arrays["features"], FEATURE_STEPS[golden.stem if folder == SMALL else folder.name])
        ),
        {mode: torch.from_numpy(arrays[f"embeddings_{mode}"]) for mode in modes},
        {mode: torch.from_numpy(arrays[f"cross_scores_{mode}"]) for mode in modes},
        load(checkpoint).model,
    )


def pack_features(features: NDArray[np.floating], step: float) -> NDArray[np.uint8]:
    """Return features as whole multiples of a step, byte by byte, which compresses best: (4, ...)."""
    multiples = np.round(features / step).astype("<i4")
    return np.moveaxis(multiples[..., None].view(np.uint8), -1, 0)


def read_features(stored: NDArray[np.generic], step: float) -> NDArray[np.float32]:
    """Return features as they were stored, or from what `pack_features` made of them."""
    if stored.dtype != np.uint8:
        return stored.astype(np.float32)
    multiples = np.ascontiguousarray(np.moveaxis(stored, 0, -1)).view("<i4")[..., 0]
    return (multiples * step).astype(np.float32)
