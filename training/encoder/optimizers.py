"""The optimisers of an encoder: the paper's Adam, and PHALAR's Muon with AdamW for weights that are no matrices."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from cocola_metric.encoder import CocolaModel

from .config import TrainingConfig


class MuonWithAdamW(torch.optim.Optimizer):
    """One optimiser of two kinds of groups: those with ``matrices`` true follow Muon, the others AdamW."""

    def __init__(self, groups: list[dict[str, Any]], *, weight_decay: float) -> None:
        """Make an optimiser of groups of parameters, each with its ``lr`` and ``matrices``."""
        placeholder = [nn.Parameter(torch.zeros(1, 1))]  # replaced before every step by the groups of that kind
        self._muon: torch.optim.Optimizer = torch.optim.Muon(placeholder, weight_decay=weight_decay)
        self._adam: torch.optim.Optimizer = torch.optim.AdamW(placeholder, weight_decay=weight_decay)
        kinds = {True: self._muon.defaults, False: self._adam.defaults}
        super().__init__([{**kinds[group["matrices"]], **group} for group in groups], {})

    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Make one step of both."""
        loss = closure() if closure is not None else None
        for optimizer, matrices in ((self._muon, True), (self._adam, False)):
            optimizer.param_groups = [group for group in self.param_groups if group["matrices"] is matrices]
            optimizer.state = self.state
            optimizer.step()
        return loss


def make_optimizer(model: CocolaModel, config: TrainingConfig) -> torch.optim.Optimizer:
    """Return the optimiser of a configuration; the similarity has a learning rate of its own."""
    trained = [part for part in model.encoder.parameters() if part.requires_grad]
    similarity = list(model.similarity.parameters())
    if config.optimizer == "adam":
        return torch.optim.Adam(
            [
                {"params": trained, "lr": config.learning_rate},
                {"params": similarity, "lr": config.similarity_learning_rate},
            ]
        )
    groups = [
        {"params": [part for part in trained if part.ndim != 2], "lr": config.learning_rate, "matrices": False},
        {"params": [part for part in trained if part.ndim == 2], "lr": config.muon_learning_rate, "matrices": True},
        {"params": similarity, "lr": config.similarity_learning_rate, "matrices": False},
    ]
    return MuonWithAdamW([group for group in groups if group["params"]], weight_decay=config.weight_decay)
