"""From audios to one embedding per window: read ahead in threads, in batches across audios, in bounded memory."""

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple, Protocol

import numpy as np

from ..arrays import FloatArray, to_numpy
from ..audio import WindowPlan, is_silent, stream_windows
from ..encoder import Mode, Sides
from ..errors import AudioError, CheckpointError
from .embedded import Embedded, Request, Windows, joined
from .guards import traces

BATCH_SIZE = 8  # windows per call on a CPU: neighbours in one audio share spectra; more would keep other cores waiting
BATCH_SIZE_ACCELERATOR = 64
LARGEST_PEAK = 1e10
"""Largest magnitude of samples; 32-bit integers that were not divided by their full scale stay below it."""


class WindowEncoder(Protocol):
    """Windows (K, L) to embeddings and both sides of their similarity, on a device; see `encoder`."""

    device: str

    def __call__(self, windows: FloatArray, mode: Mode = ...) -> Sides:
        """Encode windows."""
        ...

    def prepare(self) -> None:
        """Get ready to be called in this process."""
        ...

    def prepare_thread(self) -> None:
        """Get ready to be called in this thread."""
        ...


class _Piece(NamedTuple):
    """Windows (L,) of one audio with a key each: the window's number, or minus the length whose end it is."""

    windows: list[FloatArray]
    keys: list[int]


class _Batch(NamedTuple):
    """The results of one call of the encoder, and the largest sample of each window."""

    windows: Windows
    peaks: FloatArray


class WindowEmbedder:
    """Embeds whole audios window by window; settings of the caller's threads stay as they are."""

    def __init__(
        self,
        encoder: WindowEncoder,
        *,
        mode: Mode,
        plan: WindowPlan,
        batch_size: int | None = None,
        symmetric: bool = False,
        threads: int | None = None,
    ) -> None:
        self.encoder, self.mode, self.plan, self.symmetric = encoder, mode, plan, symmetric
        self.threads = threads
        self.batch_size = batch_size or (BATCH_SIZE if encoder.device == "cpu" else BATCH_SIZE_ACCELERATOR)

    def embed_all(self, requests: Sequence[Request], *, traced: bool = False) -> Iterator[Embedded | AudioError]:
        """Embed many audios in order, and yield the error of an audio that cannot be read.

        Windows of several audios share a batch. A CPU works on as many batches as it has cores, with one thread each,
        since two threads within one operation gain little on a quiet machine and lose much on a busy one. A GPU works
        on one batch while the next is read. Memory holds the results, and a piece of each audio that is read ahead.

        Args:
            requests: audios to embed.
            traced: True for windows with traces of echo and noise.
        """
        self.encoder.prepare()
        cores = self.threads or (
            len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        )
        workers = cores if self.encoder.device == "cpu" else 1
        pool = ThreadPoolExecutor(workers, "cocola", initializer=self.encoder.prepare_thread)
        readers = pool if self.encoder.device == "cpu" else ThreadPoolExecutor(cores, "cocola-reader")
        try:
            yield from _Run(self, requests, pool, readers, workers, traced).results()
        finally:  # no waiting: an abandoned iterator may be collected in one of the pool's own threads
            for each in {pool, readers}:
                each.shutdown(wait=False, cancel_futures=True)

    def pieces(self, request: Request) -> Iterator[_Piece]:
        """Read the windows of a request.

        Raises:
            AudioError: the file turns out to be damaged during reading.
        """
        audio, lengths = request.audio, request.lengths
        if isinstance(audio, AudioError):
            raise audio
        longest = max(lengths, default=audio.length)
        last_windows = {length: self.plan.count(length) - 1 for length in lengths if self.plan.cuts(length, longest)}
        first = 0
        for part in stream_windows(audio, self.plan, length=longest, batch_size=self.batch_size):
            windows = part if isinstance(part, np.ndarray) else to_numpy(part)
            ends = {length: last - first for length, last in last_windows.items() if 0 <= last - first < len(windows)}
            cut = [self.plan.silence_behind(length, windows[at], first + at) for length, at in ends.items()]
            keys = [*range(first, first + len(windows)), *(-length for length in ends)]
            yield _Piece([*windows, *cut], keys)
            first += len(windows)

    def encode(self, windows: FloatArray, *, traced: bool = False) -> _Batch:
        """Encode a batch in the calling thread."""
        sides = self.encoder(windows, self.mode)
        fit = all(np.isfinite(side).all() for side in sides)
        peaks: FloatArray = np.zeros(len(windows), np.float32) if fit else np.abs(windows).max(1)
        kept = traces(windows) if traced else ()
        return _Batch(Windows(*(both_ways(sides) if self.symmetric else sides), is_silent(windows), *kept), peaks)


def both_ways(sides: Sides) -> Sides:
    """Return sides whose product is the mean of both directions, so that their order does not matter."""
    left, right = sides.left, sides.right
    return Sides(sides.embeddings, np.concatenate([left, right], 1) * np.float32(0.5), np.concatenate([right, left], 1))


class _Reading:
    """An audio in progress: the pieces still to be read, and the results of those before."""

    def __init__(self, embedder: WindowEmbedder, request: Request) -> None:
        self.request = request
        self.error: AudioError | None = None
        self.is_read = False
        self.unfinished = 0  # windows in batches
        self.rows: dict[int, Windows] = {}
        self.next_piece: Future[_Piece | None]
        self._pieces = embedder.pieces(request)
        self._plan = embedder.plan

    def read(self) -> _Piece | None:
        """Read the next piece, in any thread. Return None behind the last one, or after an error."""
        try:
            return next(self._pieces, None)
        except AudioError as error:
            self.error = error
            return None

    def take(self, key: int, row: int, batch: _Batch) -> None:
        """Store the result of one window."""
        window = batch.windows.part(slice(row, row + 1))
        self.unfinished -= 1
        self.rows[key] = window
        if not all(np.isfinite(side).all() for side in window.sides) and self.error is None:
            self.error = self._overflow(float(batch.peaks[row]))

    def result(self) -> Embedded | AudioError:
        """Return the embedded audio or its error, once all windows are finished."""
        if self.error is not None:
            return self.error
        assert not isinstance(self.request.audio, AudioError)
        whole = joined([self.rows[key] for key in sorted(self.rows) if key >= 0])
        ends = {-key: end for key, end in self.rows.items() if key < 0}
        return Embedded(self.request.audio.length, self._plan, whole, ends)

    def _overflow(self, peak: float) -> AudioError:
        name = "" if isinstance(self.request.audio, AudioError) else self.request.audio.name
        if peak > LARGEST_PEAK:
            return AudioError(
                f"{name} has samples of {peak:.3g}, at which the encoder overflows; scale it to a full scale of 1"
            )
        raise CheckpointError(
            f"the encoder gives NaN or infinite embeddings of {name}: its weights are damaged; fetch them again"
        )


class _Run:
    """One call of `WindowEmbedder.embed_all`: audios are read ahead, their windows batched, results sorted out."""

    def __init__(
        self,
        embedder: WindowEmbedder,
        requests: Sequence[Request],
        pool: ThreadPoolExecutor,
        readers: ThreadPoolExecutor,
        workers: int,
        traced: bool,
    ) -> None:
        self.traced = traced
        self.embedder, self.pool, self.readers, self.workers = embedder, pool, readers, workers
        self.requests = iter(requests)
        self.batch_size = min(embedder.batch_size, max(1, -(-_windows(requests, embedder.plan) // workers)))
        self.reading: deque[_Reading] = deque()
        self.waiting: deque[_Reading] = deque()  # for their turn to be yielded
        self.filling: list[tuple[_Reading, int, FloatArray]] = []
        self.running: deque[tuple[list[tuple[_Reading, int]], Future[_Batch]]] = deque()

    def results(self) -> Iterator[Embedded | AudioError]:
        while self._read_ahead():
            audio = self.reading[0]
            piece = audio.next_piece.result()
            if piece is None:
                audio.is_read = True
                self.reading.popleft()
            else:
                audio.next_piece = self.readers.submit(audio.read)
                self._fill(audio, piece)
            while len(self.running) > 2 * self.workers:
                self._collect()
            yield from self._finished()
        self._submit()
        while self.running:
            self._collect()
            yield from self._finished()
        yield from self._finished()

    def _read_ahead(self) -> bool:
        while len(self.reading) < 2 * self.workers + 1 and (request := next(self.requests, None)) is not None:
            audio = _Reading(self.embedder, request)
            audio.next_piece = self.readers.submit(audio.read)
            self.reading.append(audio)
            self.waiting.append(audio)
        return bool(self.reading)

    def _fill(self, audio: _Reading, piece: _Piece) -> None:
        for key, window in zip(piece.keys, piece.windows, strict=True):
            self.filling.append((audio, key, window))
            audio.unfinished += 1
            if len(self.filling) == self.batch_size:
                self._submit()

    def _submit(self) -> None:
        if self.filling:
            windows = np.stack([window for _, _, window in self.filling])
            owners = [(audio, key) for audio, key, _ in self.filling]
            self.running.append((owners, self.pool.submit(self.embedder.encode, windows, traced=self.traced)))
            self.filling = []

    def _collect(self) -> None:
        owners, future = self.running.popleft()
        batch = future.result()
        for row, (audio, key) in enumerate(owners):
            audio.take(key, row, batch)

    def _finished(self) -> Iterator[Embedded | AudioError]:
        while self.waiting and self.waiting[0].is_read and not self.waiting[0].unfinished:
            yield self.waiting.popleft().result()


def _windows(requests: Sequence[Request], plan: WindowPlan) -> int:
    audios = [(entry.audio, entry.lengths) for entry in requests if not isinstance(entry.audio, AudioError)]
    return sum(plan.count(max(lengths, default=audio.length)) for audio, lengths in audios)
