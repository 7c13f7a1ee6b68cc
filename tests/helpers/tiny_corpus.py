"""A corpus made in a moment: tones and clicks that share key and tempo within a track."""

from pathlib import Path

import numpy as np
import soundfile

RATE = 16_000


def write_corpus(root: Path, *, tracks: int = 4, seconds: float = 8.0) -> Path:
    """Write `root`/<split>/<track>/{low,high,drums}.flac for the splits train and validation."""
    rng = np.random.default_rng(0)
    time = np.arange(round(seconds * RATE)) / RATE
    for split in ("train", "validation"):
        for number in range(tracks):
            folder = root / split / f"track{number}"
            folder.mkdir(parents=True)
            pitch, tempo = 110 * 2 ** (rng.integers(12) / 12), rng.uniform(1, 3)
            for stem, partial in (("low", 1), ("high", 3)):
                tone = 0.2 * np.sin(2 * np.pi * pitch * partial * time) * (time * tempo % 1 < 0.5)
                soundfile.write(folder / f"{stem}.flac", tone, RATE)
            soundfile.write(folder / "drums.flac", rng.normal(0, 0.1, len(time)) * (time * tempo % 1 < 0.1), RATE)
    return root
