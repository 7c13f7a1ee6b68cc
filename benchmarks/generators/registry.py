"""The generators that answer queries, by name; each is imported when it is asked for."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cocola_metric.errors import UsageError

if TYPE_CHECKING:  # --help lists the names
    from .protocol import Generator, Setting


def _ground_truth(argument: str, setting: "Setting") -> "Generator":
    from .real_music import GroundTruth

    return GroundTruth(setting.audio, setting.task)


def _random(argument: str, setting: "Setting") -> "Generator":
    from .real_music import Random

    return Random(setting.audio, setting.task)


def _degraded(argument: str, setting: "Setting") -> "Generator":
    from .degraded import make_degraded

    return make_degraded(argument, setting.audio, setting.task)


def _noise(argument: str, setting: "Setting") -> "Generator":
    from .controls import Noise

    return Noise(setting.audio, setting.task)


def _echo(argument: str, setting: "Setting") -> "Generator":
    from .controls import Echo

    return Echo(setting.audio, setting.task)


def _folder(argument: str, setting: "Setting") -> "Generator":
    from .outside import Folder

    if not argument:
        raise UsageError("the generator folder needs a folder; write folder:DIR")
    return Folder(Path(argument).expanduser(), setting.queries_sha256)


def _swapped(argument: str, setting: "Setting") -> "Generator":
    from .controls import Swapped

    if not argument:
        raise UsageError("the generator swapped needs answers to the same queries; write swapped:DIR")
    return Swapped(Path(argument).expanduser(), setting.queries, setting.queries_sha256)


def _msdm(argument: str, setting: "Setting") -> "Generator":
    from .msdm import make_msdm

    return make_msdm(argument, setting.device, setting.task)


def _gmsdi(argument: str, setting: "Setting") -> "Generator":
    from .gmsdi import make_gmsdi

    return make_gmsdi(argument, setting.device, setting.task)


def _componet(argument: str, setting: "Setting") -> "Generator":
    from .componet import make_componet

    return make_componet(argument, setting.device, setting.task)


GENERATORS: dict[str, Callable[[str, "Setting"], "Generator"]] = {
    "ground_truth": _ground_truth,
    "random": _random,
    "degraded": _degraded,
    "noise": _noise,
    "echo": _echo,
    "folder": _folder,
    "swapped": _swapped,
    "msdm": _msdm,
    "gmsdi": _gmsdi,
    "componet": _componet,
}
"""Constructors by name, called with argument and setting; the argument follows the colon in "folder:DIR"."""

GUIDED = ("msdm", "gmsdi", "componet")
"""Generators that an encoder can guide while they draw."""


def with_guide(spec: str, options: Mapping[str, Any]) -> str:
    """Return a specification with the guidance that options ask for: guide, guide_weight, guide_schedule, guide_limit.

    >>> with_guide("msdm:DIR", {"guide": "embedded", "guide_weight": "2", "guide_limit": None})
    'msdm:DIR,guide=embedded,guide_weight=2'

    Raises:
        UsageError: the generator cannot be guided.
    """
    wanted = [f"{name}={value}" for name, value in options.items() if name.startswith("guide") and value is not None]
    if wanted and spec.partition(":")[0] not in GUIDED:
        raise UsageError(f"an encoder can guide {', '.join(GUIDED)}; got {spec.partition(':')[0]!r}; leave --guide out")
    return ",".join([spec, *wanted])


def open_generator(spec: str, setting: "Setting", *, candidates: int = 1) -> "Generator":
    """Make a generator from "name" or "name:argument".

    Args:
        spec: name of `GENERATORS`, with an argument after a colon where it takes one.
        setting: audio, manifest and device.
        candidates: number of answers to each query, of which the loudest is kept; see `BestOf`.

    Raises:
        UsageError: there is no such generator, or its argument cannot be used.
    """
    name, _, argument = spec.partition(":")
    if name not in GENERATORS:
        raise UsageError(f"the generator must be one of {', '.join(GENERATORS)}; got {name!r}")
    generator = GENERATORS[name](argument, setting)
    if candidates == 1:
        return generator
    from .best_of import BestOf

    return BestOf(generator, candidates)
