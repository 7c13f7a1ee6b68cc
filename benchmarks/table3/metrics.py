"""The columns of a table: encoders and embedders, each opened or with the reason why it is missing."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from cocola_metric.errors import CheckpointError, MissingExtraError, UsageError
from cocola_metric.fad import Embedder, SubFAD, new_embedder
from cocola_metric.scorer import CocolaScorer

from .data import NO_WEIGHTS, Column


@dataclass(frozen=True)
class Metric:
    """A column, and the scorer or embedder that computes it; a missing column has neither."""

    column: Column
    scorer: CocolaScorer | None = None
    embedder: Embedder | None = None


def open_metrics(encoders: Sequence[str], embedders: Sequence[str], device: str, band: float | None) -> list[Metric]:
    """Load encoders and embedders; a column whose weights cannot be had carries the reason.

    Args:
        encoders: names or places, as for `CocolaScorer.from_pretrained`, or NAME=PLACE.
        embedders: names of `EMBEDDERS`.
        device: device of the encoders.
        band: highest frequency of the audio, in Hz, which belongs to the recipe; None without a limit.

    Raises:
        UsageError: an embedder's name is unknown, or a column is asked for twice.
    """
    metrics = [_open_encoder(spec, device, band) for spec in encoders]
    metrics += [_open_embedder(name, band) for name in embedders]
    twice = [label for label, times in Counter(metric.column.label for metric in metrics).items() if times > 1]
    if twice:
        raise UsageError(f"columns must differ; got {twice[0]} twice; tell encoders apart by NAME=PLACE")
    return metrics


def _open_encoder(spec: str, device: str, band: float | None) -> Metric:
    name, equals, place = spec.partition("=")
    try:
        scorer = CocolaScorer.from_pretrained(place if equals else spec, device=device)
    except CheckpointError as error:
        return Metric(Column("COCOLA", name, missing=NO_WEIGHTS, detail=str(error)))
    label = name if equals else scorer.name
    return Metric(Column("COCOLA", label, signature=_with_band(scorer.signature, band)), scorer=scorer)


def _open_embedder(name: str, band: float | None) -> Metric:
    try:
        embedder = new_embedder(name)
    except MissingExtraError as error:
        return Metric(Column("sub-FAD", name, missing="extra [fad] not installed", detail=str(error)))
    except CheckpointError as error:
        return Metric(Column("sub-FAD", name, missing=NO_WEIGHTS, detail=str(error)))
    signature = _with_band(SubFAD(embedder, cache=None).recipe, band)
    return Metric(Column("sub-FAD", name, signature=signature), embedder=embedder)


def _with_band(signature: str, band: float | None) -> str:
    return signature if band is None else f"{signature}|band:{band:g}"
