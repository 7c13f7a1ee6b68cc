"""Makes what `pack.sh` has copied small: all sounds as Ogg Vorbis of what 16 kHz needs, scores without their layout.

    python compact.py ROOT SOURCES

ROOT holds copies of what Debian installs (usr/share/...), SOURCES is the copied folder of sources. Every file keeps its
path and name: libsndfile and FluidSynth go by the content. What no recipe reads is deleted.
"""

import argparse
import io
import json
import struct
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import soundfile
from compact_scores import compact_score  # type: ignore[import-not-found]  # a script beside this one
from numpy.typing import NDArray
from scipy.signal import resample

from cocola_metric.audio import SAMPLE_RATE
from cocola_metric.training.rendering.drumkits import Drumkit, find_drumkits
from cocola_metric.training.rendering.studio import AUDIBLE_LEVEL
from cocola_metric.training.rendering.works import split_of, work_name

Signal = NDArray[np.float32]  # (L,)

KIT_QUALITY, STEM_QUALITY = 0.5, 0.1  # Vorbis, 0 to 1
SMALL_FONT, SMALL_FONT_QUALITY, LARGE_FONT_QUALITY = 8_000_000, 0.6, 0.2  # bytes; a small one keeps its sampling rates
FONT_RATE = 22_050  # samples are also played below their pitch: that brings what lies above 8 kHz into the audible band
LONGEST_PROJECT = 90  # seconds of each song that are packed
INAUDIBLE_TAIL = 10 ** (-70 / 20)  # of the peak of a hit
FRAMES_AT_A_TIME = 4096  # libsndfile crashes on a long Vorbis file written in one call

VORBIS = 0x10  # flag of a sample's type
LOOP_MARGIN = 64  # frames behind a loop that are only there for the interpolation
SAMPLE_ID, SAMPLE_OFFSETS = 53, frozenset({0, 1, 2, 3, 4, 12, 45, 50})  # generators: a zone's sample, shifts in frames


def encode(samples: Signal, rate: int, quality: float) -> bytes:
    """Return mono sound as an Ogg Vorbis file."""
    file = io.BytesIO()
    with soundfile.SoundFile(
        file, "w", rate, 1, format="OGG", subtype="VORBIS", compression_level=1 - quality
    ) as stream:
        for start in range(0, len(samples), FRAMES_AT_A_TIME):
            stream.write(samples[start : start + FRAMES_AT_A_TIME])
    return file.getvalue()


def compact_drumkits(folder: Path) -> None:
    """Keep of every kit the hits that `Drumkit` plays, at 16 kHz; a kit that is never drawn is emptied."""
    kits = {kit.folder: kit for kit in find_drumkits(folder)}
    for directory in sorted(path for path in folder.iterdir() if path.is_dir()):
        hits = _list_hits(kits[directory]) if directory in kits else {}
        files = {path: encode(_without_tail(samples), SAMPLE_RATE, KIT_QUALITY) for path, samples in hits.items()}
        for path in directory.rglob("*"):
            if path in files:
                path.write_bytes(files[path])
            elif path.is_file() and path.name != "drumkit.xml":
                path.unlink()


def _list_hits(kit: Drumkit) -> dict[Path, Signal]:
    return {layer.path: layer.samples for layers in kit.pieces.values() for layer in layers}


def _without_tail(samples: Signal) -> Signal:
    audible = np.flatnonzero(np.abs(samples) > INAUDIBLE_TAIL * np.abs(samples).max(initial=0.0))
    return samples[: audible[-1] + 1] if len(audible) else samples[:1]


@dataclass(frozen=True)
class Sample:
    """One line of a SoundFont's table of samples; its loop is counted in frames from the sample's start."""

    name: bytes
    start: int
    end: int
    loop_start: int
    loop_end: int
    rate: int
    pitch: int
    correction: int
    link: int
    kind: int

    LAYOUT = struct.Struct("<20sIIIIIBbHH")

    @property
    def is_looped(self) -> bool:
        """Whether its loop is one: samples that are not looped have any numbers there."""
        return self.loop_end - self.loop_start > 1

    def packed(self) -> bytes:
        """Return the line as it is in the file."""
        numbers = (self.start, self.end, self.loop_start, self.loop_end, self.rate)
        return self.LAYOUT.pack(self.name, *numbers, self.pitch, self.correction, self.link, self.kind)


def compact_font(path: Path) -> None:
    """Rewrite a SoundFont as SF3: every sample as Ogg Vorbis, in a large font at no more than about 22.05 kHz."""
    font = path.read_bytes()
    small = len(font) <= SMALL_FONT
    quality = SMALL_FONT_QUALITY if small else LARGE_FONT_QUALITY
    path.write_bytes(compacted_font(font, quality, None if small else FONT_RATE))


def compacted_font(font: bytes, quality: float, highest_rate: int | None) -> bytes:
    """Return a SoundFont (SF2 of 16 bits, or SF3) as SF3; presets and instruments stay as they are.

    A sample that an instrument shifts by frames keeps its rate, for the shifts to stay right.
    """
    chunks = dict(_read_chunks(font))
    table, store = chunks[b"shdr"], chunks[b"smpl"]
    fixed = _shifted_samples(chunks)
    lines, streams, position = [], [], 0
    for number, fields in enumerate(Sample.LAYOUT.iter_unpack(table[: -Sample.LAYOUT.size])):
        sample, stored = _read_sample(Sample(*fields), store)
        rate = sample.rate if number in fixed or highest_rate is None else highest_rate
        smaller, frames = _resample(sample, stored, rate)
        stream = encode(frames, smaller.rate, quality)
        if sample.kind & VORBIS and len(stream) >= sample.end - sample.start:  # it was small
            smaller, stream = sample, store[sample.start : sample.end]
        lines.append(replace(smaller, start=position, end=position + len(stream), kind=sample.kind | VORBIS).packed())
        streams.append(stream)
        position += len(stream)
    streams.append(bytes(position % 2))
    chunks[b"shdr"] = b"".join(lines) + table[-Sample.LAYOUT.size :]
    chunks[b"smpl"] = b"".join(streams)
    chunks[b"ifil"] = struct.pack("<HH", 3, 1)
    return _write_chunks(font, chunks)


def _read_chunks(font: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield name and content of the chunks in a SoundFont's three lists."""
    position = 12
    while position < len(font) - 12:
        if font[position : position + 4] != b"LIST":  # padded to an even length, or not: writers differ
            position += 1
        (size,) = struct.unpack_from("<I", font, position + 4)
        inner, end = position + 12, position + 8 + size
        while inner < end:
            name, length = struct.unpack_from("<4sI", font, inner)
            yield name, font[inner + 8 : inner + 8 + length]
            inner += 8 + length + length % 2
        position = end


def _write_chunks(font: bytes, chunks: dict[bytes, bytes]) -> bytes:
    """Write the chunks into three lists: `smpl` is all of the second, the third begins with `phdr`."""
    lists: dict[bytes, list[bytes]] = {b"INFO": [], b"sdta": [], b"pdta": []}
    kind = b"INFO"
    for name, content in chunks.items():
        kind = {b"smpl": b"sdta", b"phdr": b"pdta"}.get(name, kind)
        if name != b"sm24":  # the lower bytes of 24-bit samples
            lists[kind].append(struct.pack("<4sI", name, len(content)) + content + bytes(len(content) % 2))
    bodies = [name + b"".join(parts) for name, parts in lists.items()]
    content = b"sfbk" + b"".join(struct.pack("<4sI", b"LIST", len(body)) + body for body in bodies)
    return struct.pack("<4sI", font[:4], len(content)) + content


def _shifted_samples(chunks: dict[bytes, bytes]) -> set[int]:
    """Return the numbers of the samples of which an instrument shifts the beginning, the end or the loop."""
    generators = list(struct.iter_unpack("<Hh", chunks[b"igen"]))
    first_generator = [first for first, _ in struct.iter_unpack("<HH", chunks[b"ibag"])]
    first_zone = [first for _, first in struct.iter_unpack("<20sH", chunks[b"inst"])]
    shifted: set[int] = set()
    for begin, end in pairwise(first_zone):
        zones = [dict(generators[first_generator[zone] : first_generator[zone + 1]]) for zone in range(begin, end)]
        everywhere = any(_is_shifted(zone) for zone in zones if SAMPLE_ID not in zone)
        shifted |= {zone[SAMPLE_ID] for zone in zones if SAMPLE_ID in zone and (everywhere or _is_shifted(zone))}
    return shifted


def _is_shifted(zone: dict[int, int]) -> bool:
    return any(zone.get(generator) for generator in SAMPLE_OFFSETS)


def _read_sample(sample: Sample, store: bytes) -> tuple[Sample, Signal]:
    """Decode a sample, and count its loop from its start."""
    if sample.kind & VORBIS:
        return sample, soundfile.read(io.BytesIO(store[sample.start : sample.end]), dtype="float32")[0]
    stored = np.frombuffer(store, "<i2", sample.end - sample.start, 2 * sample.start)
    loop_start, loop_end = sample.loop_start - sample.start, sample.loop_end - sample.start
    return replace(sample, loop_start=loop_start, loop_end=loop_end), (stored / 2**15).astype(np.float32)


def _resample(sample: Sample, frames: Signal, rate: int) -> tuple[Sample, Signal]:
    """Bring a sample down to about `rate`: to that at which its loop is a whole number of frames, thus in tune."""
    if sample.rate <= rate:
        return sample, frames
    looped = sample.is_looped and sample.loop_end <= len(frames)
    period = sample.loop_end - sample.loop_start if looped else sample.rate
    new_period = -(-period * rate // sample.rate)
    ratio = new_period / period
    ends_in_loop = looped and len(frames) - sample.loop_end <= LOOP_MARGIN
    if ends_in_loop:  # a loop that goes on has no edge that would ring
        rest = np.tile(frames[sample.loop_start : sample.loop_end], 2 + LOOP_MARGIN // period)
        frames = np.concatenate([frames[: sample.loop_end], rest])
    length = round((sample.loop_end + LOOP_MARGIN if ends_in_loop else len(frames)) * ratio)
    periods = -(-(len(frames) + LOOP_MARGIN) // period)
    whole = np.pad(frames, (0, periods * period - len(frames)))
    smaller = resample(whole, periods * new_period)[:length].astype(np.float32)
    loop_start = round(sample.loop_start * ratio)
    return replace(
        sample,
        rate=round(sample.rate * ratio),
        loop_start=loop_start,
        loop_end=loop_start + new_period if looped else round(sample.loop_end * ratio),
    ), smaller


def compact_stems(folder: Path) -> None:
    """Keep of every project the seconds with most to hear, and of those of the test split a placeholder.

    The placeholder keeps the plan of tracks, which counts works, as it is elsewhere.
    """
    for project in sorted(path for path in folder.iterdir() if path.is_dir()):
        paths = sorted(project.glob("*.ogg"))
        stems = {path: soundfile.read(path, dtype="float32")[0] for path in paths}
        for path in paths:
            path.unlink()
        if split_of("projects", work_name(project.name)) == "test":
            (project / "left-out.ogg").write_bytes(encode(np.zeros(SAMPLE_RATE, np.float32), SAMPLE_RATE, STEM_QUALITY))
            continue
        start = SAMPLE_RATE * _best_second(list(stems.values()))
        for path, stem in stems.items():
            excerpt = stem[start : start + LONGEST_PROJECT * SAMPLE_RATE]
            if np.abs(excerpt).max(initial=0.0) > AUDIBLE_LEVEL:
                path.write_bytes(encode(excerpt, SAMPLE_RATE, STEM_QUALITY))


def _best_second(stems: Sequence[Signal]) -> int:
    """Return the second from which, for `LONGEST_PROJECT` seconds, most stems are audible for longest."""
    seconds = max(map(len, stems)) // SAMPLE_RATE + 1
    audible = np.zeros(seconds)
    for stem in stems:
        padded = np.pad(stem, (0, seconds * SAMPLE_RATE - len(stem)))
        audible += np.abs(padded).reshape(seconds, SAMPLE_RATE).max(axis=1) > AUDIBLE_LEVEL
    heard = np.cumsum([0, *audible])
    starts = max(1, seconds - LONGEST_PROJECT)
    return int(np.argmax([heard[min(seconds, start + LONGEST_PROJECT)] - heard[start] for start in range(starts)]))


def compact(root: Path, sources: Path) -> dict[str, tuple[int, int]]:
    """Compact everything there is and return its bytes before and after, by kind."""
    sounds = root / "usr/share/sounds"
    tasks: dict[str, tuple[Path, Callable[[Path], None], str | None]] = {
        "drum kits": (root / "usr/share/hydrogen/data/drumkits", compact_drumkits, None),
        "SoundFonts": (sounds, compact_font, "*/*.sf[23]"),
        "stems": (sources / "stems/desk", compact_stems, None),
        "string quartets": (sources / "scores/string_quartets", compact_score, "*.mxl"),
    }
    report = {}
    for kind, (folder, task, pattern) in tasks.items():
        if folder.is_dir():
            before = _size(folder)
            for path in [folder] if pattern is None else sorted(folder.glob(pattern)):
                task(path)
            report[kind] = before, _size(folder)
    return report


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line: print bytes before and after, by kind, as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path)
    parser.add_argument("sources", type=Path)
    options = parser.parse_args(arguments)
    sys.stdout.write(json.dumps(compact(options.root, options.sources), indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
