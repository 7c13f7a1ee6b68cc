"""The recipes by name: for each rendered corpus, the source of its works and the rendering of one track."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .recipes import chorales, grooves, multitracks, projects, quartets, songs, tracker_modules
from .sources import SOURCES
from .studio import Stems, Studio
from .works import Corpus, Work


@dataclass(frozen=True)
class Recipe:
    """The making of one kind of tracks.

    Args:
        corpus: name of the corpus that the tracks belong to, one of `works.CORPORA`.
        share: share of the corpus' hours, relative to its other recipes.
        sources: names of the music's sources, from `sources.SOURCES`.
        find_works: function that lists the works under a folder of sources; it raises `SourceAbsent`.
        render: function that makes the stems of one track from a work, a duration in seconds, a studio and a generator.
        most_variants: largest number of renderings of one work.
        libraries: Python libraries needed beyond the base install.
    """

    corpus: Corpus
    share: float
    sources: tuple[str, ...]
    find_works: Callable[[Path], list[Work]]
    render: Callable[[Work, float, Studio, np.random.Generator], Stems]
    most_variants: int
    libraries: tuple[str, ...] = ()

    @property
    def licences(self) -> dict[str, str]:
        """Map each source to its licence."""
        return {name: SOURCES[name].licence for name in self.sources}


# Three corpora are each the likeness of one of the paper's: CocoChorales, Slakh2100 and MoisesDB.
RECIPES = {
    "chorales": Recipe(
        corpus="chorus",
        share=0.4,
        sources=("Bach chorales (music21 corpus)",),
        find_works=chorales.find_works,
        render=chorales.render,
        most_variants=24,
    ),
    "quartets": Recipe(
        corpus="chorus",
        share=0.6,
        sources=("OpenScore String Quartets",),
        find_works=quartets.find_works,
        render=quartets.render,
        most_variants=40,
    ),
    "multitracks": Recipe(
        corpus="bands",
        share=0.55,
        sources=("Freedoom", "Tanner Helland, free music", "OpenMSX (OpenTTD)", "Planet Blupi"),
        find_works=multitracks.find_works,
        render=multitracks.render,
        most_variants=24,
        libraries=("pretty_midi",),
    ),
    "grooves": Recipe(
        corpus="bands",
        share=0.45,
        sources=grooves.SOURCES,
        find_works=grooves.find_works,
        render=grooves.render,
        most_variants=12,
        libraries=("pretty_midi",),
    ),
    "songs": Recipe(
        corpus="songs",
        share=1.0,
        sources=grooves.SOURCES,
        find_works=grooves.find_works,
        render=songs.render,
        most_variants=12,
        libraries=("pretty_midi",),
    ),
    "projects": Recipe(
        corpus="desk",
        share=0.5,
        sources=("LMMS demo projects",),
        find_works=projects.find_works,
        render=projects.render,
        most_variants=15,  # 65 minutes exist: more only repeats the same excerpts
    ),
    "modules": Recipe(
        corpus="desk",
        share=0.5,
        sources=tuple(tracker_modules.LICENCES),
        find_works=tracker_modules.find_works,
        render=tracker_modules.render,
        most_variants=15,  # two and a half hours exist
    ),
}
