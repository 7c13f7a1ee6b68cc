"""The studio: instruments that turn parts into stems, and the channel strips that mix them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from .channel_strip import apply_channel_strip
from .drumkits import Drumkit
from .notation import Part
from .synth import Synthesizer

Stems = dict[str, NDArray[np.float32]]  # name -> (L,) at 16 kHz, all of one length

SAMPLED_KIT_PROBABILITY = 0.5
FONT_KITS = (0, 8, 16, 24, 25, 32, 40)  # standard, room, power, electronic, TR-808, jazz, brush
AUDIBLE_LEVEL = 1e-4
FEWEST_GROUPS, MOST_GROUPS = 3, 8


class Studio:
    """A synthesizer and sampled drum kits, as a context manager; loaded once, used for many tracks.

    Args:
        fonts: SoundFont files; `Part.font` is an index into them.
        drumkits: sampled kits that may replace the fonts' drums.
    """

    def __init__(self, fonts: Sequence[Path], drumkits: Sequence[Drumkit] = ()) -> None:
        self.font_count = len(fonts)
        self._synthesizer = Synthesizer(fonts)
        self._drumkits = drumkits

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._synthesizer.close()

    def draw_font(self, generator: np.random.Generator) -> int:
        """Draw the font that plays a part."""
        return int(generator.integers(self.font_count))

    def record(self, parts: Sequence[Part], duration: float) -> Stems:
        """Play parts on the SoundFonts and sum those of one name: dry stems."""
        stems: Stems = {}
        for part, signal in zip(parts, self._synthesizer.render(parts, duration), strict=True):
            stems[part.name] = stems[part.name] + signal if part.name in stems else signal
        return stems

    def record_band(self, parts: Sequence[Part], duration: float, generator: np.random.Generator) -> Stems:
        """Return dry stems as `record` does; the drums are on a sampled kit half the time, else on one of the fonts."""
        kit_number = int(generator.choice(FONT_KITS))
        stems = self.record([replace(part, program=kit_number) if part.is_drum else part for part in parts], duration)
        if not self._drumkits or generator.random() >= SAMPLED_KIT_PROBABILITY:
            return stems
        drumkit = self._drumkits[int(generator.integers(len(self._drumkits)))]
        for name in {part.name for part in parts if part.is_drum}:
            notes = [note for part in parts if part.is_drum and part.name == name for note in part.notes]
            sampled = drumkit.render(notes, duration, generator)
            if np.abs(sampled).max(initial=0.0) > AUDIBLE_LEVEL:
                stems[name] = sampled
        return stems


def mix(stems: Mapping[str, NDArray[np.float32]], generator: np.random.Generator) -> Stems:
    """Send every audible stem through a channel strip of its own; inaudible stems are left out."""
    return {
        name: apply_channel_strip(stem, generator)
        for name, stem in stems.items()
        if np.abs(stem).max(initial=0.0) > AUDIBLE_LEVEL
    }


def group_stems(stems: Stems, generator: np.random.Generator) -> Stems:
    """Sum stems at random into three to eight groups, each named after its first stem."""
    most = min(MOST_GROUPS, len(stems))
    count = int(generator.integers(min(FEWEST_GROUPS, most), most + 1))
    names = [str(name) for name in generator.permutation(list(stems))]
    groups = (names[number::count] for number in range(count))
    return {group[0]: np.sum([stems[name] for name in group], axis=0) for group in groups}
