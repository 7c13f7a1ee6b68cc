"""The example song that comes with the package: twenty seconds of CC0 music to try a score on."""

from dataclasses import dataclass
from pathlib import Path

from .errors import OutputError
from .whole_files import make_folder, write_bytes_whole

_SONGS = Path(__file__).parent / "songs"
_CONDITIONING = ("harbour/drums.flac", "harbour/bass.flac")
_ACCOMPANIMENT = "harbour/keys.flac"


@dataclass(frozen=True)
class Examples:
    """Stems of 20 s, mono at 16 kHz, under CC0 1.0.

    Attributes:
        conditioning: drums and bass of a song.
        accompaniment: keys of the same song.
    """

    conditioning: list[Path]
    accompaniment: Path


def examples() -> Examples:
    """Return the example song of this package; its stems are files of the installation, to be read and not changed.

    >>> songs = examples()
    >>> [stem.name for stem in songs.conditioning], songs.accompaniment.name
    (['drums.flac', 'bass.flac'], 'keys.flac')
    """
    return Examples([_SONGS / name for name in _CONDITIONING], _SONGS / _ACCOMPANIMENT)


def write_examples(folder: Path) -> list[Path]:
    """Copy the example song into a folder, as SONG/STEM.flac; return the files.

    Args:
        folder: folder to write to; it is created if it is missing. Files that are there already are left alone.

    Raises:
        OutputError: a file of that name holds something else, or cannot be written.
    """
    copies = {name: folder / name for name in (*_CONDITIONING, _ACCOMPANIMENT)}
    contents = {name: (_SONGS / name).read_bytes() for name in copies}
    missing = [name for name, copy in copies.items() if not copy.exists()]
    for name, copy in copies.items():
        if name not in missing and (not copy.is_file() or copy.read_bytes() != contents[name]):
            raise OutputError(f"{copy}: holds something else than the example of this name; name another folder")
    for name in missing:
        make_folder(copies[name].parent)
        write_bytes_whole(copies[name], contents[name])
    return list(copies.values())
