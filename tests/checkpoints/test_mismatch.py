"""The report of what a checkpoint lacks, has too much of, or holds otherwise."""

import pytest
import torch

from cocola_metric.checkpoints.mismatch import list_problems, refuse_mismatch, tensor_problems
from cocola_metric.errors import CheckpointError

MODEL = {"weight": torch.zeros(2, 3), "bias": torch.zeros(2), "steps": torch.tensor(0)}


def test_what_fits_has_no_problems() -> None:
    assert tensor_problems(MODEL, {key: value.clone() for key, value in MODEL.items()}.items()) == []
    assert (
        tensor_problems(MODEL, [("weight", torch.zeros(2, 3, dtype=torch.float16))], optional={"bias", "steps"}) == []
    )


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"bias": None}, "bias is not a plain tensor"),
        ({"bias": torch.zeros(2).to_sparse()}, "bias is not a plain tensor"),
        ({"bias": torch.zeros(2, dtype=torch.int64)}, "bias is int64, not float32"),
        ({"steps": torch.tensor(1.0)}, "steps is float32, not int64"),
        ({"weight": torch.zeros(3, 2)}, "weight is (3, 2), not (2, 3)"),
        ({"more": torch.zeros(1)}, "unexpected more"),
    ],
)
def test_each_kind_of_problem_is_named(changes: dict[str, object], problem: str) -> None:
    assert tensor_problems(MODEL, {**MODEL, **changes}.items()) == [problem]


def test_a_message_lists_five_problems_and_counts_the_rest() -> None:
    with pytest.raises(CheckpointError, match=r"^file: not this model: missing weight; missing bias; missing steps$"):
        refuse_mismatch(MODEL, [], "file: not this model")
    assert list_problems([str(number) for number in range(8)]) == "0; 1; 2; 3; 4; and 3 more"
