"""Audio files as damage, accidents and malice leave them: every one made here, from clips encoded on the spot."""

import io
import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from mp3_files import without_tag

RATE = 16_000
SECONDS = 3.0
ENCODINGS = {
    "wav": ("WAV", "PCM_16"),
    "float.wav": ("WAV", "FLOAT"),
    "adpcm.wav": ("WAV", "IMA_ADPCM"),
    "rf64": ("RF64", "PCM_16"),
    "w64": ("W64", "PCM_16"),
    "aiff": ("AIFF", "PCM_16"),
    "au": ("AU", "PCM_16"),
    "caf": ("CAF", "PCM_16"),
    "flac": ("FLAC", "PCM_16"),
    "ogg": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
}
WHOLE, BROKEN, EITHER = "whole", "broken", "either"
_ABSURD = (0, 1, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 0xFFFF_0000)


@dataclass(frozen=True)
class BadFile:
    """A file that somebody may pass.

    Attributes:
        path: Where it is.
        kind: What was done to it.
        wanted: "whole", if it must score as the clip in its encoding does; "broken", if it must be an AudioError;
            "either", if a decoder may take it for good or not.
        encoding: Of the clip it was made from; empty if from none.
    """

    path: Path
    kind: str
    wanted: str
    encoding: str = ""


def clip() -> np.ndarray:
    """Make the clip that all files hold: chords of three tones, (L,)."""
    time = np.arange(round(SECONDS * RATE)) / RATE
    pitches = 220 * 2 ** (np.array([0, 4, 7]) / 12)
    tones = sum(np.sin(2 * np.pi * pitch * (1 + np.floor(time * 2) % 3 / 6) * time) for pitch in pitches)
    return (0.1 * tones * (1 - time * 2 % 1)).astype(np.float32)


def encoded() -> dict[str, bytes]:
    """Encode the clip in every encoding; an MP3 without a tag is one of them."""
    contents = {}
    for name, (kind, subtype) in ENCODINGS.items():
        file = io.BytesIO()
        soundfile.write(file, clip(), RATE, format=kind, subtype=subtype)
        contents[name] = file.getvalue()
    contents["untagged.mp3"] = without_tag(contents["mp3"])
    return contents


def write_bad_files(folder: Path, seed: int = 0) -> list[BadFile]:
    """Write all of them, always the same, and say what each must end in."""
    random = np.random.default_rng(seed)
    files: list[BadFile] = []
    contents = encoded()
    for encoding, content in contents.items():
        (folder / f"good.{encoding}").write_bytes(content)
        damages = _damages(encoding, content, contents, random)
        for number, (kind, suffix, wanted, damaged) in enumerate(damages):
            path = folder / f"{kind}{number}.{encoding}{suffix}"
            path.write_bytes(damaged)
            files.append(BadFile(path, kind, wanted, encoding))
    return [*files, *_strange_things(folder, contents["wav"])]


Damage = tuple[str, str, str, bytes]


def _damages(encoding: str, content: bytes, others: dict[str, bytes], random: np.random.Generator) -> Iterator[Damage]:
    size = len(content)
    # An MP3 without a tag, or an OGG stream, may be cut where a frame or a page ends.
    for end in sorted({1, 3, 11, 30, *random.integers(40, size - 1, 4)}):
        yield "cut", "", EITHER if encoding in ("untagged.mp3", "ogg", "opus") else BROKEN, content[:end]
    for position in [*random.integers(0, min(200, size), 5), *random.integers(0, size, 5)]:
        damaged = bytearray(content)
        damaged[position] ^= 1 << random.integers(8)
        yield "flipped", "", EITHER, bytes(damaged)
    for position in sorted({4, 8, 16, 22, 24, *random.integers(0, 100, 3)}):
        number = struct.pack(random.choice(["<I", ">I"]), random.choice(_ABSURD))
        yield "absurd", "", EITHER, content[:position] + number + content[position + 4 :]
    for suffix in (".wav", ".flac", ".mp3", ".txt", ".raw"):
        yield "renamed", suffix, WHOLE, content
    middle = int(random.integers(size // 3, 2 * size // 3))
    yield "zeroed", "", EITHER, content[:middle] + bytes(min(300, size - middle)) + content[middle + 300 :]
    yield "lost", "", EITHER, content[:middle] + content[middle + 777 :]
    yield "junk-before", "", EITHER, random.bytes(100) + content
    yield "junk-behind", "", EITHER, content + random.bytes(100)
    yield "other-behind", "", EITHER, content + others[str(random.choice(list(others)))]
    yield "random", "", EITHER, content[:20] + random.bytes(2000)


def _strange_things(folder: Path, wav: bytes) -> Iterator[BadFile]:
    for name, content in _contents(wav).items():
        (folder / name).write_bytes(content)
        yield BadFile(folder / name, "content", BROKEN)
    for name in ("new\nline.wav", "tab\tand \x1b[31mred.wav", "semi;colon.wav", 'comma,quote".wav', "[1].wav", " .wav"):
        (folder / name).write_bytes(wav)
        yield BadFile(folder / name, "name", WHOLE, "wav")
    no_text = folder / os.fsdecode(b"caf\xe9.wav")
    no_text.write_bytes(wav)
    yield BadFile(no_text, "name", WHOLE, "wav")
    for name in ("n" * 300 + ".wav", "nul\0.wav", "gone.wav", "good.wav/inside.wav", "lone\udfff.wav"):
        yield BadFile(folder / name, "no such file", BROKEN)
    for name, make in _no_files(folder).items():
        make(folder / name)
        yield BadFile(folder / name, "no file", BROKEN)


def _contents(wav: bytes) -> dict[str, bytes]:
    header = bytearray(wav[:44])

    def stating(at: int, layout: str, value: int) -> bytes:
        struct.pack_into(layout, header, at, value)
        changed = bytes(header)
        header[:] = wav[:44]
        return changed + wav[44:]

    def holding(samples: np.ndarray) -> bytes:
        file = io.BytesIO()
        soundfile.write(file, samples, RATE, format="WAV", subtype="DOUBLE")
        return file.getvalue()

    noisy = np.ones(2 * RATE)
    return {
        "empty.wav": b"",
        "text.wav": b"these are words, not samples\n" * 100,
        "page.mp3": b"<!DOCTYPE html><title>404</title>" * 50,
        "archive.flac": b"PK\3\4" + bytes(500),
        "song.m4a": b"\0\0\0\x20ftypM4A \0\0\0\0" + bytes(500),
        "zeros.mp3": bytes(5000),
        "ones.mp3": b"\xff" * 5000,
        "fast.wav": stating(24, "<I", 2**31 - 1),
        "slow.wav": stating(24, "<I", 1),
        "many.wav": stating(22, "<H", 65_535),
        "no-channels.wav": stating(22, "<H", 0),
        "nan.wav": holding(np.where(np.arange(2 * RATE) == 9, np.nan, noisy)),
        "infinite.wav": holding(np.where(np.arange(2 * RATE) == 9, np.inf, noisy)),
        "loud.wav": holding(1e300 * noisy),
        "silent.wav": holding(0 * noisy),
        "none.wav": holding(noisy[:0]),
    }


def _no_files(folder: Path) -> dict[str, Callable[[Path], object]]:
    def sparse(path: Path) -> None:
        with path.open("wb") as file:
            file.write((folder / f"good{path.suffix}").read_bytes())
            file.truncate(200 * 2**30)

    return {
        "folder.wav": Path.mkdir,
        "pipe.wav": os.mkfifo,
        "zero.wav": lambda path: path.symlink_to("/dev/zero"),
        "broken.wav": lambda path: path.symlink_to(folder / "gone.wav"),
        "loop.wav": lambda path: path.symlink_to(path),
        "sparse.ogg": sparse,
        "sparse.mp3": sparse,
        "sparse.flac": sparse,
        "sparse.wav": sparse,
        "sparse.aiff": sparse,
    }
