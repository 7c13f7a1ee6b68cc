"""The optimisers of an encoder: the paper's Adam, and PHALAR's Muon with AdamW for weights that are no matrices."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from cocola_metric.encoder import CocolaModel

from .config import TrainingConfig

NEWTON_SCHULZ = (3.4445, -4.775, 2.0315)
NEWTON_SCHULZ_STEPS = 5


class StackMuon(torch.optim.Optimizer):
    """Muon (Jordan et al., 2024) for parameters whose last two axes are matrices, stacked along the others.

    Groups with ``flat`` true hold kernels of convolutions: all but the first axis are one.
    """

    def __init__(
        self, params: list[nn.Parameter], *, lr: float = 1e-3, weight_decay: float = 0.0, momentum: float = 0.95
    ) -> None:
        """Make an optimiser with the momentum of the published rule."""
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum, "flat": False})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Make one step: momentum as Nesterov's, every matrix of the update made orthogonal."""
        loss = closure() if closure is not None else None
        for group in self.param_groups:
            for part in (part for part in group["params"] if part.grad is not None):
                mean = self.state[part].setdefault("mean", torch.zeros_like(part))
                mean.lerp_(part.grad, 1 - group["momentum"])
                update = part.grad.lerp(mean, group["momentum"])
                matrices = update.flatten(1) if group["flat"] else update
                taller = max(1.0, matrices.shape[-2] / matrices.shape[-1]) ** 0.5
                part.mul_(1 - group["lr"] * group["weight_decay"])
                part.add_(orthogonal(matrices).view_as(part), alpha=-group["lr"] * taller)
        return loss


def orthogonal(matrices: Tensor) -> Tensor:
    """Bring all singular values of matrices near 1, by five Newton-Schulz steps with the coefficients of Muon.

    Shape:
        (..., M, N) -> the same.
    """
    first, second, third = NEWTON_SCHULZ
    wide: Tensor = matrices.mT if matrices.shape[-2] > matrices.shape[-1] else matrices
    wide = wide / torch.linalg.matrix_norm(wide, keepdim=True).clamp(min=1e-7)
    for _ in range(NEWTON_SCHULZ_STEPS):
        gram = wide @ wide.mT
        wide = first * wide + (second * gram + third * gram @ gram) @ wide
    return wide.mT if matrices.shape[-2] > matrices.shape[-1] else wide


class MuonWithAdamW(torch.optim.Optimizer):
    """One optimiser of two kinds of groups: those with ``matrices`` true follow Muon, the others AdamW."""

    def __init__(self, groups: list[dict[str, Any]], *, weight_decay: float, stacks: bool = False) -> None:
        """Make an optimiser of groups of parameters, each with its ``lr`` and ``matrices``.

        Args:
            groups: groups of parameters.
            weight_decay: weight decay of both rules.
            stacks: choice of `StackMuon` for parameters that are stacks of matrices, instead of torch's Muon.
        """
        placeholder = [nn.Parameter(torch.zeros(1, 1))]  # replaced before every step by the groups of that kind
        muon = StackMuon if stacks else torch.optim.Muon
        self._muon: torch.optim.Optimizer = muon(placeholder, weight_decay=weight_decay)
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


def make_head_optimizer(
    trained: Sequence[tuple[str, nn.Parameter]], matrix: str, forms: str, config: TrainingConfig
) -> torch.optim.Optimizer:
    """Return the optimiser of a head.

    Args:
        trained: parameters by name.
        matrix: name of the matrix of the real part, which has a learning rate of its own.
        forms: beginning of the names of the phasors' matrices.
        config: settings of the run.
    """

    def parts(condition: Callable[[str, nn.Parameter], bool]) -> list[nn.Parameter]:
        return [part for name, part in trained if condition(name, part)]

    real = {"params": parts(lambda name, part: name == matrix), "lr": config.similarity_learning_rate}
    if config.optimizer == "adam":
        others = {"params": parts(lambda name, part: name != matrix), "lr": config.learning_rate}
        return torch.optim.Adam([others, real])
    rest = {"params": parts(lambda name, part: name != matrix and part.ndim < 4), "lr": config.learning_rate}
    muon = {"lr": config.muon_learning_rate, "matrices": True}
    groups: list[dict[str, Any]] = [
        {**muon, "params": parts(lambda name, part: part.ndim == 4 and name.startswith(forms)), "flat": False},
        {**muon, "params": parts(lambda name, part: part.ndim == 4 and not name.startswith(forms)), "flat": True},
        {**rest, "matrices": False},
        {**real, "matrices": False},
    ]
    return MuonWithAdamW([group for group in groups if group["params"]], weight_decay=config.weight_decay, stacks=True)
