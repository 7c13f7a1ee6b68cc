"""The score as a metric of VERSA (wavlab-speech/versa): `register_cocola_metric` adds it to VERSA's registry."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from versa.definition import BaseMetric, MetricCategory, MetricMetadata, MetricType

from ..errors import AudioError
from ..scorer import CocolaScorer

NAME = "cocola"
DEFAULT_RATE = 16_000
OPTIONS = ("mode", "window", "hop", "batch_size", "device", "symmetric", "cache")


class CocolaMetric(BaseMetric):  # type: ignore[misc]  # VERSA has no types
    """The COCOLA score of an accompaniment; the reference signal is the music that it is to fit.

    Keys of its entry in VERSA's configuration: ``model``, as for `CocolaScorer.from_pretrained`, and the options of
    that function.

    Attributes:
        signature: recipe of the score, to be cited with it.
    """

    def _setup(self) -> None:
        options = {key: self.config[key] for key in OPTIONS if key in self.config}
        if "use_gpu" in self.config:
            options.setdefault("device", "cuda" if self.config["use_gpu"] else "cpu")
        self.scorer = CocolaScorer.from_pretrained(self.config.get("model", "embedded"), **options)
        self.signature = self.scorer.signature

    def compute(
        self, predictions: Any, references: Any = None, metadata: Mapping[str, Any] | None = None
    ) -> dict[str, float]:
        """Return the score under "cocola".

        Args:
            predictions: accompaniment, (L,) or (C, L).
            references: conditioning, (L,) or (C, L).
            metadata: entry "sample_rate" with the rate of both, in Hz; 16,000 if there is none.

        Raises:
            AudioError: one of the two is missing, or cannot be scored, as where it is silent.
        """
        if predictions is None or references is None:
            raise AudioError("cocola scores an accompaniment with its conditioning; pass predictions and references")
        rate = (metadata or {}).get("sample_rate", DEFAULT_RATE)
        sides = (np.atleast_2d(np.asarray(side, np.float32)) for side in (references, predictions))
        return {NAME: self.scorer.score(*sides, sample_rate=rate)}

    def get_metadata(self) -> MetricMetadata:
        """Return the entry of VERSA's registry."""
        return cocola_metadata()


def cocola_metadata() -> MetricMetadata:
    """Return the entry of VERSA's registry."""
    return MetricMetadata(
        name=NAME,
        category=MetricCategory.DEPENDENT,
        metric_type=MetricType.FLOAT,
        requires_reference=True,
        requires_text=False,
        gpu_compatible=True,
        auto_install=False,
        dependencies=["cocola_metric"],
        description="COCOLA score: how well an accompaniment fits its conditioning, which is the reference",
        paper_reference="https://arxiv.org/abs/2404.16969",
        implementation_source="https://github.com/cocola-metric/cocola-metric",
    )


def register_cocola_metric(registry: Any) -> None:
    """Add the metric to a registry of VERSA, under "cocola" and "cocola_score"."""
    registry.register(CocolaMetric, cocola_metadata(), aliases=["cocola_score"])
