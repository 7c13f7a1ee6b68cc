"""COCOLA: how well an accompaniment fits the music it was made for, as a number."""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from .errors import AudioError, CheckpointError, CocolaError, MissingExtraError

if TYPE_CHECKING:
    from .fad import FAD, SubFAD
    from .frechet import frechet_distance
    from .metric import CocolaMetric as CocolaMetric
    from .scorer import CocolaScorer, WindowScores

__version__ = version("cocola-metric")
__all__ = [
    "FAD",
    "AudioError",
    "CheckpointError",
    "CocolaError",
    "CocolaScorer",
    "MissingExtraError",
    "SubFAD",
    "WindowScores",
    "__version__",
    "frechet_distance",
]


def __getattr__(name: str) -> Any:
    """Import the scorer, and torch with it, only when it is asked for (PEP 562).

    ``CocolaMetric`` is not in ``__all__``: it needs the extra [torchmetrics], which ``import *`` should not.
    """
    if name == "CocolaMetric":
        return import_module(".metric", __name__).CocolaMetric
    if name in ("FAD", "SubFAD"):
        return getattr(import_module(".fad", __name__), name)
    if name == "frechet_distance":
        return import_module(".frechet", __name__).frechet_distance
    if name in ("CocolaScorer", "WindowScores"):
        return getattr(import_module(".scorer", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
