"""What in a folder is audio: one answer for every reader and command."""

import re
import unicodedata
from pathlib import Path

from ..errors import AudioError

AUDIO_SUFFIXES = frozenset(
    f".{suffix}"
    for suffix in (
        *("wav", "wave", "flac", "ogg", "oga", "opus", "mp3", "aif", "aiff", "aifc", "w64", "rf64", "au", "snd", "caf"),
        *("m4a", "aac", "wma", "mp2", "mpga", "ape", "wv", "ac3", "mka", "weba", "amr"),
    )
)
"""Suffixes of audio, in lower case; also of the kinds that cannot be read, which are to be named, not passed over."""
MIXTURE_NAMES = frozenset({"mix", "mixture", "mixdown", "master"})
"""Names, in lower case, of files beside the stems of a track that hold all of them."""
_BEGINNINGS = re.compile(
    rb"(RIFF|RIFX|RF64)....WAVE|FORM....AIF[FC]|riff\x2e\x91\xcf\x11|caff\0\1|\.snd\0\0|fLaC\0|OggS\0", re.DOTALL
)


def list_audio(folder: Path) -> list[Path]:
    """List the audio files of a folder by name: never text, notes of file managers, hidden files or folders.

    A file is audio if its suffix says so or, where it says nothing known, if it begins as audio does. macOS's copies
    (`._bass.flac`) are hidden. A broken link with such a suffix is listed, so that reading it says what is wrong.

    Raises:
        AudioError: the folder is missing or may not be read.
    """
    try:
        return sorted((path for path in folder.iterdir() if is_audio(path)), key=lambda path: plain_name(path.name))
    except OSError as error:
        raise AudioError(f"{folder} cannot be listed ({error.strerror}): check the path and the permission") from error


def is_audio(path: Path) -> bool:
    """Tell whether a file in a folder is audio."""
    if path.name.startswith("."):
        return False
    if path.suffix.lower() in AUDIO_SUFFIXES:
        return not path.is_dir()
    return path.is_file() and _begins_as_audio(path)


def is_mixture(path: Path) -> bool:
    """Tell whether a file beside stems is the mixture of them, by its name."""
    return path.stem.lower() in MIXTURE_NAMES


def plain_name(name: str) -> str:
    """Return a name as it is compared: letters with accents are written in one way (Unicode NFC), macOS's included."""
    return unicodedata.normalize("NFC", name)


def existing_path(path: Path) -> Path:
    """Return a path, or the one of the same name that is there, where it is written with other accents (NFC, NFD)."""
    try:
        if path.name.isascii() or path.exists():
            return path
        return next((entry for entry in path.parent.iterdir() if plain_name(entry.name) == plain_name(path.name)), path)
    except (OSError, ValueError):  # opening it will say what is wrong
        return path


def _begins_as_audio(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(12)
    except OSError:
        return False
    return _BEGINNINGS.match(head) is not None
