"""Publishing weights: a folder that anybody can load, on this disk or in a Hub repository."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

import torch
from huggingface_hub import HfApi
from torch import Tensor

from ..encoder import EncoderConfig
from ..errors import CheckpointError, OutputError
from ..reading import ScoreReference, copy_reference
from ..version import VERSION
from ..whole_files import write_text_whole
from .card_merge import merged_card
from .card_results import CARD_FILE, read_card
from .graph_export import write_graph
from .hub_client import DEFAULT_BRANCH, download_card, is_repository_id
from .hub_errors import explain
from .known import LIBRARY
from .loading import file_sha256, save_state
from .model_card import CardFacts, model_card


def save_with_card(
    config: EncoderConfig,
    state: Mapping[str, Tensor],
    folder: Path,
    facts: CardFacts,
    *,
    dtype: torch.dtype | None = None,
    reference: ScoreReference | None = None,
) -> str:
    """Write configuration, weights, graph and model card into a folder; return the SHA-256 of the weights file.

    A card that is there keeps what it states, as for `merged_card`.

    Args:
        config: configuration of the model.
        state: tensors by name, as of ``CocolaModel.state_dict`` before any folding.
        folder: folder to write; it is created if it is missing.
        facts: facts for the card.
        dtype: type of the floating-point tensors in the file; None keeps the type of each.
        reference: reference of these weights, written beside them if their type is kept; None for none.

    Raises:
        CheckpointError: the folder cannot be written, or its card cannot be read or has another licence.
    """
    before = read_card(folder)
    _card(config, "0" * 64, facts, before, str(folder))  # refuses what cannot be merged before anything is written
    sha256 = _write_weights(config, state, folder, dtype, reference)
    _write_card(folder, _card(config, sha256, facts, before, str(folder)))
    return sha256


def push(
    config: EncoderConfig,
    state: Mapping[str, Tensor],
    repo_id: str,
    facts: CardFacts,
    *,
    private: bool | None = None,
    token: str | bool | None = None,
    revision: str | None = None,
    commit_message: str | None = None,
    dtype: torch.dtype | None = None,
    reference: ScoreReference | None = None,
) -> str:
    """Write configuration, weights, graph and model card to a Hub repository in one commit; return the commit.

    The card of the branch keeps what it states, as for `merged_card`. The commit is refused if somebody else has
    changed the branch since its card was read.

    Args:
        config: configuration of the model.
        state: tensors by name, as of ``CocolaModel.state_dict`` before any folding.
        repo_id: repository "organisation/name"; it is created if it is missing.
        facts: facts for the card.
        private: visibility of a new repository; None leaves it to the account's setting.
        token: access token with permission to write, as for huggingface_hub.
        revision: branch, created if it is missing; by default the main one.
        commit_message: message in the repository's history.
        dtype: type of the floating-point tensors in the file; None keeps the type of each.
        reference: reference of these weights, as for `save_with_card`.

    Raises:
        CheckpointError: the Hub refuses the upload or does not answer, or the card that is there cannot be read or has
            another licence.
    """
    if not is_repository_id(repo_id):
        raise CheckpointError(f"repo_id must be the name of a Hub repository, organisation/name; got {repo_id!r}")
    api = HfApi(token=token, library_name=LIBRARY, library_version=VERSION)
    branch = revision or DEFAULT_BRANCH
    with tempfile.TemporaryDirectory() as folder:
        sha256 = _write_weights(config, state, Path(folder), dtype, reference)
        try:
            api.create_repo(repo_id, private=private, exist_ok=True)
            if branch != DEFAULT_BRANCH:
                api.create_branch(repo_id, branch=branch, exist_ok=True)
            commit, before = download_card(repo_id, branch, token)
            _write_card(Path(folder), _card(config, sha256, facts, before, f"{repo_id} ({branch})", repo_id))
            pushed = api.upload_folder(
                repo_id=repo_id,
                folder_path=folder,
                revision=revision,
                commit_message=commit_message or "Upload a COCOLA encoder",
                parent_commit=commit,
            )
        except CheckpointError:
            raise
        except Exception as error:  # errors of the HTTP library, whose names depend on the version of huggingface_hub
            raise explain(error, repo_id, branch) from error
    return pushed.oid


def _write_weights(
    config: EncoderConfig,
    state: Mapping[str, Tensor],
    folder: Path,
    dtype: torch.dtype | None,
    reference: ScoreReference | None,
) -> str:
    sha256 = file_sha256(save_state(config, state, folder, dtype=dtype))
    write_graph(config, folder)
    if reference is not None and dtype is None:
        try:
            copy_reference(reference, folder, sha256)
        except OutputError as error:
            raise CheckpointError(str(error)) from error
    return sha256


def _card(
    config: EncoderConfig, sha256: str, facts: CardFacts, before: str | None, place: str, repo_id: str | None = None
) -> str:
    fresh = model_card(config, sha256, facts, repo_id=repo_id)
    return fresh if before is None else merged_card(before, fresh, place)


def _write_card(folder: Path, card: str) -> None:
    try:
        write_text_whole(folder / CARD_FILE, card)
    except OutputError as error:
        raise CheckpointError(str(error)) from error
