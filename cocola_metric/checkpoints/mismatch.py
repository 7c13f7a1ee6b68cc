"""The report of missing, unexpected and mis-shaped tensors in a checkpoint."""

from collections.abc import Collection, Iterable, Mapping, Sequence

import torch
from torch import Tensor

from ..errors import CheckpointError

LISTED = 5
"""Number of problems that a message lists in full."""


def refuse_mismatch(
    expected: Mapping[str, Tensor],
    found: Iterable[tuple[str, object]],
    complaint: str,
    *,
    optional: Collection[str] = (),
) -> None:
    """Check that the tensors of a file can replace those of a model.

    Args:
        expected: tensors of the model, by name.
        found: names and values of the file, such as ``.items()`` of a state dict; each is read once.
        complaint: beginning of the message, with the file and the model that it does not fit.
        optional: names that the file may lack.

    Raises:
        CheckpointError: a tensor is missing or unexpected, or has another shape or type.
    """
    if problems := tensor_problems(expected, found, optional=optional):
        raise CheckpointError(f"{complaint}: {list_problems(problems)}")


def tensor_problems(
    expected: Mapping[str, Tensor], found: Iterable[tuple[str, object]], *, optional: Collection[str] = ()
) -> list[str]:
    """Return the reasons why the tensors of a file cannot replace those of a model; see `refuse_mismatch`.

    >>> tensor_problems({"a": torch.zeros(2), "b": torch.zeros(1)}, [("a", torch.zeros(3)), ("c", torch.zeros(1))])
    ['missing b', 'a is (3,), not (2,)', 'unexpected c']
    """
    names: set[str] = set()
    problems = []
    for name, value in found:
        names.add(name)
        problems += [f"unexpected {name}"] if name not in expected else _misfit(name, value, expected[name])
    return [f"missing {name}" for name in expected if name not in names and name not in optional] + problems


def list_problems(problems: Sequence[str]) -> str:
    """Return problems in one line: the first ones in full, and the number of the others.

    >>> list_problems(["a", "b", "c", "d", "e", "f", "g"])
    'a; b; c; d; e; and 2 more'
    """
    more = f"; and {len(problems) - LISTED} more" if len(problems) > LISTED else ""
    return "; ".join(problems[:LISTED]) + more


def _misfit(name: str, value: object, expected: Tensor) -> list[str]:
    if not isinstance(value, Tensor) or value.layout != torch.strided or value.is_quantized:
        return [f"{name} is not a plain tensor"]
    if value.is_floating_point() != expected.is_floating_point():
        return [f"{name} is {value.dtype}, not {expected.dtype}".replace("torch.", "")]
    if value.shape != expected.shape:
        return [f"{name} is {tuple(value.shape)}, not {tuple(expected.shape)}"]
    return []
