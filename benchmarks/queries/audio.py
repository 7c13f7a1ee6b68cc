"""The audio of queries: what is given, what was really played, what Random answers."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cocola_metric.errors import AudioError, UsageError
from cocola_metric.json_files import read_json
from cocola_metric.training.corpora import CORPORA, Stem, Track, canonical_name, open_corpora
from cocola_metric.training.evaluation import open_test_set
from cocola_metric.whole_files import write_text_whole

from .manifest import Part, Query, Submix
from .stem_windows import fingerprint, limit_band, native_rate, read_mix


class ConditioningAudio:
    """What a generator may hear: the conditioning Y of every query, and never more."""

    def __init__(self, tracks: Sequence[Track], *, band: float | None = None) -> None:
        """Give access to the tracks that queries are about.

        Args:
            tracks: of the corpus.
            band: Hz above which nothing is left in any audio; None leaves it whole.
        """
        self.tracks = tuple(tracks)
        self.band = band
        self._tracks = {canonical_name(track.name): track for track in tracks}

    def conditioning(self, query: Query, sample_rate: int, *, seconds: float | None = None) -> NDArray[np.float32]:
        """Return the sub-mix that is given, m_Y: (L,), L = round(seconds * sample_rate).

        Args:
            query: of the manifest.
            sample_rate: in Hz.
            seconds: for systems that want more context, the length to read from the same start on; by default, and in
                every number, that of the query. Past the end of the track there is silence.
        """
        return self._read(query.conditioning, sample_rate, seconds)

    def conditioning_stems(
        self, query: Query, sample_rate: int, *, seconds: float | None = None
    ) -> dict[str, NDArray[np.float32]]:
        """Return the parts of m_Y one by one, by tag, for systems that want separate stems: (L,) each."""
        given = query.conditioning
        return {
            part.tag: self._read(Submix(given.track, given.start, given.seconds, (part,)), sample_rate, seconds)
            for part in given.parts
        }

    def native_rate(self, query: Query) -> int:
        """Return the highest sample rate of the conditioning's files, in Hz."""
        return self._rate(query.conditioning)

    def fingerprint(self, query: Query, *, seconds: float | None = None) -> str:
        """Return a hash of the conditioning as it sounds in its files, over as many seconds as are heard."""
        return self._fingerprint(query.conditioning, seconds)

    def _read(self, submix: Submix, sample_rate: int, seconds: float | None = None) -> NDArray[np.float32]:
        length = submix.seconds if seconds is None else seconds
        mix = read_mix(self._find(submix), submix.start, length, sample_rate)
        return mix if self.band is None else limit_band(mix, sample_rate, self.band)

    def _rate(self, submix: Submix) -> int:
        return native_rate(self._find(submix))

    def _fingerprint(self, submix: Submix, seconds: float | None = None) -> str:
        return fingerprint(self._find(submix), submix.start, submix.seconds if seconds is None else seconds)

    def _find(self, submix: Submix) -> tuple[Stem, ...]:
        track = self._tracks.get(submix.track)
        if track is None:
            raise AudioError(f"no track {submix.track!r} in the corpus: pass the corpus that the queries were drawn on")
        return tuple(stem for part in submix.parts for stem in find_stems(track, part))


class QueryAudio(ConditioningAudio):
    """All audio of queries, also what a generator may not hear: for scores, and for the rows of real music."""

    def target(self, query: Query, sample_rate: int) -> NDArray[np.float32]:
        """Return the sub-mix that is asked for as it really was, m_X: (L,)."""
        return self._read(query.accompaniment, sample_rate)

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
        """Return a hash of the target as it sounds in its files."""
        return self._fingerprint(query.accompaniment)

    def donor_fingerprint(self, query: Query) -> str:
        """Return a hash of the donor as it sounds in its files."""
        return self._fingerprint(query.donor)


def find_stems(track: Track, part: Part) -> tuple[Stem, ...]:
    """Return the stems of a track that a part names.

    Raises:
        AudioError: the track has no such stem.
    """
    named = {canonical_name(stem.name): stem for stem in track.stems}
    missing = [name for name in part.stems if name not in named]
    if missing:
        raise AudioError(f"{track.name}: no stem {', '.join(missing)}: the corpus is not that of the queries")
    return tuple(named[name] for name in part.stems)


def open_tracks(corpus: str, split: str = "test") -> list[Track]:
    """List the tracks that queries are about.

    Args:
        corpus: "musdb18hq:/data/musdb18hq", with a name of ``training.corpora.CORPORA``, or a folder of stems; for the
            split test, a folder that is not divided is read whole.
        split: train, validation or test.

    Raises:
        AudioError: there is no track that can be used.
    """
    return open_test_set(corpus) if split == "test" else open_corpora([corpus], split)


def note_corpus(manifest: Path, corpus: str) -> None:
    """Note beside a manifest, which names no folder, on which one of this machine it was drawn."""
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
            raise UsageError(f"{manifest}: drawn on another machine; pass --corpus, where its music lies here")
        remedy = "delete it, and pass --corpus"
        corpus = read_json(noted, remedy=remedy).get("corpus")
        if not isinstance(corpus, str):
            raise UsageError(f"{noted}: names no corpus; {remedy}")
    return open_tracks(corpus, queries[0].split)


def _corpus_note(manifest: Path) -> Path:
    return manifest.with_suffix(".corpus.json")


def _absolute(corpus: str) -> str:
    reader, colon, folder = corpus.partition(":")
    if colon and reader in CORPORA:
        return f"{reader}:{Path(folder).expanduser().resolve()}"
    return str(Path(corpus).expanduser().resolve())
