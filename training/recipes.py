"""The recipes: for each corpus we can make ourselves, where its works come from and how one track is rendered."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import desk, groove_bands, midi_bands, quartets
from .studio import Stems, Studio
from .works import Work


@dataclass(frozen=True)
class Recipe:
    """How one corpus is made.

    Args:
        share: Part of the hours, relative to the other recipes that are in use.
        licences: What the music comes from -> licence, for the manifest.
        find_works: Lists the works under a folder of sources; raises `SourceAbsent`.
        render: Makes the stems of one track from a work, a duration in seconds, a studio and a generator.
        most_variants: No work is rendered more often than this.
    """

    share: float
    licences: dict[str, str]
    find_works: Callable[[Path], list[Work]]
    render: Callable[[Work, float, Studio, np.random.Generator], Stems]
    most_variants: int


RECIPES = {
    "quartets": Recipe(
        share=0.25,
        licences={"OpenScore String Quartets": "CC0-1.0"},
        find_works=quartets.find_works,
        render=quartets.render,
        most_variants=40,
    ),
    "bands": Recipe(
        share=0.3,
        licences={"Freedoom": "BSD-3-Clause", "Tanner Helland, free music": "CC-BY-4.0"},
        find_works=midi_bands.find_works,
        render=midi_bands.render,
        most_variants=24,
    ),
    "grooves": Recipe(
        share=0.25,
        licences={"Nottingham dataset (jukedeck)": "GPL-3.0", "Musical MIDI Accompaniment": "GPL-2.0-or-later"},
        find_works=groove_bands.find_works,
        render=groove_bands.render,
        most_variants=12,
    ),
    "desk": Recipe(
        share=0.2,
        licences={"LMMS demo projects": "Artistic-2.0, CC-BY-SA-3.0, CC-BY-SA-4.0, BSD-2-Clause, GPL-2.0-or-later"},
        find_works=desk.find_works,
        render=desk.render,
        most_variants=15,  # 65 minutes exist: more only repeats the same excerpts
    ),
}
