"""The weights that a training run begins with, and those among them that stay frozen."""

import logging
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import nn

from cocola_metric import checkpoints
from cocola_metric.encoder import CocolaModel
from cocola_metric.errors import CheckpointError, UsageError

TRUNK = "encoder.backbone.network."
W_DEVIATION = 0.05
"""Of the entries of W at the start, in the authors' code."""
logger = logging.getLogger(__name__)


def start_weights(model: CocolaModel, start_from: str, *, within: str = "") -> set[str]:
    """Copy weights of another model wherever name and shape agree; all other weights keep their values.

    Args:
        model: model to be changed.
        start_from: other model, as for ``checkpoints.load``.
        within: prefix of the names of the weights that are copied.

    Returns:
        Names of the copied weights.

    Raises:
        CheckpointError: the two share no weights.
    """
    found, own = checkpoints.load(start_from).model.state_dict(), model.state_dict()
    shared = {
        name: tensor
        for name, tensor in found.items()
        if name.startswith(within) and name in own and own[name].shape == tensor.shape
    }
    if not shared:
        raise CheckpointError(f"{start_from}: no weights of that encoder fit this configuration; start without")
    model.load_state_dict(shared, strict=False)
    if len(shared) < len(own):
        logger.warning("%s: %d of %d tensors start anew", start_from, len(own) - len(shared), len(own))
    return set(shared)


@torch.no_grad()
def start_similarity(model: CocolaModel, w_init: str) -> None:
    """Start the matrix W of Eq. 2: "identity" leaves it as it is made, "normal" draws it from N(0, 0.05).

    A cosine similarity has no matrix to start.

    Raises:
        UsageError: the similarity has other parameters than one matrix.
    """
    weights = dict(model.similarity.named_parameters())
    if w_init != "normal" or not weights:
        return
    if model.config.similarity != "bilinear":
        raise UsageError(f"w_init 'normal' is for similarity 'bilinear'; got {model.config.similarity!r}")
    nn.init.normal_(weights["weight"], std=W_DEVIATION)


def save_head(model: CocolaModel, folder: Path) -> None:
    """Write the weights behind the trunk, in float16, for `load_head`: a tenth of an encoder's size."""
    state = {name: tensor for name, tensor in model.state_dict().items() if not name.startswith(TRUNK)}
    checkpoints.save_state(model.config, state, folder, dtype=torch.float16)


def load_head(folder: Path, encoder: CocolaModel) -> CocolaModel:
    """Load a head, on the trunk of an encoder.

    Args:
        folder: folder that `save_head` or a run of ``train-head`` wrote.
        encoder: encoder with the trunk that the head was trained on.

    Raises:
        CheckpointError: there is no head, or one of another trunk.
    """
    config = checkpoints.read_config(folder / checkpoints.CONFIG_FILE)
    try:
        found = safetensors.torch.load_file(folder / checkpoints.WEIGHTS_FILE)
    except (OSError, safetensors.SafetensorError) as error:
        raise CheckpointError(f"{folder}: no weights of a head ({error}); give the folder of one") from error
    trunk = {name: tensor for name, tensor in encoder.state_dict().items() if name.startswith(TRUNK)}
    model = CocolaModel(config)
    state = {**found, **trunk}
    checkpoints.refuse_mismatch(model.state_dict(), state.items(), f"{folder}: not a head of that trunk")
    model.load_state_dict(state)
    return model.eval()


def freeze_stages(model: CocolaModel, count: int) -> nn.ModuleList:
    """Freeze the stem and the first stages of a model's backbone; return them."""
    backbone: Any = model.encoder.backbone
    network = getattr(backbone, "network", backbone)
    frozen = nn.ModuleList([network.conv_stem, network.bn1, *network.blocks[:count]] if count else [])
    frozen.requires_grad_(False)
    return frozen
