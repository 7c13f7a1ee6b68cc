"""A stand-in for Ray in this process: what is sent is pickled, results come out of order, and workers die as told."""

import pickle
import random
import types
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


class RayError(Exception):
    pass


class RayTaskError(RayError):
    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


class RayActorError(RayError):
    pass


@dataclass(eq=False)
class Reference:
    actor: "Actor"
    arguments: bytes
    value: Any = None
    is_done: bool = False


@dataclass(eq=False)
class Actor:
    """An actor, which is made when it is first called, as in another process."""

    ray: "FakeRay"
    kind: type
    argument: bytes
    dead: bool = False
    instance: Any = None
    queue: list[Reference] = field(default_factory=list)

    @property
    def do(self) -> types.SimpleNamespace:
        return types.SimpleNamespace(remote=self._send)

    def _send(self, *arguments: Any) -> Reference:
        reference = Reference(self, pickle.dumps(arguments))
        self.queue.append(reference)
        return reference

    def work(self) -> None:
        """Do what waits first, or die of it."""
        reference = self.queue.pop(0)
        arguments = pickle.loads(reference.arguments)
        self.ray.calls += 1
        if self.ray.is_lethal(self.ray.calls, *arguments):
            self.dead = True
            self.ray.died += 1
            return
        self.instance = self.instance or self.kind(pickle.loads(self.argument))
        try:
            reference.value = pickle.loads(pickle.dumps(self.instance.do(*arguments)))
        except Exception as error:
            reference.value = RayTaskError(error)
        reference.is_done = True


class FakeRay(types.ModuleType):
    """The part of Ray's interface that a pool uses.

    Attributes:
        started: options of every start.
        resources: options of every actor.
        is_lethal: function of the number of a call and of its arguments that tells whether its worker dies.
        available: resources of the cluster.
    """

    def __init__(self) -> None:
        super().__init__("ray")
        self.exceptions = types.ModuleType("ray.exceptions")
        for kind in (RayError, RayTaskError, RayActorError):
            setattr(self.exceptions, kind.__name__, kind)
        self.started: list[dict[str, Any]] = []
        self.resources: list[dict[str, Any]] = []
        self.running = False
        self.calls = self.died = 0
        self.is_lethal: Callable[..., bool] = lambda call, items: False
        self.available: dict[str, float] = {"CPU": 64.0}
        self._random = random.Random(0)

    def is_initialized(self) -> bool:
        return self.running

    def init(self, **options: Any) -> None:
        self.started.append(options)
        self.running = True

    def shutdown(self) -> None:
        self.running = False

    def cluster_resources(self) -> dict[str, float]:
        return self.available

    def put(self, value: Any) -> bytes:
        return pickle.dumps(value)

    def remote(self, kind: type) -> types.SimpleNamespace:
        def options(**resources: Any) -> types.SimpleNamespace:
            def make(argument: bytes) -> Actor:
                self.resources.append(resources)
                return Actor(self, kind, argument)

            return types.SimpleNamespace(remote=make)

        return types.SimpleNamespace(options=options)

    def wait(self, references: list[Reference], num_returns: int) -> tuple[list[Reference], list[Reference]]:
        assert num_returns == 1
        chosen = self._random.choice(references)
        actor = chosen.actor
        if not chosen.is_done and not actor.dead:
            chosen = actor.queue[0]  # an actor does what it has in order
            actor.work()
        return [chosen], [one for one in references if one is not chosen]

    def get(self, reference: Reference) -> Any:
        if reference.is_done:
            if isinstance(reference.value, Exception):
                raise reference.value
            return reference.value
        assert reference.actor.dead
        raise RayActorError("The actor died unexpectedly before finishing this task.\nIts log is elsewhere.")

    def kill(self, actor: Actor) -> None:
        actor.dead = True
