"""Lists of pairs to score: a manifest, or two folders."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..addresses import Address, Place, located
from ..audio import AUDIO_SUFFIXES, AudioInput, existing_path, list_audio, list_remote_audio, plain_name
from ..errors import AudioError, UsageError
from ..remote import RemoteError, is_remote_folder
from .manifests import cell, read_manifest


@dataclass(frozen=True)
class Pair:
    """A pair to score: its inputs, and the cells of its row in the manifest.

    Attributes:
        conditioning: music to be accompanied.
        accompaniment: accompaniment.
        conditioning_text: cell of the conditioning.
        accompaniment_text: cell of the accompaniment.
        others: name and text of each other column.
    """

    conditioning: AudioInput
    accompaniment: AudioInput
    conditioning_text: str
    accompaniment_text: str
    others: Mapping[str, str] = field(default_factory=dict)

    @property
    def cells(self) -> tuple[str, str]:
        """The cells of the pair in a manifest."""
        return self.conditioning_text, self.accompaniment_text

    @property
    def name(self) -> str:
        """The name of the pair in messages."""
        return " with ".join(self.cells)


def read_pairs(file: Place) -> list[Pair]:
    """Read a manifest; its paths are relative to it.

    Raises:
        UsageError: the file cannot be read, or is not a manifest.
    """
    return [
        Pair(_side(file.parent, left), _side(file.parent, right), cell(left), cell(right), others)
        for _, left, right, others in read_manifest(file)
    ]


def match_folders(conditionings: Place, accompaniments: Place) -> list[Pair]:
    """Pair the audio files of two folders by name without suffix, in sorted order; NFC and NFD names are equal.

    Raises:
        UsageError: a name is in only one folder, or twice in one, or a folder holds no audio.
    """
    sides = [_by_name(folder) for folder in (conditionings, accompaniments)]
    lonely = sorted(sides[0].keys() ^ sides[1].keys())
    if lonely:
        shown = ", ".join(lonely[:5])
        raise UsageError(
            f"{conditionings} and {accompaniments} do not match: {shown} in only one of them; rename or remove them"
        )
    both = [(path, sides[1][name]) for name, path in sorted(sides[0].items())]
    return [Pair(left, right, cell([str(left)]), cell([str(right)])) for left, right in both]


def audio_of(folder: Place) -> Sequence[Place]:
    """List the audio files of a folder on the command line.

    Raises:
        UsageError: the path is not a folder, cannot be listed, or holds no audio.
    """
    if not is_folder(folder):
        raise UsageError(f"{folder}: not a folder; give folders of audio files")
    try:
        files = list_remote_audio(folder) if isinstance(folder, Address) else list_audio(folder)
    except AudioError as error:
        raise UsageError(str(error)) from error
    if not files:
        raise UsageError(f"{folder} holds no audio file; give a folder of audio files")
    return files


def is_folder(path: Place) -> bool:
    """Tell whether a path is a folder; a path that the system refuses is not, nor is an address with a suffix of audio.

    Raises:
        AudioError: an address cannot be reached.
    """
    if isinstance(path, Address):
        try:
            return path.suffix.lower() not in AUDIO_SUFFIXES and is_remote_folder(path)
        except RemoteError as error:
            raise AudioError(str(error)) from error
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def stem_at(folder: Place, text: str) -> Place:
    """Return a stem by its path in a folder, or by its address."""
    place = located(text)
    if isinstance(place, Address):
        return place
    there = folder / place
    return there if isinstance(there, Address) else existing_path(there)


def _side(folder: Place, stems: list[str]) -> AudioInput:
    paths = [stem_at(folder, stem) for stem in stems]
    return paths[0] if len(paths) == 1 else paths


def _by_name(folder: Place) -> dict[str, Place]:
    named: dict[str, Place] = {}
    for path in audio_of(folder):
        name = plain_name(path.stem)
        if name in named:
            raise UsageError(f"{folder}: {path.name} and {named[name].name} have one name; remove or rename one")
        named[name] = path
    return named
