"""Make quartets.ogg: fourteen windows of rendered string quartets that no encoder was trained on.

Run `python tests/data/make_quartets.py CORPORA`, with the folder that `make corpora` wrote. The file is one stereo
track at 16 kHz in Ogg Vorbis, 5 s for each window: half of the stems on the left, the other half on the right. The
scores are OpenScore's, under CC0. The container draws a serial number, so the bytes differ from run to run and the
samples do not.
"""

import sys
from pathlib import Path

import numpy as np
import soundfile

from cocola_metric.audio import SAMPLE_RATE, WINDOW, mix_stems, read_audio

START = 5.0  # seconds
QUALITY = 0.7  # of libsndfile's scale of compression, where 1 is smallest
LENGTH = round(WINDOW * SAMPLE_RATE)


def main(corpora: Path) -> None:
    """Write the file."""
    windows = []
    for track in sorted((corpora / "chorus" / "test").glob("quartets__*")):
        stems = sorted(track.glob("*.flac"))
        half = len(stems) // 2
        sides = [mix_stems([read_audio(stem) for stem in side]) for side in (stems[:half], stems[half:])]
        start = round(START * SAMPLE_RATE)
        windows.append(np.stack([side[start : start + LENGTH] for side in sides], 1))
    file = Path(__file__).parent / "quartets.ogg"
    soundfile.write(
        file, np.concatenate(windows), SAMPLE_RATE, format="OGG", subtype="VORBIS", compression_level=QUALITY
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
