"""The audio of queries: conditioning, real accompaniment, and the answer of the row Random."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cocola_metric.errors import AudioError, UsageError
from cocola_metric.json_files import read_json
from cocola_metric.training.corpora import Stem, Track, canonical_name, open_corpora, reader_of
from cocola_metric.training.evaluation import open_test_set
from cocola_metric.whole_files import write_text_whole

from .manifest import Part, Query, Submix
from .stem_windows import fingerprint, limit_band, native_rate, read_mix


class ConditioningAudio:
    """The audio that a generator may read: the conditioning Y of every query, and nothing else."""

    def __init__(self, tracks: Sequence[Track], *, band: float | None = None) -> None:
        """Give access to the tracks that queries are about.

        Args:
            tracks: tracks of the corpus.
            band: highest frequency that is kept in any audio, in Hz; None keeps all of it.
        """
        self.tracks = tuple(tracks)
        self.band = band
        self._tracks = {canonical_name(track.name): track for track in tracks}

    def conditioning(self, query: Query, sample_rate: int, *, seconds: float | None = None) -> NDArray[np.float32]:
        """Return the sub-mix that is given, m_Y: (L,), L = round(seconds * sample_rate).

        Args:
            query: query of the manifest.
            sample_rate: rate of the output, in Hz.
            seconds: length to read from the query's start on, in seconds, for systems that want more context; None
                stands for the query's own length, which every published number uses. The audio is silent past the end
                of the track.
        """
        return self._read(query.conditioning, sample_rate, seconds)

    def conditioning_stems(
        self, query: Query, sample_rate: int, *, seconds: float | None = None
    ) -> dict[str, NDArray[np.float32]]:
        """Return the parts of m_Y one by one, by tag, for systems that want separate stems: (L,) each."""
        return self._stems(query.conditioning, sample_rate, seconds)

    def native_rate(self, query: Query) -> int:
        """Return the highest sample rate of the conditioning's files, in Hz; of those asked for if nothing is given."""
        return self._rate(query.conditioning if query.conditioning.parts else query.accompaniment)

    def fingerprint(self, query: Query, *, seconds: float | None = None) -> str:
        """Return a hash of the conditioning's samples in its files, over as many seconds as are read."""
        return self._fingerprint(query.conditioning, seconds)

    def _read(self, submix: Submix, sample_rate: int, seconds: float | None = None) -> NDArray[np.float32]:
        length = submix.seconds if seconds is None else seconds
        mix = read_mix(self._find(submix), submix.start, length, sample_rate)
        return mix if self.band is None else limit_band(mix, sample_rate, self.band)

    def _stems(self, submix: Submix, sample_rate: int, seconds: float | None = None) -> dict[str, NDArray[np.float32]]:
        return {
            part.tag: self._read(Submix(submix.track, submix.start, submix.seconds, (part,)), sample_rate, seconds)
            for part in submix.parts
        }

    def _rate(self, submix: Submix) -> int:
        return native_rate(self._find(submix))

    def _fingerprint(self, submix: Submix, seconds: float | None = None) -> str:
        return fingerprint(self._find(submix), submix.start, submix.seconds if seconds is None else seconds)

    def _find(self, submix: Submix) -> tuple[Stem, ...]:
        track = self._tracks.get(submix.track)
        if track is None:
            raise AudioError(
                f"track {submix.track!r} is not in the corpus; pass the corpus that the queries were drawn on"
            )
        return tuple(stem for part in submix.parts for stem in find_stems(track, part))


class QueryAudio(ConditioningAudio):
    """All audio of queries, for scores and for the rows of real music; a generator may read the conditioning only."""

    def target(self, query: Query, sample_rate: int) -> NDArray[np.float32]:
        """Return the real sub-mix of the parts that are asked for, m_X: (L,)."""
        return self._read(query.accompaniment, sample_rate)

    def target_stems(self, query: Query, sample_rate: int) -> NDArray[np.float32]:
        """Return the real parts that are asked for one by one, in the order of their tags: (N, L)."""
        return np.stack(list(self._stems(query.accompaniment, sample_rate).values()))

    def kept(self, query: Query, sample_rate: int) -> NDArray[np.float32]:
        """Return the real sub-mix of the parts that are given and asked for: (L,), silence if there are none."""
        return self._read(query.kept, sample_rate)

    def added(self, query: Query, sample_rate: int) -> NDArray[np.float32]:
        """Return the real sub-mix of the parts that are asked for and not given: (L,), silence if there are none."""
        return self._read(query.added, sample_rate)

    def donor(self, query: Query, sample_rate: int) -> NDArray[np.float32]:
        """Return the sub-mix of another track: (L,)."""
        return self._read(query.donor, sample_rate)

    def target_rate(self, query: Query) -> int:
        """Return the highest sample rate of the target's files, in Hz."""
        return self._rate(query.accompaniment)

    def donor_rate(self, query: Query) -> int:
        """Return the highest sample rate of the donor's files, in Hz."""
        return self._rate(query.donor)

    def target_fingerprint(self, query: Query) -> str:
        """Return a hash of the target's samples in its files."""
        return self._fingerprint(query.accompaniment)

    def donor_fingerprint(self, query: Query) -> str:
        """Return a hash of the donor's samples in its files."""
        return self._fingerprint(query.donor)


def find_stems(track: Track, part: Part) -> tuple[Stem, ...]:
    """Return the stems of a track that a part names.

    Raises:
        AudioError: the track has no such stem.
    """
    named = {canonical_name(stem.name): stem for stem in track.stems}
    missing = [name for name in part.stems if name not in named]
    if missing:
        raise AudioError(
            f"{track.name}: the corpus lacks stem {', '.join(missing)}; pass the corpus that the queries were drawn on"
        )
    return tuple(named[name] for name in part.stems)


def open_tracks(corpus: str, split: str = "test") -> list[Track]:
    """List the tracks that queries are about.

    Args:
        corpus: reader and folder, "musdb18hq:/data/musdb18hq", with a name of ``training.corpora.CORPORA``; or a folder
            of stems. For the split test, a folder without splits is read whole.
        split: name of the split: train, validation or test.

    Raises:
        AudioError: there is no track that can be used.
    """
    return open_test_set(corpus) if split == "test" else open_corpora([corpus], split)


def note_corpus(manifest: Path, corpus: str) -> None:
    """Write beside a manifest the folder of this machine that it was drawn on; the manifest itself names none."""
    write_text_whole(_corpus_note(manifest), json.dumps({"corpus": _absolute(corpus)}) + "\n")


def find_tracks(manifest: Path, queries: Sequence[Query], corpus: str | None = None) -> list[Track]:
    """List the tracks of a manifest's corpus: the one given, or the one it was drawn on.

    Raises:
        AudioError: there is no track that can be used.
        UsageError: no corpus is given, and it is not noted beside the manifest.
    """
    if corpus is None:
        noted = _corpus_note(manifest)
        if not noted.is_file():
            raise UsageError(
                f"{manifest}: no note of where its music lies on this machine; pass --corpus with the folder"
            )
        remedy = "delete it, and pass --corpus"
        corpus = read_json(noted, remedy=remedy).get("corpus")
        if not isinstance(corpus, str):
            raise UsageError(f"{noted}: holds no text under 'corpus'; {remedy}")
    return open_tracks(corpus, queries[0].split)


def _corpus_note(manifest: Path) -> Path:
    return manifest.with_suffix(".corpus.json")


def _absolute(corpus: str) -> str:
    if reader_of(corpus):
        reader, _, folder = corpus.partition(":")
        return f"{reader}:{Path(folder).expanduser().resolve()}"
    return str(Path(corpus).expanduser().resolve())
