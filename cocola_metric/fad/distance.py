"""The Fréchet audio distance of clips and of mixtures (sub-FAD), with its interval, its limit and its floor."""

import functools
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from ..audio import AudioInput, content_sha256, mix_clips
from ..embedding_store import EMBEDDINGS, open_store
from ..errors import AudioError, UsageError
from .embedders import Embedder, new_embedder
from .estimates import TrackSet, bootstrap_interval, infinity, per_song, split_half_floor
from .frechet import Array, Statistics
from .reference import Reference
from .result import FadResult

REDRAWN_DISTANCES = 200
Mix: TypeAlias = tuple[AudioInput, ...]
"""Clips that play together: one for FAD, conditioning and accompaniment for sub-FAD."""


class FrechetMetric:
    """The common part of FAD and sub-FAD: mixes are embedded, and sets of embeddings are compared.

    Attributes:
        prefix: name in the signature.
        paired: True if generated and reference mixes of one index belong together, and are redrawn together.
    """

    prefix: str
    paired: bool

    def __init__(
        self,
        embedder: str | Embedder = "cocola",
        *,
        cache: str | os.PathLike[str] | None = "default",
        resamples: int = REDRAWN_DISTANCES,
        seed: int = 0,
        **options: Any,
    ) -> None:
        if resamples < 2:
            raise UsageError(f"resamples must be 2 or more; got {resamples}")
        self.embedder = new_embedder(embedder, **options) if isinstance(embedder, str) else embedder
        self.resamples, self.seed = resamples, seed
        self._store = open_store(cache)

    @property
    def recipe(self) -> str:
        """The recipe of the embeddings, without their number."""
        return f"{self.prefix}|{self.embedder.recipe}"

    def embed(self, mixes: Sequence[Mix], sample_rate: float | None = None) -> list[Array]:
        """Return the embeddings (n, D) of each mix, a tuple of clips that play together.

        Raises:
            AudioError: a clip cannot be read, or gives no embeddings.
        """
        embedded = []
        for result in self.embed_all(mixes, sample_rate=sample_rate):
            if isinstance(result, AudioError):
                raise result
            embedded.append(result)
        return embedded

    def embed_all(
        self, mixes: Iterable[Mix], *, sample_rate: float | None = None, threads: int | None = None
    ) -> Iterator[Array | AudioError]:
        """Yield the embeddings (n, D) of each mix in order, from the cache or anew, or the error of a mix.

        Args:
            mixes: clips that play together, for each mix.
            sample_rate: rate of tensors and arrays, in Hz.
            threads: number of mixes that are embedded side by side; by default one for each core.
        """
        embed = functools.partial(self._embed, sample_rate=sample_rate)
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        workers = threads or cores
        if not self.embedder.parallel or workers == 1:
            yield from map(embed, mixes)
            return
        pool = ThreadPoolExecutor(workers, "cocola-fad")
        try:
            yield from pool.map(embed, mixes)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def compare(self, generated: Sequence[Array], reference: "Sequence[Array] | Reference") -> FadResult:
        """Return the FAD of embeddings by clip, (n_i, D) each.

        Raises:
            UsageError: a set has fewer than 2 embeddings, or a reference is of another recipe.
        """
        drawn_from: TrackSet | Statistics
        if isinstance(reference, Reference):
            if reference.recipe != self.recipe:
                raise UsageError(f"the reference was made by {reference.recipe}, not by {self.recipe}; make it again")
            summary, drawn_from = reference, reference.statistics
        else:
            summary, drawn_from = self.reference_of(reference), TrackSet(reference)
        tracks = TrackSet(generated)
        statistics = tracks.all()
        fad = statistics.distance(summary.statistics)
        limit = infinity(tracks, drawn_from, paired=self.paired, seed=self.seed)
        interval = bootstrap_interval(tracks, drawn_from, paired=self.paired, resamples=self.resamples, seed=self.seed)
        return FadResult(
            fad=fad,
            interval=interval,
            infinity=limit.value if limit else math.nan,
            infinity_r_squared=limit.r_squared if limit else math.nan,
            floor=summary.floor,
            n=statistics.count,
            n_reference=summary.statistics.count,
            tracks=len(tracks),
            tracks_reference=summary.tracks,
            dimension=statistics.dimension,
            per_song=per_song(tracks, summary.statistics),
            signature=f"{self.recipe}|n:{statistics.count}|n_ref:{summary.statistics.count}|d:{statistics.dimension}",
        )

    def reference_of(self, embeddings: Sequence[Array]) -> Reference:
        """Return the statistics of a reference set that is embedded already, by clip, (n_i, D) each."""
        tracks = TrackSet(embeddings)
        floor = split_half_floor(tracks, seed=self.seed)
        return Reference(tracks.all(), len(tracks), math.nan if floor is None else floor, self.recipe)

    def _embed(self, mix: Mix, *, sample_rate: float | None) -> Array | AudioError:
        try:
            place = self._place(mix, sample_rate)
            if self._store and place and (kept := self._store.read(place)) is not None:
                return kept[EMBEDDINGS][:, : getattr(self.embedder, "width", None)].astype(np.float64)
            embeddings = self.embedder.embed(mix_clips(mix, self.embedder.sample_rate, sample_rate=sample_rate))
        except AudioError as error:
            return error
        if embeddings.ndim != 2 or not len(embeddings) or not np.isfinite(embeddings).all():
            name = " + ".join(str(clip) if isinstance(clip, (str, os.PathLike)) else "a clip" for clip in mix)
            return AudioError(
                f"{name}: the embedder {self.embedder.name} gave no finite embeddings (n, D); check the clip"
            )
        if self._store and place:
            self._store.write(place, {EMBEDDINGS: embeddings})
        return embeddings

    def _place(self, mix: Mix, sample_rate: float | None) -> Path | None:
        if self._store is None:
            return None
        try:
            return self._store.path(
                self.embedder.recipe, [content_sha256(clip, sample_rate=sample_rate) for clip in mix]
            )
        except (OSError, ValueError):
            return None  # reading the clip raises the error


class FAD(FrechetMetric):
    """The Fréchet audio distance (Kilgour et al. 2019) of generated clips to reference clips.

    Every clip is a path, a list of stem paths (summed, Eq. 1), or a floating-point tensor or array (channels, time)
    with ``sample_rate=``. Clips are averaged to mono, resampled once to the embedder's own rate, and embedded whole.

    Args:
        embedder: name of `embedders.EMBEDDERS`, or an embedder of your own.
        cache: folder in which embeddings are kept by content; None keeps nothing.
        resamples: number of draws behind the interval.
        seed: seed of every draw.
        options: options of a named embedder.
    """

    prefix = "FAD"
    paired = False

    def score(
        self,
        generated: Sequence[AudioInput],
        references: "Sequence[AudioInput] | Reference",
        *,
        sample_rate: float | None = None,
    ) -> FadResult:
        """Return the FAD of a set of clips to another, or to a saved reference.

        Raises:
            AudioError: a clip cannot be read, or gives no embeddings; none is left out.
            UsageError: a set has fewer than 2 embeddings.
        """
        if isinstance(references, Reference):
            return self.compare(self.embed(_alone(generated), sample_rate), references)
        embedded = self.embed([*_alone(generated), *_alone(references)], sample_rate)
        return self.compare(embedded[: len(generated)], embedded[len(generated) :])

    def reference(self, references: Sequence[AudioInput], *, sample_rate: float | None = None) -> Reference:
        """Return the statistics of a reference set, to be saved and used for many generated sets."""
        return self.reference_of(self.embed(_alone(references), sample_rate))


class SubFAD(FrechetMetric):
    """The FAD of mixtures, which MSDM and the paper (section 4.3) use for accompaniments.

    Mixtures with generated parts are compared with mixtures of the real parts: for every i, ``conditionings[i]`` is
    summed with ``generated[i]`` and with ``references[i]`` before embedding. Redrawing keeps the three together.

    Args:
        embedder: name of `embedders.EMBEDDERS`, or an embedder of your own.
        cache: folder in which embeddings are kept by content; None keeps nothing.
        resamples: number of draws behind the interval.
        seed: seed of every draw.
        options: options of a named embedder.
    """

    prefix = "sub-FAD"
    paired = True

    def score(
        self,
        conditionings: Sequence[AudioInput],
        generated: Sequence[AudioInput],
        references: Sequence[AudioInput] | Reference,
        *,
        sample_rate: float | None = None,
    ) -> FadResult:
        """Return the sub-FAD of a set of accompaniments.

        Args:
            conditionings: music that the accompaniments were made for.
            generated: generated accompaniment of each conditioning.
            references: real accompaniment of each conditioning, or the result of `reference` for these conditionings.
            sample_rate: rate of tensors and arrays, in Hz.

        Raises:
            AudioError: a clip cannot be read, or gives no embeddings; none is left out.
            UsageError: the sets differ in size, or have fewer than 2 embeddings.
        """
        mixes = _together(conditionings, generated)
        if isinstance(references, Reference):
            return self.compare(self.embed(mixes, sample_rate), references)
        embedded = self.embed([*mixes, *_together(conditionings, references)], sample_rate)
        return self.compare(embedded[: len(mixes)], embedded[len(mixes) :])

    def reference(
        self,
        conditionings: Sequence[AudioInput],
        references: Sequence[AudioInput],
        *,
        sample_rate: float | None = None,
    ) -> Reference:
        """Return the statistics of the real mixtures, to be saved and used for many generators."""
        return self.reference_of(self.embed(_together(conditionings, references), sample_rate))


def _alone(clips: Sequence[AudioInput]) -> list[Mix]:
    return [(clip,) for clip in clips]


def _together(conditionings: Sequence[AudioInput], parts: Sequence[AudioInput]) -> list[Mix]:
    if len(conditionings) != len(parts):
        raise UsageError(f"parts must be one for each of {len(conditionings)} conditionings; got {len(parts)}")
    return list(zip(conditionings, parts, strict=True))
