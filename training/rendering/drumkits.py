"""A sampler for Hydrogen drum kits: recorded one-shots with velocity layers, played by General MIDI drum notes."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.signal import resample_poly

from cocola_metric.audio import SAMPLE_RATE

from .notation import Note

DRUMKITS_FOLDER = Path("/usr/share/hydrogen/data/drumkits")
KICK, SNARE, CLOSED_HAT = 35, 38, 42
# What instruments are called in the kits -> the General MIDI key; the first pattern that matches decides.
PIECES = (
    (KICK, r"kick|bass ?drum|\bbd"),
    (37, r"stick|rim"),
    (39, r"clap"),
    (SNARE, r"snare|\bsn"),
    (CLOSED_HAT, r"closed|hh ?c|chh|hihat c"),
    (44, r"pedal|foot"),
    (46, r"open|ohh"),
    (49, r"crash"),
    (51, r"ride"),
    (45, r"low ?tom|floor|tom ?3"),
    (47, r"mid ?tom|tom ?2"),
    (50, r"tom"),
    (56, r"cow"),
    (54, r"tamb"),
    (CLOSED_HAT, r"hat|hh"),
)
# Keys that share a piece: second kick and snare, other crashes and rides, six toms on three, shakers on the hat.
SUBSTITUTES = {36: 35, 40: 38, 57: 49, 55: 49, 52: 49, 59: 51, 53: 51, 41: 45, 43: 45, 48: 50, 69: 42, 70: 42, 82: 42}


@dataclass(frozen=True)
class Layer:
    """One recorded hit and the velocities (0-1) that trigger it."""

    lowest: float
    highest: float
    path: Path

    @cached_property
    def samples(self) -> NDArray[np.float32]:
        """The recording in mono at 16 kHz, read when it is first needed; shape (L,)."""
        samples, rate = soundfile.read(self.path, dtype="float32", always_2d=True)
        divisor = math.gcd(rate, SAMPLE_RATE)
        resampled: NDArray[np.float32] = resample_poly(samples.mean(axis=1), SAMPLE_RATE // divisor, rate // divisor)
        return resampled.astype(np.float32)


class Drumkit:
    """One kit, read from its folder when it is first needed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def pieces(self) -> dict[int, list[Layer]]:
        """The layers of each instrument by its General MIDI key."""
        document = (self.folder / "drumkit.xml").read_text(errors="replace")
        # Some kits declare a namespace and some use one without declaring it: neither is of interest here.
        kit = ElementTree.fromstring(re.sub(r'\s(?:xmlns|xsi)(?::\w+)?="[^"]*"', "", document))
        pieces: dict[int, list[Layer]] = {}
        for instrument in kit.iter("instrument"):
            name = (instrument.findtext("name") or "").lower()
            key = next((key for key, pattern in PIECES if re.search(pattern, name)), None)
            if key is not None and key not in pieces and (layers := self._read_layers(instrument)):
                pieces[key] = layers
        return pieces

    @property
    def is_complete(self) -> bool:
        """Whether the kit has the three pieces that every beat needs."""
        return self.pieces.keys() >= {KICK, SNARE, CLOSED_HAT}

    def render(self, notes: Sequence[Note], duration: float, generator: np.random.Generator) -> NDArray[np.float32]:
        """Play drum notes; notes for pieces the kit lacks are left out.

        Shape:
            -> (L,), L = round(duration * 16000).
        """
        stem = np.zeros(round(duration * SAMPLE_RATE), np.float32)
        for note in notes:
            layers = self.pieces.get(SUBSTITUTES.get(note.pitch, note.pitch))
            position = int(note.start * SAMPLE_RATE)
            if not layers or position >= len(stem):
                continue
            velocity = float(np.clip(note.velocity / 127 + generator.normal(0, 0.03), 0.02, 1))
            fitting = [layer for layer in layers if layer.lowest <= velocity <= layer.highest] or layers[-1:]
            hit = fitting[generator.integers(len(fitting))].samples[: len(stem) - position]
            stem[position : position + len(hit)] += hit * velocity**1.5
        return stem

    def _read_layers(self, instrument: ElementTree.Element) -> list[Layer]:
        layers = []
        for element in list(instrument.iter("layer")) or [instrument]:
            path = self.folder / (element.findtext("filename") or "")
            if path.is_file():
                lowest, highest = float(element.findtext("min") or 0), float(element.findtext("max") or 1)
                layers.append(Layer(lowest, highest, path))
        return layers


def find_drumkits(folder: Path = DRUMKITS_FOLDER) -> tuple[Drumkit, ...]:
    """Return the installed kits that have kick, snare and hi-hat; there are none without Hydrogen's kits."""
    kits = (Drumkit(path.parent) for path in sorted(folder.glob("*/drumkit.xml")))
    return tuple(kit for kit in kits if kit.is_complete)
