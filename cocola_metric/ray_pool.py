"""Work spread over processes and machines by Ray; its results stream back as they are done."""

import contextlib
import logging
import os
import socket
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any, Generic, TypeVar

from .errors import MissingExtraError, UsageError, WorkersError

Item = TypeVar("Item")
Result = TypeVar("Result")

STORE_BYTES = 200_000_000
"""Bytes of memory that the processes of one machine share, for the work and its results."""
AHEAD = 2
"""Units that a worker has at a time, so that it need not wait for the next."""
DEATHS = 3
"""Workers that a unit may cost; items of a larger unit are then tried one by one, and a single one is given up."""
BARREN = 8
"""Workers that may die one after the other without a result between, for each worker; then something else is wrong."""
PATIENCE = 10.0
"""Seconds in which the machine at RAY_ADDRESS has to answer."""
_log = logging.getLogger(__name__)


class RayPool:
    """Worker processes on the cluster at RAY_ADDRESS, or on a new one on this machine.

    Ray is started when there is something to do, and shut down when the pool is left; a cluster is only left. A worker
    that dies is replaced, and what it had is done again. Meanwhile stdout goes nowhere: Ray's threads print there what
    they think of dead workers, amid the result of a command.

    Attributes:
        workers: number of processes.
        gpus: GPUs of each: 0 for none, a fraction for several workers on one.
        done: number of items that came back.
        processes: machine and process number of every process that sent some.
        deaths: number of workers that died.
        seconds: time from the request to the last result, in seconds.
        waited: time from the request to the first result, in seconds.
        steady: number of items that came after the first unit.
        cpu: CPU time that the items took in the workers, in seconds.
    """

    def __init__(self, workers: int, *, gpus: float = 0.0) -> None:
        """Prepare so many workers; none is started yet.

        Raises:
            MissingExtraError: the extra [scale], which holds Ray, is not installed.
            UsageError: a number is out of its range.
        """
        if workers < 1:
            raise UsageError(f"--workers must be 1 or more; got {workers}")
        if gpus < 0 or (gpus > 1 and gpus != int(gpus)) or gpus != gpus:
            raise UsageError(
                f"--workers-gpu must be a fraction of a GPU below 1, or a whole number for each worker; got {gpus:g}"
            )
        self.workers, self.gpus = workers, gpus
        self._ray = _import_ray()
        self._started, self._silence = False, contextlib.ExitStack()
        self.done, self.steady, self.deaths = 0, 0, 0
        self.seconds, self.waited, self.cpu = 0.0, 0.0, 0.0
        self.processes: set[str] = set()

    def __enter__(self) -> "RayPool":
        """Return the pool; workers start with the first item."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Shut down what was started."""
        if self._started:
            self._ray.shutdown()
            self._silence.close()
            self._started = False

    def run(
        self, work: Callable[[Sequence[Item]], Sequence[Result]], items: Sequence[Item], *, at_once: int
    ) -> Iterator[tuple[int, Result | WorkersError]]:
        """Yield the number and the result of each item, in the order they become ready.

        Args:
            work: function of some items that returns a result for each; it is sent to every worker once.
            items: items of work.
            at_once: number of neighbouring items that are sent together.

        Raises:
            WorkersError: no cluster answers, or workers die whatever they do. The error of an item that alone costs
                every worker that tries it is its result.
            CocolaError: the error that the work raised.
        """
        if not items:
            return
        self._start()
        task: _Run[Item, Result] = _Run(self._ray, self._ray.put(work), items, at_once, self.workers, self.gpus)
        begun = last = time.monotonic()
        first = True
        try:
            for process, cpu, numbers, results in task.results():
                last = time.monotonic()
                if first:
                    self.waited += last - begun
                else:
                    self.steady += len(numbers)
                first = False
                if process:
                    self.processes.add(process)
                self.done += len(numbers)
                self.cpu += cpu
                yield from zip(numbers, results, strict=True)
        finally:
            self.deaths += task.deaths
            self.seconds += last - begun
            task.close()

    def summary(self, verb: str, things: str) -> str:
        """Return a sentence with the number of items, of processes and of seconds: what was done to which things."""
        after = self.seconds - self.waited
        rate = f", then {self.steady / after:.1f} a second" if self.steady and after > 0 else ""
        each = self.cpu / max(1, self.done)
        died = f"; {self.deaths} died and were replaced" if self.deaths else ""
        plural = "" if self.workers == 1 else "s"
        return (
            f"ray {verb} {self.done} {things} with {self.workers} worker{plural} in {self.seconds:.1f} s: "
            f"{self.waited:.1f} s until the first came{rate}; {each:.3f} s of CPU each{died}"
        )

    def _start(self) -> None:
        if self._ray.is_initialized():
            return
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
        address = os.environ.get("RAY_ADDRESS")
        own = {"num_cpus": self.workers, "object_store_memory": STORE_BYTES, "include_dashboard": False}
        try:
            if address:
                _knock(address)
            self._ray.init(address=address or "local", **({} if address else own), **quiet)
        except Exception as error:  # Ray has no common type for what may go wrong here
            what = f"no Ray cluster answers at RAY_ADDRESS={address}" if address else "Ray cannot be started here"
            way = "start one with `ray start`, or see its logs"
            if "AuthToken" in f"{error} {error.__cause__} {error.__context__}":
                way = "it asks for its token: set RAY_AUTH_MODE=token, and have its ~/.ray/auth_token on this machine"
            raise WorkersError(f"{what} ({_first_line(error)}); {way}") from error
        self._started = True
        nowhere = self._silence.enter_context(open(os.devnull, "w"))  # noqa: PTH123, SIM115
        self._silence.enter_context(contextlib.redirect_stdout(nowhere))
        there = self._ray.cluster_resources()
        if self.gpus and there.get("GPU", 0) < self.gpus:
            seen = f"--workers-gpu {self.gpus:g} needs a GPU, and Ray has {there.get('GPU', 0):g}"
            raise UsageError(f"{seen}; start Ray on a machine with one, or leave the option out")
        if there.get("CPU", 0) < self.workers:
            _log.warning("Ray has %g CPUs for %d workers; the others wait", there.get("CPU", 0), self.workers)


class _Run(Generic[Item, Result]):
    """One call of `RayPool.run`: units of items wait, are with a worker, or come back."""

    def __init__(self, ray: Any, work: Any, items: Sequence[Item], at_once: int, workers: int, gpus: float) -> None:
        self.ray, self.work, self.items, self.gpus = ray, work, items, gpus
        numbers = range(len(items))
        self.waiting: deque[Sequence[int]] = deque(
            numbers[start : start + at_once] for start in range(0, len(items), at_once)
        )
        self.costs: Counter[int] = Counter()  # by the first number of a unit
        self.deaths = self.barren = 0
        self.limit = BARREN * workers
        self.running: dict[Any, tuple[Any, Sequence[int]]] = {}
        self.actors: list[Any] = [self._actor() for _ in range(min(workers, len(self.waiting)))]

    def results(self) -> Iterator[tuple[str, float, Sequence[int], Sequence[Result | WorkersError]]]:
        """Yield the process, its seconds of CPU, the numbers of a unit and their results."""
        for actor in self.actors * AHEAD:
            self._send(actor)
        while self.running:
            (ready, *_), _ = self.ray.wait(list(self.running), num_returns=1)
            actor, unit = self.running[ready]
            try:
                process, cpu, results = self.ray.get(ready)
            except self.ray.exceptions.RayTaskError as error:
                raise error.cause if isinstance(error.cause, Exception) else error from None
            except self.ray.exceptions.RayError as error:  # the worker or its machine is lost, or a result on its way
                lost = self._bury(actor, error)
                if lost is not None:
                    yield (
                        "",
                        0.0,
                        lost,
                        [WorkersError(f"{self.costs[lost[0]]} workers died of it; {_first_line(error)}")],
                    )
                continue
            self.barren = 0
            del self.running[ready]
            self._send(actor)
            yield process, cpu, unit, results

    def close(self) -> None:
        """End the workers."""
        for actor in self.actors:
            self.ray.kill(actor)

    def _actor(self) -> Any:
        resources: dict[str, Any] = {"num_cpus": 1, "max_restarts": 0}
        if self.gpus:
            resources["num_gpus"] = int(self.gpus) if self.gpus >= 1 else self.gpus
        return self.ray.remote(Worker).options(**resources).remote(self.work)

    def _send(self, actor: Any) -> None:
        if self.waiting:
            unit = self.waiting.popleft()
            self.running[actor.do.remote([self.items[number] for number in unit])] = actor, unit

    def _bury(self, actor: Any, error: Exception) -> Sequence[int] | None:
        """Replace a dead worker, and put back what it had; return a unit of one item that has cost too many.

        Raises:
            WorkersError: too many died without a result between.
        """
        had = [(reference, unit) for reference, (owner, unit) in self.running.items() if owner is actor]
        for reference, _ in had:
            del self.running[reference]
        self.ray.kill(actor)
        (_, guilty), *innocent = had  # it works on the first
        self.deaths += 1
        self.barren += 1
        if self.barren > self.limit:
            raise WorkersError(
                f"{self.barren} workers died one after the other ({_first_line(error)}); see that this version of the "
                "package is on every machine, and that there is memory"
            )
        self.costs[guilty[0]] += 1
        given_up = self.costs[guilty[0]] >= DEATHS
        back = [unit for _, unit in innocent]
        if not given_up:
            back.insert(0, guilty)
        elif len(guilty) > 1:
            back[:0] = [[number] for number in guilty]
            self.costs[guilty[0]] = 0
        self.waiting.extendleft(reversed(back))
        self.actors[self.actors.index(actor)] = new = self._actor()
        for _ in range(AHEAD):
            self._send(new)
        return guilty if given_up and len(guilty) == 1 else None


class Worker:
    """The part of a worker process that Ray calls."""

    def __init__(self, work: Callable[[Sequence[Any]], Sequence[Any]]) -> None:
        """Take over the work."""
        self.work = work
        self.process = f"{socket.gethostname()}:{os.getpid()}"

    def do(self, items: Sequence[Any]) -> tuple[str, float, Sequence[Any]]:
        """Return the name of this process, the seconds of CPU that the items took, and a result for each item."""
        begun = time.process_time()
        results = self.work(items)
        return self.process, time.process_time() - begun, results


def _knock(address: str) -> None:
    """See that something answers at ``host:port``, which Ray tries for minutes.

    Raises:
        OSError: nothing does.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=PATIENCE).close()


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")


def _import_ray() -> Any:
    try:
        import ray
        import ray.exceptions
    except ImportError as error:
        raise MissingExtraError(f"--engine ray needs Ray ({error}): pip install 'cocola-metric[scale]'") from error
    logging.getLogger("ray").setLevel(logging.ERROR)
    return ray
