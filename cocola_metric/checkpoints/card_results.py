"""Accuracies in a model card, in the form that the Hub shows and other programs read (``model-index``)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from ..errors import CheckpointError
from ..whole_files import write_text_whole

CARD_FILE = "README.md"
TITLE = "COCOLA encoder"
"""Name of the model in the card of a folder."""
TASK = "audio-classification"
TASK_NAME = "coherent sub-mix classification"
METRIC = "accuracy"
OTHERS = {"all": "among windows of all tracks", "other_track": "of other tracks", "same_track": "of the same track"}
"""Origin of the wrong accompaniments -> words in a card."""
_HASH_LINE = re.compile(r"^SHA-256 of `model\.safetensors`: .*$", re.MULTILINE)


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
    """

    dataset: str
    split: str
    among: int
    others: str
    percent: float
    interval: tuple[float, float] | None = None
    tracks: int | None = None
    windows: int | None = None

    @property
    def measure(self) -> str:
        """Name of the measure."""
        return f"accuracy (%), K = {self.among}, {OTHERS[self.others]}"

    def as_result(self) -> EvalResult:
        """Return the accuracy as an entry of the Hub's library."""
        known = {"interval": self.interval and list(self.interval), "tracks": self.tracks, "windows": self.windows}
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
        )


def read_accuracies(folder: Path) -> list[CardAccuracy]:
    """Return the accuracies in the card of a folder; an empty list if there is no card.

    Raises:
        CheckpointError: the card cannot be read.
    """
    if not (folder / CARD_FILE).is_file():
        return []
    found = map(CardAccuracy.of_result, _data(_read(folder)).eval_results or [])
    return [accuracy for accuracy in found if accuracy]


def note_accuracies(folder: Path, accuracies: Sequence[CardAccuracy], sha256: str) -> None:
    """Add accuracies to the card of a folder. Those of the same measure and set are replaced; the rest stays.

    Args:
        folder: folder with the card.
        accuracies: accuracies to add.
        sha256: SHA-256 of the weights that were measured, for the card.

    Raises:
        CheckpointError: the card cannot be read.
        OutputError: the card cannot be written.
    """
    card = _read(folder)
    new = {_key(result): result for result in (accuracy.as_result() for accuracy in accuracies)}
    data = _data(card)
    data.eval_results = [result for result in data.eval_results or [] if _key(result) not in new] + list(new.values())
    data.model_name = data.model_name or TITLE
    stated = f"SHA-256 of `model.safetensors`: `{sha256}`."
    text = _HASH_LINE.sub(lambda line: line[0] if sha256 in line[0] else stated, str(card))
    write_text_whole(folder / CARD_FILE, text)


def _key(result: EvalResult) -> tuple[object, ...]:
    return (*result.unique_identifier, result.metric_type, result.metric_name)


def _data(card: ModelCard) -> ModelCardData:
    data = card.data
    assert isinstance(data, ModelCardData), "a model's card has a model's data"
    return data


def _read(folder: Path) -> ModelCard:
    try:
        card: ModelCard = ModelCard.load(folder / CARD_FILE)
        return card
    except Exception as error:  # an error of the YAML parser, or a plain ValueError
        reason = " ".join(str(error).split())
        raise CheckpointError(f"{folder / CARD_FILE}: not a model card ({reason}); mend it or move it away") from error
