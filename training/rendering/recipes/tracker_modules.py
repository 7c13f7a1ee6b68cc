"""The recipe `modules`: tracker music of free games, taken apart by instrument and mixed anew.

A tracker module holds its own samples and patterns, so muting all instruments but one gives a stem of that one. The
packages of `PACKAGES` bring modules; they need not be installed:

    mkdir -p SOURCES/scores/modules && cd SOURCES/scores/modules && apt-get download pingus-data tecnoballz-data ...
    for deb in *.deb; do mkdir ${deb%%_*}; dpkg -x $deb ${deb%%_*}; done
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cocola_metric.errors import MissingExtraError

from ..notation import ScoreError
from ..openmpt import Module, Voices, load_library
from ..studio import Stems, Studio, group_stems, mix
from ..works import SourceAbsent, Work, group_works, work_name

MODULE_SUFFIXES = frozenset({".xm", ".it", ".s3m", ".mod", ".mo3", ".mptm"})
ATTEMPTS = 8
LARGEST_RESIDUE = 10 ** (-30 / 20)  # of the RMS of the mix; exact stems leave -110 dB, songs with tricks up to 0 dB


@dataclass(frozen=True)
class Package:
    """A Debian package with modules, the folder it installs them in and their licence.

    The checksum (`sources.manifest_sha256`) is of the modules in the version named.
    """

    name: str
    folder: Path
    licence: str
    version: str
    sha256: str


GAMES = Path("/usr/share/games")
PACKAGES = (
    Package(
        "circuslinux-data",
        GAMES / "circuslinux/data/music",
        "GPL",
        "1.0.3-34.1",
        "8510abfc5ec1210c04efdd3d30752dc74e00fd803c64dec6d4505652c0d1b42b",
    ),
    Package(
        "criticalmass-data",
        GAMES / "criticalmass",
        "GPL-2.0-or-later",
        "1:1.0.2-3",
        "c02a55d2225ac362af779cf7e547c284c864cd762add878b12902c280ffb2704",
    ),
    Package(
        "gltron",
        GAMES / "gltron/music",
        "GPL-2.0-or-later",
        "0.70final-12.4",
        "7d61136d32704846da0dbad0fc75d48f1d97391e833bd2f5493f82a31b9add63",
    ),
    Package(
        "heroes-sound-tracks",
        GAMES / "heroes/mod",
        "GPL-2.0-or-later",
        "1.0-6",
        "288f3dfed810763cd787a0ceae8ae15cc632466d2c693f594166b1b64e126531",
    ),
    Package(
        "madbomber-data",
        GAMES / "madbomber/music",
        "GPL-2.0",
        "0.2.5-9",
        "7dfc408e44546a1579a2d48d6f3111efe2fbac1cf6bb1050ba97db3f15e69f8c",
    ),
    Package(
        "open-invaders-data",
        Path("/usr/share/open-invaders"),
        "GPL-2.0-or-later",
        "0.3-8",
        "e66b10dd954abedc682dd37c029a91a3eb4cb702e8c6cb933046871c2d4766a6",
    ),
    Package(
        "pingus-data",
        GAMES / "pingus/data/music",
        "GPL-2.0-or-later",
        "0.7.6-5.1",
        "2d88f5e6c7cc4917648ad2ca2f58428653b9b20eb0123245226696bc8014b81b",
    ),
    Package(
        "tecnoballz-data",
        GAMES / "tecnoballz/musics",
        "GPL-3.0-or-later",
        "0.93.1-10",
        "b7b613074298de9d249dfc504a8b4e9936ed5cbe31cf072d92c2f1a4eeecd6b5",
    ),
    Package(
        "vectoroids",
        GAMES / "vectoroids/music",
        "GPL",
        "1.1.0-16",
        "d59df838f43d58a140d0f0aac6fde73213c9a4e40421d007611850f77d114273",
    ),
)
LICENCES = {f"modules of Debian's {package.name}": package.licence for package in PACKAGES}
ARRANGEMENTS = {"tecnoballz-data-area1-game2": "tecnoballz-data-area1-game"}  # the same tune with other samples


def find_works(sources: Path) -> list[Work]:
    """List the modules in `sources`/scores/modules/<package>/ and in the folders of installed packages."""
    try:
        load_library()
    except MissingExtraError as error:
        raise SourceAbsent(str(error)) from error
    folder = sources / "scores" / "modules"
    titles = {path: " ".join((*path.relative_to(folder).parent.parts[:1], path.stem)) for path in _list_modules(folder)}
    for package in PACKAGES:
        titles |= {path: f"{package.name} {path.stem}" for path in _list_modules(package.folder)}
    if not titles:
        names = " ".join(package.name for package in PACKAGES)
        raise SourceAbsent(
            f"no tracker module in {folder}; run there `apt-get download {names}`, then "
            "`for deb in *.deb; do mkdir ${deb%%_*}; dpkg -x $deb ${deb%%_*}; done`"
        )
    distinct: dict[bytes, Path] = {}
    for path in titles:
        distinct.setdefault(hashlib.sha256(path.read_bytes()).digest(), path)

    def title_of(path: Path) -> str:
        name = work_name(titles[path])
        return ARRANGEMENTS.get(name, name)

    return group_works(distinct.values(), title_of)


def render(work: Work, duration: float, studio: Studio, generator: np.random.Generator) -> Stems:
    """Cut out one excerpt, group its audible stems at random to at most eight, and mix them."""
    path = work.paths[generator.integers(len(work.paths))]
    return mix(group_stems(_draw_excerpt(path, duration, generator), generator), generator)


def _list_modules(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.suffix.lower() in MODULE_SUFFIXES and path.is_file())


def _draw_excerpt(path: Path, duration: float, generator: np.random.Generator) -> Stems:
    """Draw an excerpt of at least two stems: instruments, or channels if instruments cannot be separated."""
    module = Module(path)
    seconds = min(duration, module.duration)
    for _ in range(ATTEMPTS):
        start = generator.uniform(0, module.duration - seconds)
        whole = module.play(start, seconds)
        for voices in (Voices.INSTRUMENT, Voices.CHANNEL):
            stems = module.solo(voices, start, seconds)
            if len(stems) >= 2 and _add_up(list(stems.values()), whole):
                return stems
    raise ScoreError(f"{path}: no excerpt in which two stems are audible and add up to the mix")


def _add_up(stems: Sequence[NDArray[np.float32]], whole: NDArray[np.float32]) -> bool:
    """Return whether stems add up to a mix; voices that change each other, by global effects for example, do not."""
    residue = np.sum(stems, axis=0) - whole
    return bool(np.linalg.norm(residue) < LARGEST_RESIDUE * np.linalg.norm(whole))
