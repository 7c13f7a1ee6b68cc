"""The score as a module of Hugging Face evaluate: ``evaluate.load(cocola.__file__)``, or `Cocola` itself.

evaluate copies this file alone to a folder of its own before it imports it, so its imports are absolute.
"""

from typing import Any

import datasets
import evaluate
import numpy as np

from cocola_metric import CocolaScorer

DESCRIPTION = "COCOLA score: how well accompaniments fit the music that they were made for; higher fits better."
CITATION = """@article{ciranni2024cocola,
  title   = {{COCOLA}: Coherence-Oriented Contrastive Learning of Musical Audio Representations},
  author  = {Ciranni, Ruben and Postolache, Emilian and Mariani, Giorgio and Mancusi, Michele and Cosmo, Luca and
             Rodol{\\`a}, Emanuele},
  journal = {arXiv preprint arXiv:2404.16969},
  year    = {2024}
}
"""
INPUTS = """
Args:
    predictions: accompaniments, each the path of a file, a list of stem paths, or a list of mono samples.
    references: conditioning of each accompaniment, the music that it is to fit, in the same forms.
    model: encoder, as for ``CocolaScorer.from_pretrained``.
    sample_rate: rate of samples, in Hz; paths need none.
    symmetric: True for the mean of both directions.

Returns:
    cocola: mean score of the pairs; pairs that are silent throughout are left out.
    scores: score of each pair; NaN where one is silent throughout.
    signature: recipe of the scores, to be cited with them.
"""
_FILE, _FILES = datasets.Value("string"), datasets.Sequence(datasets.Value("string"))
_SAMPLES = datasets.Sequence(datasets.Value("float32"))


class Cocola(evaluate.Metric):  # type: ignore[misc]  # evaluate has no types
    """The COCOLA score in the interface of evaluate: ``compute(predictions=, references=)``."""

    def _info(self) -> evaluate.MetricInfo:
        sides = [(_FILE, _FILE), (_FILE, _FILES), (_FILES, _FILE), (_FILES, _FILES), (_SAMPLES, _SAMPLES)]
        return evaluate.MetricInfo(
            description=DESCRIPTION,
            citation=CITATION,
            inputs_description=INPUTS,
            features=[datasets.Features({"predictions": one, "references": other}) for one, other in sides],
            reference_urls=["https://arxiv.org/abs/2404.16969"],
        )

    def _compute(
        self,
        predictions: list[Any],
        references: list[Any],
        model: str = "embedded",
        sample_rate: float | None = None,
        symmetric: bool = False,
    ) -> dict[str, Any]:
        scorer = CocolaScorer.from_pretrained(model, symmetric=symmetric)
        sides = (references, predictions)
        if sample_rate is not None:
            sides = tuple([np.asarray(samples, np.float32)[None] for samples in side] for side in sides)  # type: ignore[assignment]
        scores = np.asarray(scorer.score_pairs(*sides, sample_rate=sample_rate), np.float64)
        scored = scores[~np.isnan(scores)]
        return {
            "cocola": float(scored.mean()) if len(scored) else float("nan"),
            "scores": scores.tolist(),
            "signature": scorer.signature,
        }
