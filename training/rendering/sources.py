"""The sources of rendered music: the origin, licence and checksum of each, and how to fetch it."""

import argparse
import hashlib
import json
import logging
import sys
import tempfile
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from tqdm import tqdm

from cocola_metric.errors import CocolaError
from cocola_metric.identity import file_sha256

from .downloads import LARGEST_ARCHIVE, Archive, SingleFiles, download, unpack
from .recipes import grooves, multitracks, tracker_modules

logger = logging.getLogger(__name__)

MIDI = frozenset({".mid"})


@dataclass(frozen=True)
class DebianPackage:
    """A package that installs a source, in the version of the checksum."""

    name: str
    version: str


@dataclass(frozen=True)
class ByHand:
    """The steps by which a person gets a source."""

    instruction: str


@dataclass(frozen=True)
class Source:
    """Files of music under one licence.

    Args:
        licence: SPDX identifier, or words if there is none.
        origin: way to get the files.
        sha256: checksums of the known versions (see `manifest_sha256`), beginning with the one that `origin` gives.
        folder: place of the files in a folder of sources.
        installed: place of the files of an installed package.
        suffixes: suffixes of its files, in lower case.
    """

    licence: str
    origin: Archive | SingleFiles | DebianPackage | ByHand
    sha256: tuple[str, ...]
    folder: str | None = None
    installed: Path | None = None
    suffixes: frozenset[str] = MIDI

    def find_files(self, sources: Path) -> list[Path]:
        """List its files in `sources`, or else those of its installed package."""
        given = self.list_files(sources / self.folder) if self.folder else []
        return given or (self.list_files(self.installed) if self.installed else [])

    def list_files(self, folder: Path) -> list[Path]:
        """List the files with its suffixes in a folder, at any depth."""
        return [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in self.suffixes and path.is_file()]


def _module_source(package: tracker_modules.Package) -> Source:
    return Source(
        licence=package.licence,
        origin=DebianPackage(package.name, package.version),
        sha256=(package.sha256,),
        folder=f"scores/modules/{package.name}",
        installed=package.folder,
        suffixes=tracker_modules.MODULE_SUFFIXES,
    )


def _music21_folder() -> Path | None:
    try:
        library = find_spec("music21")
    except ValueError:  # someone keeps it from being imported
        return None
    return Path(library.origin).parent / "corpus" / "bach" if library and library.origin else None


# Debian package -> the version whose modules were counted, and their checksum.
HELLAND_TITLES = (
    *("A Memory Away", "Aerith's Theme - Piano arrangement", "Alagaesia and Eragon - Piano arrangement"),
    *("Assault on Mist Castle", "Carol Of The Bells (Christmas)", "Clowns", "Crossroads"),
    *("Cyaron's Gate", "Dark Knight", "Daybreak", "Deeper", "Defiance (long remix)", "Defiance"),
    *("Deserve to be Loved", "Destiny", "Faith (love remix)", "Faith", "Familiar Roads", "Fate"),
    *("Find You (march remix)", "Find You", "From Here", "Halls of Despair", "Hidden Tears", "Home"),
    *("Honky-Tonk Villain", "King of the Desert", "Leaving Millie", "Lost Islands"),
    *("March of the Zargansk", "Nevermore", "Now or Never", "Ominosity", "Purgatory's Mansion"),
    *("Reign of Anarchy", "Remember", "Retribution", "Surreptitious", "Syntheticity"),
    *("The Forest Awakes", "The Haunting", "The Journey (Kroc's Theme)", "Thugs"),
    *("Tiberian National Anthem", "Unknown", "White Knight (remix of DragonFyre's original)"),
    "Wild Waters",
)
GITHUB = "https://github.com"
SOURCES: dict[str, Source] = {
    "Bach chorales (music21 corpus)": Source(
        licence="public domain; encodings by permission, some non-commercial",
        origin=ByHand("pip install 'cocola-metric[corpora]' brings them with music21 (10.5.1 has this checksum)"),
        sha256=("602ee9968a713f43554ba349dcafad5d6d198e3d83ecac087e1fb0539e351322",),
        installed=_music21_folder(),
        suffixes=frozenset({".mxl", ".xml", ".krn", ".rntxt"}),
    ),
    "OpenScore String Quartets": Source(
        licence="CC0-1.0",
        origin=Archive(
            url=f"{GITHUB}/OpenScore/StringQuartets/archive/301e0a480a478e367ceca9d01b38afceabfbb1cc.tar.gz",
            members=r"scores/([^/]+)/([^/]+)/(sq\d+\.mxl)",
            file_name=r"\1__\2__\3",
            kept=22_573_328,
        ),
        sha256=("9d04c2ea06a61d617c432ead0c766411f98b2deb373f263dca32c570395bac14",),
        folder="scores/string_quartets",
        suffixes=frozenset({".mxl"}),
    ),
    "Freedoom": Source(
        licence="BSD-3-Clause",
        origin=Archive(  # release 0.13.0
            url=f"{GITHUB}/freedoom/freedoom/archive/cfb8644b1a8dc7d7d2177e6a892ccaa2922bdaae.tar.gz",
            members=r"musics/([^/]+\.mid)",
            file_name=r"\1",
            kept=4_026_070,
            size=18_520_091,
        ),
        sha256=(
            "002cc04f8379ff70aa163231d52e4748dfdb0eddfea1e2a01cd8c4d672b4a3d4",
            "d0895a17a409f60d4e30ae3f1325bd9c7306f1fc31f93801394870ba2f5318cf",  # later: 11 of the 112 files differ
        ),
        folder="scores/freedoom",
    ),
    "Tanner Helland, free music": Source(
        licence="CC-BY-4.0",
        origin=SingleFiles(  # the archive also holds the recordings: hundreds of megabytes for one
            url="https://raw.githubusercontent.com/tannerhelland/free-music/9784b919d4817b584d2014cdf6cb9f96263f44ae/midi/",
            names=tuple(f"{title}.mid" for title in HELLAND_TITLES),
            kept=1_023_817,
        ),
        sha256=("8798927e0d633eda2d2f9356d70d6f2380fd5839b1159ea10ba98de47ba0f2f8",),
        folder="scores/helland",
    ),
    "OpenMSX (OpenTTD)": Source(
        licence="GPL-2.0",
        origin=DebianPackage("openttd-openmsx", "0.4.2-1"),
        sha256=("5b28fc2b62e21f7c78ada23f83e89a71da38610aa27de2db758d7ba4db667201",),
        installed=multitracks.PACKAGES["openmsx"],
    ),
    "Planet Blupi": Source(
        licence="GPL-3.0-or-later",
        origin=DebianPackage("planetblupi-music-midi", "1.14.2-3"),
        sha256=("1467e61d7a9912eb2133d8ae40252a0e753c5c4a693ad7b552a8b82e21171cf2",),
        installed=multitracks.PACKAGES["planetblupi"],
    ),
    "Nottingham dataset (jukedeck)": Source(
        licence="GPL-3.0",
        origin=Archive(
            url=f"{GITHUB}/jukedeck/nottingham-dataset/archive/bcb2afc67d291acdd689ed0c22ab2a8a480f38a6.tar.gz",
            members=r"MIDI/([^/]+\.mid)",
            file_name=r"\1",
            kept=3_184_644,
        ),
        sha256=("367d720d99626ffdd5b4f09fc45083d5e3bbd6ad259cdc7597b44687569aa8e5",),
        folder="scores/nottingham",
    ),
    "Musical MIDI Accompaniment": Source(
        licence="GPL-2.0-or-later",
        origin=DebianPackage("mma", "21.09-1"),
        sha256=("678cc374da9917486a08693fd0304204dc2918f1b6f5e9e09cd21f6326b3ee48",),
        installed=grooves.MMA_LIBRARY,
        suffixes=frozenset({".mma"}),
    ),
    "LMMS demo projects": Source(
        licence="Artistic-2.0, CC-BY-SA-3.0, CC-BY-SA-4.0, BSD-2-Clause, GPL-2.0-or-later",
        origin=ByHand(
            "apt-get install lmms; for each project of /usr/share/lmms/projects/demos and shorts make a folder FOLDER "
            "and run `QT_QPA_PLATFORM=offscreen lmms rendertracks PROJECT -o FOLDER -f wav -s 44100` (75 minutes in "
            "all); then bring the tracks to 16 kHz as stems/desk/<project>/<track>.ogg"
        ),
        sha256=("658db228e49f515dc1b65652255238e3be0622169b76c8df4fce88ecbd690079",),
        folder="stems/desk",
        suffixes=frozenset({".ogg"}),
    ),
    **{f"modules of Debian's {package.name}": _module_source(package) for package in tracker_modules.PACKAGES},
}


def manifest_sha256(files: Iterable[Path]) -> str:
    """Return the SHA-256 of the lines that ``LC_ALL=C sha256sum *`` prints for files, wherever they lie."""
    lines = sorted((unicodedata.normalize("NFC", path.name), file_sha256(path)) for path in files)
    return hashlib.sha256("".join(f"{sha256}  {name}\n" for name, sha256 in lines).encode()).hexdigest()


def check(sources: Path, names: Iterable[str] | None = None) -> dict[str, dict[str, object]]:
    """Describe all sources, or some: number of files, checksum, and whether it is a known one."""
    report: dict[str, dict[str, object]] = {}
    for name in SOURCES if names is None else names:
        files = SOURCES[name].find_files(sources)
        sha256 = manifest_sha256(files) if files else None
        known = sha256 in SOURCES[name].sha256 if files else None
        report[name] = {"licence": SOURCES[name].licence, "files": len(files), "sha256": sha256, "known": known}
    return report


def list_absent(names: Iterable[str], sources: Path) -> list[str]:
    """Return the sources without a file."""
    return [name for name in names if not SOURCES[name].find_files(sources)]


def can_be_fetched(name: str) -> bool:
    """Return whether a source is downloaded from a public address, not installed."""
    return isinstance(SOURCES[name].origin, Archive | SingleFiles)


def ways_out(names: Iterable[str]) -> list[str]:
    """Return how to get sources; Debian packages are gathered into one command."""
    ways, packages = [], []
    for name in names:
        match SOURCES[name].origin:
            case DebianPackage(package):
                packages.append(package)
            case ByHand(instruction):
                ways.append(f"{name}: {instruction}")
            case address:
                ways.append(f"--fetch downloads {name} ({SOURCES[name].licence}) from {address}")
    return [*ways, *([f"apt-get install {' '.join(packages)}"] if packages else [])]


def fetch(name: str, into: Path) -> Path:
    """Download a source into a folder of sources, unless it is there; return its folder.

    A failure leaves nothing behind: the files are put in place together, after their checksum has been compared.

    Raises:
        CocolaError: the source cannot be downloaded, is damaged, differs from its checksum, or the folder is in use.
    """
    source = SOURCES[name]
    if not isinstance(source.origin, Archive | SingleFiles) or source.folder is None:
        raise CocolaError(f"{name} is not downloaded; {'; '.join(ways_out([name]))}")
    folder = into / source.folder
    try:
        if folder.exists() and any(folder.iterdir()):
            if manifest_sha256(source.list_files(folder)) in source.sha256:
                return folder
            raise CocolaError(f"{folder} holds something other than {name}; move it away, and fetch again")
        folder.parent.mkdir(parents=True, exist_ok=True)
        logger.info("fetching %s (%s) from %s", name, source.licence, source.origin)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as temporary:
            unfinished = Path(temporary, "files")
            unfinished.mkdir()
            if isinstance(source.origin, Archive):
                download(source.origin.url, Path(temporary, "archive"), source.origin.size or LARGEST_ARCHIVE)
                unpack(Path(temporary, "archive"), source.origin, unfinished)
            else:
                for file in tqdm(source.origin.names, desc=name, unit="file", disable=None, leave=False):
                    download(source.origin.url + quote(file), unfinished / file.replace(" ", "_"), source.origin.kept)
            _compare(name, unfinished)
            unfinished.rename(folder)
    except OSError as error:
        raise CocolaError(f"{folder} cannot be written ({error}); name another folder of sources") from error
    return folder


def _compare(name: str, folder: Path) -> None:
    source = SOURCES[name]
    files = source.list_files(folder)
    found = manifest_sha256(files)
    if found != source.sha256[0]:
        raise CocolaError(
            f"{name}: {source.origin} gave {len(files)} files of checksum {found}, not {source.sha256[0]}; nothing was "
            f"kept. Try again; if the checksum stays, report it, and put files that you trust into "
            f"{source.folder} of the folder of sources yourself"
        )


def run(options: argparse.Namespace) -> int:
    """Fetch if asked to, and print the sources as JSON; return 1 if one differs from its checksum."""
    sources: Path = options.check or options.fetch
    for name in list_absent(SOURCES, sources) if options.fetch else ():
        if can_be_fetched(name):
            fetch(name, sources)
    report = check(sources)
    for way in ways_out(list_absent(SOURCES, sources)):
        logger.info("absent: %s", way)
    sys.stdout.write(json.dumps(report, indent=2) + "\n")
    return int(any(entry["known"] is False for entry in report.values()))
