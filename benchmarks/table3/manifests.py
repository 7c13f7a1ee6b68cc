"""The parts of a table: queries with their music, generators, and answers."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from cocola_metric.errors import UsageError
from cocola_metric.identity import file_sha256

from ..generators import GeneratedFolder
from ..queries import Query, find_tracks, read_queries
from .answers import RememberingAudio


@dataclass(frozen=True)
class Manifest:
    """The queries of a data set, their audio, and the folder of all results.

    Attributes:
        queries: queries of the file.
        sha256: SHA-256 of the file.
        audio: audio without a limit, for generators.
        heard: audio limited to the band, for scores.
        root: folder of answers and scores.
    """

    queries: Sequence[Query]
    sha256: str
    audio: RememberingAudio
    heard: RememberingAudio
    root: Path


@dataclass(frozen=True)
class Entry:
    """A generator in a table: "random", "msdm:FILE", or the bare name of a system without weights here.

    Attributes:
        spec: generator as on the command line.
        candidates: number of answers to each query, of which the loudest is kept.
        folder: name of its folders; empty for one made of the other two.
    """

    spec: str
    candidates: int = 1
    folder: str = ""

    @property
    def place(self) -> str:
        """Name of its folders: its own name, and a hash of its argument."""
        if self.folder:
            return self.folder
        name, _, argument = self.spec.partition(":")
        if not argument and self.candidates == 1:
            return name
        return f"{name}-{hashlib.sha256(f'{self.spec}|{self.candidates}'.encode()).hexdigest()[:8]}"


@dataclass(frozen=True)
class Answered:
    """A generator's answers to a manifest."""

    entry: Entry
    name: str
    folder: GeneratedFolder
    queries: Sequence[Query]
    unsupported: Mapping[str, str]


def open_manifest(file: Path, corpus: str | None, out: Path, band: float | None = None) -> Manifest:
    """Open a manifest with its music; the folder of its results is named after its data set.

    Raises:
        AudioError: there is no music.
        UsageError: the manifest cannot be used.
    """
    queries = read_queries(file)
    tracks = find_tracks(file, queries, corpus)
    first = queries[0]
    root = out / f"{first.dataset}-{first.split}-{first.seconds:g}s-seed{first.seed}"
    whole = RememberingAudio(tracks)
    heard = whole if band is None else RememberingAudio(tracks, band=band)
    return Manifest(queries, file_sha256(file), whole, heard, root)


def open_manifests(
    files: Sequence[Path], corpora: Sequence[str | None], out: Path, band: float | None
) -> list[Manifest]:
    """Open manifests with their music.

    Raises:
        AudioError: there is no music.
        UsageError: two manifests have one name, or a manifest cannot be used.
    """
    manifests = [open_manifest(file, corpus, out, band) for file, corpus in zip(files, corpora, strict=True)]
    for one, other in pairwise(sorted(manifests, key=lambda manifest: manifest.root)):
        if one.root == other.root:
            raise UsageError(
                f"manifests must differ in name; got {one.root.name} twice; make a table of each, with its own --out"
            )
    return manifests
