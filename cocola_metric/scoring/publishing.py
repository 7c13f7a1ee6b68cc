"""Saving and publishing a scorer's weights, as they were before their preparation for inference."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from ..checkpoints import CardAccuracy
    from ..encoder import EncoderConfig
    from ..reading import ScoreReference

    Stored = tuple[EncoderConfig, Mapping[str, torch.Tensor]]


class Publisher:
    """The writing of the weights that a scorer was made from."""

    _stored: "Callable[[], Stored]"
    """Function that returns configuration and tensors as they were stored; it needs torch, and scoring does not."""
    _reference: "ScoreReference | None"
    """Reference that goes with the weights."""

    def save_pretrained(
        self,
        folder: str | os.PathLike[str],
        *,
        dtype: "torch.dtype | None" = None,
        license: str | None = None,
        training_data: str | None = None,
        results: Mapping[str, float | str] | None = None,
        accuracies: "Sequence[CardAccuracy]" = (),
    ) -> Path:
        """Write ``config.json``, ``model.safetensors`` and a model card; `from_pretrained` loads the folder.

        The weights are those this scorer was made from, bit for bit, before they were prepared for inference. A card
        that is in the folder keeps all it states: the facts given here are added, a measure that is given again has
        its new value, and older results of other weights are marked with the hash of those. The reference goes with
        the weights, unless ``dtype`` changes them.

        Args:
            folder: folder to write; it is created if it is missing.
            dtype: type of the weights in the file; None keeps their stored type.
            license: licence on the card, an identifier of the Hub's list, such as "mit".
            training_data: description of the training data on the card, in one sentence.
            results: results on the card, measure -> value; numbers are in its ``model-index`` too, and a measure may
                name the set that it was taken on: "COCOLA score: our songs (test)".
            accuracies: accuracies on the card; `checkpoints.read_accuracies` reads those of a training run.

        Raises:
            CheckpointError: the folder cannot be written, or its card cannot be read or has another licence.
        """
        from ..checkpoints import CardFacts, save_with_card

        facts = CardFacts(license, training_data, results or {}, accuracies)
        save_with_card(*self._stored(), Path(folder), facts, dtype=dtype, reference=self._reference)
        return Path(folder)

    def push_to_hub(
        self,
        repo_id: str,
        *,
        private: bool | None = None,
        token: str | bool | None = None,
        revision: str | None = None,
        commit_message: str | None = None,
        dtype: "torch.dtype | None" = None,
        license: str | None = None,
        training_data: str | None = None,
        results: Mapping[str, float | str] | None = None,
        accuracies: "Sequence[CardAccuracy]" = (),
    ) -> str:
        """Publish what `save_pretrained` writes as one commit of a Hub repository, and return the commit.

        The card of the branch keeps all it states, as for `save_pretrained`.

        Args:
            repo_id: repository "organisation/name"; it is created if it is missing.
            private: visibility of a new repository; None leaves it to the account's setting.
            token: access token with permission to write; by default that of the user's login.
            revision: branch, created if it is missing; by default the main one.
            commit_message: message in the repository's history.
            dtype: type of the weights in the file; None keeps their stored type.
            license: licence on the card, an identifier of the Hub's list, such as "mit".
            training_data: description of the training data on the card, in one sentence.
            results: results on the card, measure -> value; numbers are in its ``model-index`` too, and a measure may
                name the set that it was taken on: "COCOLA score: our songs (test)".
            accuracies: accuracies on the card; `checkpoints.read_accuracies` reads those of a training run.

        Raises:
            CheckpointError: the Hub refuses the upload or does not answer, or the card that is there cannot be read or
                has another licence.
        """
        from ..checkpoints import CardFacts, push

        return push(
            *self._stored(),
            repo_id,
            CardFacts(license, training_data, results or {}, accuracies),
            private=private,
            token=token,
            revision=revision,
            commit_message=commit_message,
            dtype=dtype,
            reference=self._reference,
        )
