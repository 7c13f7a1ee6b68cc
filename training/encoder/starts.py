"""What a training run begins with: weights at hand, and which of them stay as they are."""

import logging
from typing import Any

from torch import nn

from cocola_metric import checkpoints
from cocola_metric.encoder import CocolaModel
from cocola_metric.errors import CheckpointError

logger = logging.getLogger(__name__)


def start_weights(model: CocolaModel, start_from: str, *, within: str = "") -> set[str]:
    """Give a model the weights of another wherever both have them alike; a head of its own keeps what it has.

    Args:
        model: to be changed.
        start_from: the other, as for ``checkpoints.load``.
        within: beginning of the names of the weights that are taken.

    Returns:
        The names of those that were.

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


def freeze_stages(model: CocolaModel, count: int) -> nn.ModuleList:
    """Let the stem and the first stages of a model's backbone keep their weights; they are returned."""
    backbone: Any = model.encoder.backbone
    network = getattr(backbone, "network", backbone)
    frozen = nn.ModuleList([network.conv_stem, network.bn1, *network.blocks[:count]] if count else [])
    frozen.requires_grad_(False)
    return frozen
