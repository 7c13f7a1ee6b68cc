"""The score stage over many machines: Ray Data spreads queries, and rows stream back to the one file of scores."""

import json
import logging
import os
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cocola_metric.errors import AudioError, MissingExtraError, UsageError
from cocola_metric.scorer import CocolaScorer

from ..queries import Query
from .answers import Accompaniments
from .scoring import AT_ONCE, score_in_process

STORE_BYTES = 200_000_000
"""Bytes of memory that the processes of one machine share, for the encoder and scores."""


class RayEngine:
    """Engine that scores in worker processes, on the cluster at RAY_ADDRESS or on a new one on this machine.

    Ray is started when there is something to score, and shut down when the engine is left; a cluster is only left. A
    worker that dies is replaced, and its queries are scored again. Audio is read by the workers, so corpora and
    answers have to lie at the same place on every machine.

    Attributes:
        workers: number of processes, each with a scorer of its own.
        scored: number of queries that came back.
        processes: machine and process number of every process that sent some.
        seconds: time from the request to the last score, in seconds.
        waited: time from the request to the first score, in seconds.
        steady: number of queries that came after the first batch.
    """

    def __init__(self, workers: int) -> None:
        """Prepare so many workers; none is started yet.

        Raises:
            MissingExtraError: the extra [scale], which holds Ray Data, is not installed.
            UsageError: ``workers`` is below 1.
        """
        if workers < 1:
            raise UsageError(f"--workers must be 1 or more; got {workers}")
        self.workers = workers
        self._ray = _import_ray()
        self._started = False
        self.scored, self.steady, self.seconds, self.waited = 0, 0, 0.0, 0.0
        self.processes: set[str] = set()

    def __enter__(self) -> "RayEngine":
        """Return the engine; workers start with the first query."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Shut down what was started."""
        if self._started:
            self._ray.shutdown()
            self._started = False

    def __call__(
        self, scorer: CocolaScorer, queries: Sequence[Query], answers: Accompaniments, keys: Mapping[str, str]
    ) -> Iterator[dict[str, Any]]:
        """Yield a row for each query, as `scoring.score_in_process` does, but in the order they become ready.

        Raises:
            AudioError: an answer is missing or damaged.
            UsageError: the scorer is not on the CPU.
        """
        if not queries:
            return
        if scorer.device != "cpu":
            raise UsageError(f"--engine ray scores on CPUs; got --device {scorer.device}; leave it at cpu")
        self._start()
        begun = last = time.monotonic()
        first = 0.0
        task = self._ray.put((scorer, tuple(queries), answers, dict(keys)))  # held here: workers may be born again
        spread = self._spread(task, len(queries))
        for batch in spread.iter_batches(prefetch_batches=0, batch_size=None, batch_format="numpy"):
            now = time.monotonic()
            if not first:
                first = now
                self.waited += now - begun
            else:
                self.steady += len(batch["row"])
            self.processes.update(batch["process"].tolist())
            for text in batch["row"].tolist():
                row = json.loads(text)
                if "error" in row:
                    raise AudioError(row["error"])
                self.scored += 1
                yield row
            last = now
        self.seconds += last - begun

    @property
    def summary(self) -> str:
        """Sentence with the number of queries, processes and seconds."""
        rate = f", then {self.steady / (self.seconds - self.waited):.1f} a second" if self.steady else ""
        plural = "" if self.workers == 1 else "s"
        return (
            f"ray scored {self.scored} queries with {self.workers} worker{plural} in {self.seconds:.1f} s: "
            f"{self.waited:.1f} s until the first came{rate}"
        )

    def _start(self) -> None:
        if self._ray.is_initialized():
            return
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
        address = os.environ.get("RAY_ADDRESS")
        if address:
            self._ray.init(address=address, **quiet)
        else:
            own = {"num_cpus": self.workers, "object_store_memory": STORE_BYTES, "include_dashboard": False}
            self._ray.init(address="local", **own, **quiet)
        self._started = True

    def _spread(self, task: Any, count: int) -> Any:
        data = self._ray.data
        data.DataContext.get_current().enable_progress_bars = False
        batches = [{"first": first} for first in range(0, count, AT_ONCE)]  # the same as in one process
        return data.from_items(batches, override_num_blocks=len(batches)).map_batches(
            ScoringWorker,
            fn_constructor_args=([task],),
            batch_size=None,
            compute=data.ActorPoolStrategy(size=self.workers),
            num_cpus=1,
        )


class ScoringWorker:
    """A worker process: one scorer, and the queries by number."""

    def __init__(self, tasks: Sequence[Any]) -> None:
        """Fetch scorer, queries, answers and keys, which all batches share.

        Args:
            tasks: sequence of one reference to them; Ray would copy a reference outside a sequence into the call.
        """
        ray = _import_ray()
        self.scorer, self.queries, self.answers, self.keys = ray.get(tasks[0])
        self.process = f"{socket.gethostname()}:{os.getpid()}"

    def __call__(self, batch: Mapping[str, NDArray[np.int64]]) -> dict[str, list[str]]:
        """Return a row of JSON for each query, up to the first that cannot be scored: its row holds the error.

        Queries that were sent together are scored again together if the worker dies.
        """
        wanted = [query for first in batch["first"] for query in self.queries[first : first + AT_ONCE]]
        rows = []
        try:
            for row in score_in_process(self.scorer, wanted, self.answers, self.keys):
                rows.append(json.dumps(row))
        except AudioError as error:
            rows.append(json.dumps({"error": str(error)}))
        return {"row": rows, "process": [self.process] * len(rows)}


def _import_ray() -> Any:
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise MissingExtraError(f"--engine ray needs Ray Data ({error}): pip install 'cocola-metric[scale]'") from error
    for name in ("ray", "ray.data"):
        logging.getLogger(name).setLevel(logging.ERROR)
    return ray
