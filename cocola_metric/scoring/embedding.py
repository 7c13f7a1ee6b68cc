"""From audio to one embedding per window: in batches, in parallel over files, leaving the caller's settings alone."""

import os
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..audio import Audio, WindowPlan, is_silent, stream_windows
from ..encoder import CocolaEncoder, Mode
from ..errors import AudioError, CheckpointError

BATCH_SIZE = 8  # windows per forward pass on a CPU: a larger batch leaves the cache and is slower per window
BATCH_SIZE_ACCELERATOR = 64
LARGEST_PEAK = 1e10
"""Of samples: more than 32-bit integers reach that were never divided by their full scale."""


@dataclass(frozen=True)
class Request:
    """Audio to embed, and how far its partners need it.

    Attributes:
        audio: what to read, or why it cannot be opened.
        lengths: samples at 16 kHz, none beyond the audio's own: the lengths it has in common with its partners.
            Empty stands for all of it.
    """

    audio: Audio | AudioError
    lengths: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Embedded:
    """The embedded windows of one audio, for every length it is asked at.

    Windows that are complete at the longest of these lengths serve all of them. Where a shorter length ends inside a
    window, that window is embedded once more with silence behind the end.

    Attributes:
        length: of the whole audio, samples at 16 kHz.
        plan: how windows are laid.
        embeddings: (K, D), at the longest length.
        silent: (K,).
        ends: length -> embedding (D,) and silence of the last window at that length, where it differs.
    """

    length: int
    plan: WindowPlan
    embeddings: Tensor
    silent: Tensor
    ends: dict[int, tuple[Tensor, Tensor]] = field(default_factory=dict)

    def up_to(self, length: int) -> tuple[Tensor, Tensor]:
        """Return embeddings (K, D) and silence (K,) of the audio cut to ``length`` samples."""
        count = self.plan.count(length)
        embeddings, silent = self.embeddings[:count], self.silent[:count]
        if length in self.ends:
            end, end_silent = self.ends[length]
            embeddings, silent = torch.cat([embeddings[:-1], end[None]]), torch.cat([silent[:-1], end_silent[None]])
        return embeddings, silent


class WindowEmbedder:
    """Embeds whole audios window by window."""

    def __init__(
        self, encoder: CocolaEncoder, *, mode: Mode, device: torch.device, plan: WindowPlan, batch_size: int | None
    ) -> None:
        self.encoder, self.mode, self.device, self.plan = encoder, mode, device, plan
        self.batch_size = batch_size or (BATCH_SIZE if device.type == "cpu" else BATCH_SIZE_ACCELERATOR)

    def embed(self, audio: Audio, lengths: Collection[int]) -> Embedded:
        """Read and embed one audio.

        Raises:
            AudioError: the file turns out to be damaged.
        """
        longest = max(lengths, default=audio.length)
        last_windows = {length: self.plan.count(length) - 1 for length in lengths if self.plan.cuts(length, longest)}
        embeddings: list[Tensor] = []
        silent: list[Tensor] = []
        ends: dict[int, tuple[Tensor, Tensor]] = {}
        first = 0
        for windows in stream_windows(audio, self.plan, length=longest, batch_size=self.batch_size):
            embeddings.append(_finite(self._embed_windows(windows), windows, audio.name))
            silent.append(is_silent(windows))
            for length, last in last_windows.items():
                if first <= last < first + len(windows):
                    end = self.plan.silence_behind(length, windows[last - first], last).unsqueeze(0)
                    ends[length] = _finite(self._embed_windows(end), end, audio.name)[0], is_silent(end)[0]
            first += len(windows)
        return Embedded(audio.length, self.plan, torch.cat(embeddings), torch.cat(silent), ends)

    def embed_all(self, requests: Iterable[Request]) -> Iterator[Embedded | AudioError]:
        """Embed many audios, in order; one that cannot be read yields its error.

        On the CPU files go through in parallel, one thread each, since two threads within one operation gain little
        on a quiet machine and lose much on a busy one.
        """
        if self.device.type != "cpu":
            yield from map(self._embed_or_error, requests)
            return
        workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        pool = ThreadPoolExecutor(
            workers, "cocola", initializer=_one_thread_per_operation, initargs=(torch.get_num_threads(),)
        )
        try:
            yield from _map_ahead(pool, self._embed_or_error, requests, ahead=2 * workers)
        finally:  # without waiting: an abandoned iterator may be collected in one of the pool's own threads
            pool.shutdown(wait=False, cancel_futures=True)

    def _embed_or_error(self, request: Request) -> Embedded | AudioError:
        if isinstance(request.audio, AudioError):
            return request.audio
        try:
            return self.embed(request.audio, request.lengths)
        except AudioError as error:
            return error

    def _embed_windows(self, windows: Tensor) -> Tensor:
        with torch.inference_mode():
            embeddings: Tensor = self.encoder(windows.to(self.device), self.mode)
        return embeddings.float().cpu()


def _finite(embeddings: Tensor, windows: Tensor, name: str) -> Tensor:
    """Return embeddings (B, D) as they are.

    Raises:
        AudioError: They are NaN or infinite, as the samples are far beyond full scale.
        CheckpointError: They are NaN or infinite, and the samples are not to blame.
    """
    if torch.isfinite(embeddings).all():
        return embeddings
    peak = windows.abs().max().item()
    if peak > LARGEST_PEAK:
        raise AudioError(f"{name} has samples of {peak:.3g}, which the encoder overflows at: full scale is 1, scale it")
    raise CheckpointError(f"the encoder gives NaN or infinite embeddings of {name}: its weights are damaged or unfit")


def _map_ahead(
    pool: ThreadPoolExecutor,
    function: Callable[[Request], Embedded | AudioError],
    requests: Iterable[Request],
    *,
    ahead: int,
) -> Iterator[Embedded | AudioError]:
    """Map in order, keeping at most ``ahead`` results waiting."""
    waiting: deque[Future[Embedded | AudioError]] = deque()
    for request in requests:
        waiting.append(pool.submit(function, request))
        if len(waiting) >= ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _one_thread_per_operation(others: int) -> None:
    """Let this thread run torch operations alone, and other threads go on with ``others``.

    ``torch.set_num_threads`` sets the calling thread, and the number that threads born later start with; a short-lived
    second thread puts the latter back.
    """
    torch.set_num_threads(1)
    restore = threading.Thread(target=torch.set_num_threads, args=(others,))
    restore.start()
    restore.join()
