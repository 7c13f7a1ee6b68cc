"""PHALAR's optimiser and windows: which parameters follow which rule, what a checkpoint keeps, how long windows are."""

import copy
from pathlib import Path

import pytest
import torch
from torch import nn

from cocola_metric.encoder import CocolaModel
from cocola_metric.errors import UsageError
from cocola_metric.training.encoder.config import SamplingConfig, TrainingConfig, load_config
from cocola_metric.training.encoder.optimizers import (
    MuonWithAdamW,
    StackMuon,
    make_head_optimizer,
    make_optimizer,
    orthogonal,
)

CONFIG = Path(__file__).parents[3] / "training" / "configs" / "phalar.toml"
ABLATIONS = [
    ['encoder.front_end="mel"'],
    ['encoder.similarity="semidefinite"'],
    ['encoder.similarity="cosine"'],
    ['encoder.similarity="hermitian"'],
    ['encoder.head="magnitude_mlp"', 'encoder.similarity="bilinear"'],
    ['encoder.pooling="average"', 'encoder.head="mlp"', 'encoder.similarity="bilinear"'],
]


def parts() -> tuple[nn.Parameter, nn.Parameter]:
    torch.manual_seed(0)
    return nn.Parameter(torch.randn(4, 3)), nn.Parameter(torch.randn(3))


def optimizer_of(matrix: nn.Parameter, vector: nn.Parameter) -> MuonWithAdamW:
    groups = [
        {"params": [matrix], "lr": 0.1, "matrices": True},
        {"params": [vector], "lr": 0.01, "matrices": False},
    ]
    return MuonWithAdamW(groups, weight_decay=0.0)


def walk(optimizer: torch.optim.Optimizer, matrix: nn.Parameter, vector: nn.Parameter, steps: int) -> None:
    for _ in range(steps):
        optimizer.zero_grad()
        ((matrix @ vector).square().sum() + vector.sum()).backward()
        optimizer.step()


def test_each_kind_follows_its_own_rule() -> None:
    matrix, vector = parts()
    walk(optimizer_of(matrix, vector), matrix, vector, 3)
    other_matrix, other_vector = parts()
    muon = torch.optim.Muon([other_matrix], lr=0.1, weight_decay=0.0)
    adam = torch.optim.AdamW([other_vector], lr=0.01, weight_decay=0.0)
    for _ in range(3):
        muon.zero_grad(), adam.zero_grad()
        ((other_matrix @ other_vector).square().sum() + other_vector.sum()).backward()
        muon.step(), adam.step()
    assert torch.equal(matrix, other_matrix) and torch.equal(vector, other_vector)


def test_a_run_goes_on_as_if_it_had_not_stopped() -> None:
    matrix, vector = parts()
    optimizer = optimizer_of(matrix, vector)
    walk(optimizer, matrix, vector, 3)
    state = copy.deepcopy(optimizer.state_dict())
    again = nn.Parameter(matrix.detach().clone()), nn.Parameter(vector.detach().clone())
    walk(optimizer, matrix, vector, 3)
    resumed = optimizer_of(*again)
    resumed.load_state_dict(state)
    walk(resumed, *again, 3)
    assert torch.equal(matrix, again[0]) and torch.equal(vector, again[1])


def test_the_configuration_of_phalar() -> None:
    config = load_config(CONFIG)
    groups = make_optimizer(CocolaModel(config.encoder), config).param_groups
    assert [(group["matrices"], group["lr"]) for group in groups] == [(False, 0.004), (True, 0.02), (False, 0.004)]
    assert {tuple(part.shape) for part in groups[1]["params"]} == {(80, 5760), (1024, 640), (1024, 512)}
    assert (config.label_smoothing, config.weight_decay) == (0.1, 0.001)
    assert (config.sampling.shortest_window, config.sampling.window, config.sampling.alterations) == (2.0, 10.0, {})


@pytest.mark.parametrize("changes", ABLATIONS, ids=lambda changes: changes[0])
def test_every_ablation_that_the_file_names_is_a_configuration(changes: list[str]) -> None:
    written = CONFIG.read_text()
    assert all(change in written for change in changes)
    load_config(CONFIG, changes)


def test_settings_that_make_no_sense() -> None:
    with pytest.raises(UsageError, match="optimizer must be one of adam, muon; got 'sgd'"):
        TrainingConfig(optimizer="sgd")
    with pytest.raises(UsageError, match=r"shortest_window must be from 0 to window=5\.0; got 6\.0"):
        SamplingConfig(shortest_window=6.0)


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (2, 4, 6, 6)])
def test_updates_become_orthogonal(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    values = torch.linalg.svdvals(orthogonal(torch.randn(shape)))
    assert values.min() > 0.3 and values.max() < 1.3


def test_a_stack_of_matrices_follows_torch_s_muon_matrix_by_matrix() -> None:
    torch.manual_seed(0)
    begun, kernel_begun = torch.randn(2, 3, 6, 4), torch.randn(6, 2, 3, 1)
    stack, kernel = nn.Parameter(begun.clone()), nn.Parameter(kernel_begun.clone())
    singles = [nn.Parameter(one.clone()) for one in begun.flatten(0, 1)] + [nn.Parameter(kernel_begun.flatten(1))]
    optimizer = StackMuon([stack], lr=0.1, weight_decay=0.01)
    optimizer.add_param_group({"params": [kernel], "flat": True})
    known = torch.optim.Muon(singles, lr=0.1, weight_decay=0.01)
    for _ in range(3):
        optimizer.zero_grad(), known.zero_grad()
        (stack.pow(3).sum() + kernel.pow(3).sum()).backward()
        sum(one.pow(3).sum() for one in singles).backward()
        optimizer.step(), known.step()
    expected = torch.stack(singles[:-1]).view_as(stack)
    torch.testing.assert_close(stack, expected, atol=0.02, rtol=0)  # torch's works in bfloat16
    torch.testing.assert_close(kernel.flatten(1), singles[-1], atol=0.02, rtol=0)


def test_groups_of_a_head() -> None:
    named = {
        "similarity.weight": nn.Parameter(torch.eye(4)),
        "similarity.forms.0.weight": nn.Parameter(torch.randn(2, 3, 4, 4)),
        "similarity.forms.0.log_temperature": nn.Parameter(torch.zeros(())),
        "encoder.backbone.time_phasors.trunk.0.weight": nn.Parameter(torch.randn(4, 2, 3, 1)),
    }
    config = TrainingConfig(optimizer="muon", muon_learning_rate=0.01, similarity_learning_rate=0.1)
    arguments = list(named.items()), "similarity.weight", "similarity.forms.", config
    optimizer = make_head_optimizer(*arguments)
    found = [(group["matrices"], group.get("flat"), group["lr"]) for group in optimizer.param_groups]
    assert found == [(True, False, 0.01), (True, True, 0.01), (False, None, 1e-3), (False, None, 0.1)]
    assert sum(len(group["params"]) for group in optimizer.param_groups) == len(named)
    before = {name: part.detach().clone() for name, part in named.items()}
    sum(part.square().sum() + part.sum() for part in named.values()).backward()
    optimizer.step()
    assert all((part != before[name]).any() for name, part in named.items())
