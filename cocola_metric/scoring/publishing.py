"""Weights of a scorer on their way out, as they were before they were prepared for inference."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from ..checkpoints import CardAccuracy
    from ..encoder import EncoderConfig

    Stored = tuple[EncoderConfig, Mapping[str, torch.Tensor]]


class Publisher:
    """What a scorer can do with the weights that it was made from."""

    _stored: "Callable[[], Stored]"
    """Returns configuration and tensors, as they were stored; reading them needs torch, scoring does not."""

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

        The weights are those this scorer was made from, bit for bit, before they were prepared for inference.

        Args:
            folder: made if it is not there.
            dtype: of the weights in the file; None keeps them as they were stored.
            license: for the card, an identifier of the Hub's list, such as "mit".
            training_data: for the card, in a sentence.
            results: for the card: measure -> value.
            accuracies: for the card: accuracies on named sets, as `checkpoints.read_accuracies` reads them from the
                card of a training run.

        Raises:
            CheckpointError: the folder cannot be written.
        """
        from ..checkpoints import CardFacts, save_with_card

        facts = CardFacts(license, training_data, results or {}, accuracies)
        save_with_card(*self._stored(), Path(folder), facts, dtype=dtype)
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

        Args:
            repo_id: "organisation/name"; made if it is not there.
            private: whether a new repository is; None leaves it to the account's setting.
            token: with permission to write; by default the one that the user is logged in with.
            revision: branch, made if it is not there; by default the main one.
            commit_message: in the repository's history.
            dtype: as for `save_pretrained`, like those that follow.
            license: for the card.
            training_data: for the card.
            results: for the card.
            accuracies: for the card.

        Raises:
            CheckpointError: the Hub refuses or does not answer.
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
        )
