"""What VERSA asks of a metric, for where VERSA itself cannot be installed: its base class, and a scorer as its own.

VERSA (wavlab-speech/versa) is on no package index. This is its interface as read in `versa/definition.py` at commit
b7b9dd4 and in `versa/scorer_shared.py`, written anew; it shows that our metric keeps to that interface, not that VERSA
runs it.
"""

import enum
import logging
from abc import ABC, abstractmethod
from dataclasses import dataclass
from types import ModuleType
from typing import Any

MetricCategory = enum.Enum(
    "MetricCategory",
    {name.upper(): name for name in ("independent", "dependent", "non_match", "distributional")},
)
MetricType = enum.Enum(
    "MetricType",
    {name.upper(): name for name in ("string", "float", "int", "bool", "list", "dict", "tuple", "array", "time")},
)


@dataclass
class MetricMetadata:
    name: str
    category: MetricCategory
    metric_type: MetricType
    requires_reference: bool
    requires_text: bool
    gpu_compatible: bool
    auto_install: bool
    dependencies: list[str]
    description: str
    paper_reference: str | None = None
    implementation_source: str | None = None


class MetricRegistry:
    """Classes and metadata by name or alias."""

    def __init__(self) -> None:
        self._entries: dict[str, tuple[type, MetricMetadata]] = {}

    def register(self, metric_class: type, metadata: MetricMetadata, aliases: list[str] | None = None) -> None:
        for name in (metadata.name, *(aliases or ())):
            self._entries[name] = (metric_class, metadata)

    def get_metric(self, name: str) -> type | None:
        return self._entries[name][0] if name in self._entries else None

    def get_metadata(self, name: str) -> MetricMetadata | None:
        return self._entries[name][1] if name in self._entries else None


class BaseMetric(ABC):
    """Configured once, then computed for every utterance."""

    def __init__(self, config: dict[str, Any] | None = None) -> None:
        self.config = config or {}
        self.logger = logging.getLogger(type(self).__name__)
        self._setup()

    @abstractmethod
    def _setup(self) -> None: ...

    @abstractmethod
    def compute(self, predictions: Any, references: Any = None, metadata: dict[str, Any] | None = None) -> Any: ...

    @abstractmethod
    def get_metadata(self) -> MetricMetadata: ...


def module() -> ModuleType:
    """Return a module that stands for versa.definition."""
    made = ModuleType("versa.definition")
    for entry in (MetricCategory, MetricType, MetricMetadata, MetricRegistry, BaseMetric):
        setattr(made, entry.__name__, entry)
    return made
