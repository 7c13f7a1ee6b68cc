"""Make the audio files beside this script: six seconds of a two-part piece, the accompaniment in every format.

Run `python tests/data/make_data.py`. The samples are the same on every run; the OGG container draws a serial number, so
that one file's bytes differ.
"""

from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

RATE = 16_000
BEAT = 0.5  # seconds
CHORDS = ((57, 60, 64), (53, 57, 60), (55, 60, 64), (55, 59, 62))  # Am F C/G G, MIDI note numbers, three beats each
MELODY = (69, 72, 76, 72, 69, 65, 67, 72, 76, 74, 71, 67)  # one note a beat
HARMONICS = (1.0, 0.4, 0.15, 0.05)
FORMATS = {
    "accompaniment.wav": {"format": "WAV", "subtype": "MS_ADPCM"},
    "accompaniment.flac": {"format": "FLAC", "subtype": "PCM_16"},
    "accompaniment.ogg": {"format": "OGG", "subtype": "VORBIS"},
    "accompaniment.mp3": {"format": "MP3", "subtype": "MPEG_LAYER_III"},
    "accompaniment.aiff": {"format": "AIFF", "subtype": "ULAW"},
}

Signal = NDArray[np.float64]


def tone(note: int, seconds: float) -> Signal:
    """Render one plucked note: a few harmonics, each decaying faster than the one below."""
    t = np.arange(round(seconds * RATE)) / RATE
    frequency = 440.0 * 2.0 ** ((note - 69) / 12)
    partials = [
        level * np.exp(-2.0 * n * t) * np.sin(2 * np.pi * n * frequency * t) for n, level in enumerate(HARMONICS, 1)
    ]
    fade = np.minimum(1.0, np.minimum(t, t[::-1]) / 0.005)
    return np.asarray(fade * np.sum(partials, axis=0))


def conditioning() -> Signal:
    """Render the chords, each held for three beats."""
    return 0.1 * np.concatenate([sum(tone(note, 3 * BEAT) for note in chord) for chord in CHORDS])


def accompaniment() -> Signal:
    """Render the melody over the chords."""
    return 0.25 * np.concatenate([tone(note, BEAT) for note in MELODY])


def main() -> None:
    """Write the files."""
    folder = Path(__file__).parent
    soundfile.write(folder / "conditioning.flac", conditioning(), RATE, subtype="PCM_16")
    for name, encoding in FORMATS.items():
        soundfile.write(folder / name, accompaniment(), RATE, **encoding)


if __name__ == "__main__":
    main()
