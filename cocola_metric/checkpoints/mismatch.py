"""What a checkpoint lacks, has too much of, or holds in another shape: the one report of it."""

from collections.abc import Collection, Iterable, Mapping, Sequence

import torch
from torch import Tensor

from ..errors import CheckpointError

LISTED = 5
"""Problems that a message lists in full."""


def refuse_mismatch(
    expected: Mapping[str, Tensor],
    found: Iterable[tuple[str, object]],
    complaint: str,
    *,
    optional: Collection[str] = (),
) -> None:
    """Check that the tensors of a file can take the place of a model's.

    Args:
        expected: tensors of the model, by name.
        found: names and values of the file, each looked at once; ``.items()`` of a state dict.
        complaint: beginning of the message: which file, and what it does not fit.
        optional: names that the file may lack.

    Raises:
        CheckpointError: a tensor is missing, unexpected, of another shape, or no plain tensor of the same kind.
    """
    if problems := tensor_problems(expected, found, optional=optional):
        raise CheckpointError(f"{complaint}: {list_problems(problems)}")


def tensor_problems(
    expected: Mapping[str, Tensor], found: Iterable[tuple[str, object]], *, optional: Collection[str] = ()
) -> list[str]:
    """Return what keeps the tensors of a file from taking the place of a model's: see `refuse_mismatch`.

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
    """Write problems in one line: the first ones in full, and how many more there are.

    >>> list_problems(["a", "b", "c", "d", "e", "f", "g"])
    'a; b; c; d; e; and 2 more'
    """
    more = f"; and {len(problems) - LISTED} more" if len(problems) > LISTED else ""
    return "; ".join(problems[:LISTED]) + more


def _misfit(name: str, value: object, expected: Tensor) -> list[str]:
    if not isinstance(value, Tensor) or value.layout != torch.strided or value.is_quantized:
        return [f"{name} is no plain tensor"]
    if value.is_floating_point() != expected.is_floating_point():
        return [f"{name} is {value.dtype}, not {expected.dtype}".replace("torch.", "")]
    if value.shape != expected.shape:
        return [f"{name} is {tuple(value.shape)}, not {tuple(expected.shape)}"]
    return []
