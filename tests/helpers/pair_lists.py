"""A list of pairs with everything in it that a run over many processes has to report as one process does."""

from pathlib import Path

import numpy as np
import soundfile

RATE = 16_000
DAMAGED, SILENT, SHORT = 5, 11, 17
"""Numbers of the pairs with a damaged file, with a silent side, and with audio shorter than a window."""


def write_pairs(folder: Path, count: int = 24) -> Path:
    """Write pairs of short audio, some of which share a side, and return their list."""
    rng = np.random.default_rng(0)
    lines = ["conditioning,accompaniment,track"]
    for number in range(count):
        seconds = 1.5 if number == SHORT else 5 + number % 3
        time = np.arange(round(seconds * RATE)) / RATE
        for side in range(2):
            pitch, beat = 110 * 1.3 ** (number // 4) * (side + 1), np.sin((4 + 3 * (number // 4)) * time) > 0
            samples = 0.2 * np.sign(np.sin(2 * np.pi * pitch * time)) * beat + rng.normal(0, 0.001, len(time))
            if side and number == SILENT:
                samples = np.zeros(len(time))
            soundfile.write(folder / f"{side}_{number:02}.wav", samples, RATE, subtype="PCM_16")
        lines.append(f"0_{number - number % 2:02}.wav,1_{number:02}.wav,track {number // 4}")
    (folder / f"1_{DAMAGED:02}.wav").write_bytes(b"RIFF damaged")
    manifest = folder / "pairs.csv"
    manifest.write_text("\n".join(lines) + "\n")
    return manifest
