"""Accuracies in a model card, in the form that the Hub shows and other programs read (``model-index``)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from ..errors import CheckpointError

CARD_FILE = "README.md"
TITLE = "COCOLA encoder"
"""Name of the model in the card of a folder."""
TASK = "audio-classification"
TASK_NAME = "coherent sub-mix classification"
METRIC = "accuracy"
OTHERS = {"all": "among windows of all tracks", "other_track": "of other tracks", "same_track": "of the same track"}
"""Origin of the wrong accompaniments -> words in a card."""
HASH_LINE = re.compile(r"^SHA-256 of `model\.safetensors`: .*$", re.MULTILINE)


@dataclass(frozen=True)
class CardAccuracy:
    """The accuracy of an encoder that picks one of K accompaniments (Eq. 8) on one set of music.

    Attributes:
        dataset: name of the set.
        split: part of the set, such as "test".
        among: K, the number of accompaniments to pick from.
        others: origin of the wrong accompaniments, a key of ``OTHERS``.
        percent: accuracy, in percent.
        interval: 95 % interval of the accuracy over tracks, in percent; None if there is none.
        tracks: number of tracks; None if it was not counted.
        windows: number of windows.
        symmetric: True if every score is the mean of both directions.
    """

    dataset: str
    split: str
    among: int
    others: str
    percent: float
    interval: tuple[float, float] | None = None
    tracks: int | None = None
    windows: int | None = None
    symmetric: bool = False

    @property
    def measure(self) -> str:
        """Name of the measure."""
        directions = ", mean of both directions" if self.symmetric else ""
        return f"accuracy (%), K = {self.among}, {OTHERS[self.others]}{directions}"

    def as_result(self) -> EvalResult:
        """Return the accuracy as an entry of the Hub's library."""
        known = {
            "interval": self.interval and list(self.interval),
            "tracks": self.tracks,
            "windows": self.windows,
            "symmetric": self.symmetric or None,
        }
        return EvalResult(
            task_type=TASK,
            task_name=TASK_NAME,
            dataset_type=self.dataset,
            dataset_name=self.dataset,
            dataset_split=self.split,
            metric_type=METRIC,
            metric_name=self.measure,
            metric_value=self.percent,
            metric_args={
                "K": self.among,
                "others": self.others,
                **{name: value for name, value in known.items() if value is not None},
            },
        )

    @classmethod
    def of_result(cls, result: EvalResult) -> "CardAccuracy | None":
        """Return the accuracy of an entry that `as_result` made; None for an entry of another kind."""
        found: Mapping[str, Any] = result.metric_args or {}
        if result.task_type != TASK or result.metric_type != METRIC or found.get("others") not in OTHERS:
            return None
        interval = found.get("interval")
        return cls(
            dataset=result.dataset_name,
            split=result.dataset_split or "",
            among=int(found["K"]),
            others=found["others"],
            percent=float(result.metric_value),
            interval=(float(interval[0]), float(interval[1])) if interval else None,
            tracks=found.get("tracks"),
            windows=found.get("windows"),
            symmetric=bool(found.get("symmetric")),
        )


def read_accuracies(folder: Path) -> list[CardAccuracy]:
    """Return the accuracies in the card of a folder; an empty list if there is no card.

    Raises:
        CheckpointError: the card cannot be read.
    """
    found = map(
        CardAccuracy.of_result,
        card_data(parse_card(read_card(folder) or "", str(folder / CARD_FILE))).eval_results or [],
    )
    return [accuracy for accuracy in found if accuracy]


def result_key(result: EvalResult) -> tuple[object, ...]:
    """Return what tells the results of a card apart: task, set, and measure."""
    return (*result.unique_identifier, result.metric_type, result.metric_name)


def card_data(card: ModelCard) -> ModelCardData:
    """Return the metadata of a model's card."""
    data = card.data
    assert isinstance(data, ModelCardData), "a model's card has a model's data"
    return data


def parse_card(text: str, place: str) -> ModelCard:
    """Return a card from its text; a text of the user's own is a card without metadata.

    Raises:
        CheckpointError: the metadata cannot be read.
    """
    try:
        card = ModelCard(text)
    except Exception as error:  # an error of the YAML parser, or a plain ValueError
        reason = " ".join(str(error).split())
        raise CheckpointError(f"{place}: not a model card ({reason}); mend it or move it away") from error
    return card


def read_card(folder: Path) -> str | None:
    """Return the text of the card of a folder; None if there is none.

    Raises:
        CheckpointError: the file cannot be read.
    """
    file = folder / CARD_FILE
    if not file.is_file():
        return None
    try:
        return file.read_bytes().decode("utf-8-sig")
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{file}: not a model card ({error}); mend it or move it away") from error
