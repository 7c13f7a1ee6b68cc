"""A folder of generated audio: ``<query id>.wav``, and a ``generated.json`` that names the manifest they answer."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.io import wavfile

from cocola_metric.audio import AudioFile, open_file
from cocola_metric.errors import AudioError, UsageError
from cocola_metric.json_files import json_text, read_json
from cocola_metric.whole_files import write_text_whole, written_whole

from ..queries import Query
from .content import CONTENTS, Content

ABOUT_FILE = "generated.json"
SUFFIXES = (".wav", ".flac")
SHORTFALL = 0.1
"""Seconds by which audio may be shorter than its query; silence fills them."""


@dataclass(frozen=True)
class Generated:
    """Audio that a generator made for a query.

    Attributes:
        samples: audio, (L,), or one row for each part that is asked for, (N, L).
        sample_rate: sample rate, in Hz.
        norms: L2 norms of all candidates among which it was chosen; empty where there was no choice.
    """

    samples: NDArray[np.float32]
    sample_rate: int
    norms: tuple[float, ...] = ()

    @property
    def mix(self) -> NDArray[np.float32]:
        """All parts together, (L,)."""
        return self.samples if self.samples.ndim == 1 else np.asarray(self.samples.sum(axis=0))


@dataclass(frozen=True)
class GeneratedFolder:
    """A folder of generated audio that belongs to a manifest of queries.

    Attributes:
        root: path of the folder.
        content: content of all its files.
        about: content of ``generated.json``: generator, seed and more.
    """

    root: Path
    content: Content
    about: Mapping[str, Any]

    def path(self, query: Query) -> Path | None:
        """Return the file that answers a query, or None."""
        files = (self.root / f"{query.id}{suffix}" for suffix in SUFFIXES)
        return next((file for file in files if file.is_file()), None)

    def missing(self, queries: Iterable[Query]) -> list[Query]:
        """Return the queries without a file."""
        return [query for query in queries if self.path(query) is None]

    def read(self, query: Query) -> Generated:
        """Read the answer to a query at the rate of its file, cut to the length of the query.

        Raises:
            AudioError: there is no file, it is damaged or too short, or it has not one channel for each stem.
        """
        path = self.path(query)
        if path is None:
            raise AudioError(f"{self.root}: no {query.id}.wav; generate it")
        file = open_file(path)
        samples = _read_channels(file, query) if self.content == "stems" else np.concatenate(list(file.blocks()))
        return Generated(fit_length(samples, query, file.rate, str(path)), file.rate)


def open_generated(root: Path, queries_sha256: str) -> GeneratedFolder:
    """Open a folder of generated audio, and check that it answers the queries of a manifest.

    Args:
        root: path of the folder.
        queries_sha256: SHA-256 of the manifest's file.

    Raises:
        UsageError: ``generated.json`` is missing or incomplete, or names another manifest.
    """
    file = root / ABOUT_FILE
    if not file.is_file():
        wanted = json.dumps({"queries_sha256": queries_sha256, "content": "accompaniment"})
        raise UsageError(f"{root}: no {ABOUT_FILE}; write {wanted} there if its WAVs answer these queries")
    try:
        about = read_json(file)
        content, answered = about["content"], about["queries_sha256"]
    except (UsageError, KeyError) as error:
        raise UsageError(
            f"{file}: must be an object with content and queries_sha256 ({error}); write it as the command export does"
        ) from error
    if content not in CONTENTS:
        raise UsageError(f"{file}: content must be {' or '.join(CONTENTS)}; got {content!r}")
    if answered != queries_sha256:
        raise UsageError(
            f"{file}: answers the queries {str(answered)[:12]}…, not {queries_sha256[:12]}…; "
            "generate for this manifest, or pass the one it was made for"
        )
    return GeneratedFolder(root, content, about)


def write_about(root: Path, queries_sha256: str, content: Content, details: Mapping[str, Any]) -> None:
    """Write ``generated.json``: the manifest that a folder answers, and any details."""
    about = {"queries_sha256": queries_sha256, "content": content, **details}
    write_text_whole(root / ABOUT_FILE, json_text(about, indent=2) + "\n")


def fit_length(samples: NDArray[np.float32], query: Query, sample_rate: int, name: str) -> NDArray[np.float32]:
    """Cut audio to the length of its query; audio a little too short is padded with silence.

    Shape:
        (..., L') -> (..., L), L = round(seconds * sample_rate).

    Raises:
        AudioError: the audio is shorter than the query by more than 0.1 s.
    """
    length = round(query.seconds * sample_rate)
    missing = length - samples.shape[-1]
    if missing > SHORTFALL * sample_rate:
        raise AudioError(
            f"{name} lasts {samples.shape[-1] / sample_rate:.3f} s, and the query {query.id} {query.seconds:g} s; "
            "generate at least as much"
        )
    return np.pad(samples[..., :length], [(0, 0)] * (samples.ndim - 1) + [(0, max(0, missing))])


def _read_channels(file: AudioFile, query: Query) -> NDArray[np.float32]:
    """Read a file whose channels are the parts that are asked for: (N, L)."""
    parts = query.accompaniment.tags
    if file.channels != len(parts):
        raise AudioError(
            f"{file.path}: has {file.channels} channels, and the query asks for {len(parts)} stems "
            f"({', '.join(parts)}); write one channel for each, in this order"
        )
    for _ in file.blocks():  # checks that all samples are there, and finite
        pass
    samples, _ = soundfile.read(file.path, dtype="float32", always_2d=True)
    return np.ascontiguousarray(samples.T)


def accompaniment_of(
    generated: NDArray[np.float32], conditioning: NDArray[np.float32], content: Content
) -> NDArray[np.float32]:
    """Return what was generated without the conditioning, as the COCOLA score takes it (Eq. 4).

    A full mix minus its conditioning is the accompaniment only if the system leaves every sample of the conditioning as
    it was. Ask any other system for the accompaniment alone.

    Shape:
        (L,), (L,) -> (L,), at one rate.
    """
    return generated - conditioning if content == "full_mix" else generated


def mix_of(generated: NDArray[np.float32], conditioning: NDArray[np.float32], content: Content) -> NDArray[np.float32]:
    """Return what was generated together with the conditioning, as sub-FAD takes it.

    Shape:
        (L,), (L,) -> (L,), at one rate.
    """
    return generated if content == "full_mix" else generated + conditioning


def write_wav_whole(path: Path, samples: NDArray[np.float32], sample_rate: int) -> None:
    """Write 32-bit float WAV, whole or not at all; rows of samples become channels."""
    with wav_written_whole(path, samples, sample_rate):
        pass


@contextmanager
def wav_written_whole(path: Path, samples: NDArray[np.float32], sample_rate: int) -> Iterator[Path]:
    """Write 32-bit float WAV under a temporary name, which is yielded; it gets its own name when the block ends.

    Nothing waits until the disk has the file: an incomplete answer is recognised by its checksum, and made again.
    """
    with written_whole(path, durable=False) as unfinished:
        wavfile.write(unfinished, sample_rate, np.ascontiguousarray(samples.T, np.float32))  # soundfile adds the time
        yield unfinished
