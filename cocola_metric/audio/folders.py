"""The audio files of a folder: one rule for every reader and command."""

import re
import unicodedata
from pathlib import Path

from ..addresses import Address
from ..errors import AudioError
from ..remote import RemoteError, list_remote

AUDIO_SUFFIXES = frozenset(
    f".{suffix}"
    for suffix in (
        *("wav", "wave", "flac", "ogg", "oga", "opus", "mp3", "aif", "aiff", "aifc", "w64", "rf64", "au", "snd", "caf"),
        *("m4a", "aac", "wma", "mp2", "mpga", "ape", "wv", "ac3", "mka", "weba", "amr"),
    )
)
"""Suffixes of audio, in lower case. Kinds that cannot be read are among them, so that they are never just skipped."""
MIXTURE_NAMES = frozenset({"mix", "mixture", "mixdown", "master"})
"""Names in lower case of files that hold the sum of all stems beside them."""
_BEGINNINGS = re.compile(
    rb"(RIFF|RIFX|RF64)....WAVE|FORM....AIF[FC]|riff\x2e\x91\xcf\x11|caff\0\1|\.snd\0\0|fLaC\0|OggS\0", re.DOTALL
)


def list_audio(folder: Path) -> list[Path]:
    """List the audio files of a folder, in order of their names. Text, hidden files and sub-folders are left out.

    A file is audio if its suffix is one of audio. A file of unknown suffix is audio if it begins as audio does. macOS's
    copies (`._bass.flac`) are hidden files. A broken link is listed by its suffix, so that reading it raises the error.

    Raises:
        AudioError: the folder is missing or may not be read.
    """
    try:
        return sorted((path for path in folder.iterdir() if is_audio(path)), key=lambda path: plain_name(path.name))
    except OSError as error:
        raise AudioError(f"{folder} cannot be listed ({error.strerror}); check the path and the permission") from error


def list_remote_audio(folder: Address) -> list[Address]:
    """List the audio files of a folder at an address as `list_audio` does, but by their suffixes alone.

    Raises:
        AudioError: the folder is missing or may not be read.
    """
    try:
        there = list_remote(folder)
    except RemoteError as error:
        raise AudioError(str(error)) from error
    found = [one for one in there if one.suffix.lower() in AUDIO_SUFFIXES and not one.name.startswith(".")]
    return sorted(found, key=lambda one: plain_name(one.name))


def is_audio(path: Path) -> bool:
    """Tell whether a file in a folder is audio."""
    if path.name.startswith("."):
        return False
    if path.suffix.lower() in AUDIO_SUFFIXES:
        return not path.is_dir()
    return path.is_file() and _begins_as_audio(path)


def is_mixture(path: Path) -> bool:
    """Tell whether a file is the mixture of the stems beside it, by its name."""
    return path.stem.lower() in MIXTURE_NAMES


def plain_name(name: str) -> str:
    """Return a name in Unicode NFC, so that names with accents compare equal on every system."""
    return unicodedata.normalize("NFC", name)


def existing_path(path: Path) -> Path:
    """Return a path as the disk has it: its accents may be stored in another Unicode form (NFC, NFD)."""
    try:
        if path.name.isascii() or path.exists():
            return path
        return next((entry for entry in path.parent.iterdir() if plain_name(entry.name) == plain_name(path.name)), path)
    except (OSError, ValueError):  # opening the path raises the error
        return path


def _begins_as_audio(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(12)
    except OSError:
        return False
    return _BEGINNINGS.match(head) is not None
