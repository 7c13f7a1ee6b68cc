"""Bounds on PyTorch files: the size of their objects is added up before any is built, so that none fills the memory.

torch's restricted unpickler runs no code, but it builds every object of the file. A few hundred bytes are enough for
nested tuples that take years to hash, and four megabytes for gigabytes of small objects.
"""

import pickletools
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import CheckpointError

MOST_PICKLE_BYTES = 2**25
"""Largest size of the part that lists the objects; that of a run with its optimiser has about 2^18 bytes."""
MOST_OBJECTS = 2**18
"""Most steps, about one for every number, text or container. A run with its optimiser takes about 2^15."""
MOST_CALLS = 2**16
"""Most objects of classes, such as tensors, of a kilobyte each. A run with its optimiser has about 2^12."""
MOST_IN_A_TUPLE = 2**20
"""Most leaves of a tuple, with those of inner tuples counted as often as they occur: hashing visits them all."""
_REFUSED_NAMES = {"bytearray", "bytes", "range"}  # builtins that allocate as many bytes as a number states
_REFUSED_CODES = {"INST", "OBJ", "EXT1", "EXT2", "EXT4", "BYTEARRAY8", "NEXT_BUFFER", "READONLY_BUFFER", "PERSID"}
_MEMORY = {"PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"}
_RECALL = {"GET", "BINGET", "LONG_BINGET"}
_FIXED_TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_MARK = object()


@dataclass(frozen=True)
class _Made:
    """A value on the unpickler's stack: the number of leaves that hashing it visits, and its content if needed."""

    leaves: int = 1
    value: Any = None


def refuse_bombs(path: Path) -> None:
    """Refuse a PyTorch file that would take memory or time out of proportion to its size.

    Raises:
        CheckpointError: the file would, or it was not written by torch since 2020.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = {member.filename: member for member in archive.infolist()}
            if any(member.compress_type != zipfile.ZIP_STORED for member in members.values()):
                raise ValueError("its parts are compressed, and torch never compresses them")
            if sum(member.file_size for member in members.values()) > path.stat().st_size:
                raise ValueError("its parts are larger than the file")
            names = [name for name in members if name.count("/") <= 1 and name.endswith("data.pkl")]
            if len(names) != 1 or members[names[0]].file_size > MOST_PICKLE_BYTES:
                raise ValueError("it has no part that says what it holds, or one that is too large")
            folder = names[0].removesuffix("data.pkl")
            sizes = {name.removeprefix(f"{folder}data/"): member.file_size for name, member in members.items()}
            _refuse_pickle(archive.read(names[0]), sizes)
    except OSError as error:
        raise CheckpointError(
            f"{path}: cannot be read ({error.strerror}); check the path and the permission"
        ) from error
    except (
        ValueError,
        zipfile.BadZipFile,
        NotImplementedError,
        RuntimeError,
        IndexError,
        KeyError,
        TypeError,
    ) as error:
        raise CheckpointError(f"{path}: not a readable PyTorch checkpoint ({error}); fetch it again") from error


def _refuse_pickle(data: bytes, sizes: dict[str, int]) -> None:
    """Follow the steps of a pickle without building its objects.

    Args:
        data: bytes of the pickle.
        sizes: size of each part that holds the numbers of a tensor, in bytes, by its key.
    """
    stack: list[Any] = []
    memory: dict[int, Any] = {}
    calls = 0
    for objects, (code, argument, _) in enumerate(pickletools.genops(data)):
        name = code.name
        calls += name in ("REDUCE", "NEWOBJ", "NEWOBJ_EX", "BUILD")
        if objects > MOST_OBJECTS or calls > MOST_CALLS:
            raise ValueError("it makes more objects than any checkpoint")
        if name in _REFUSED_CODES:
            raise ValueError(f"it uses {name}, which torch never does")
        if name == "MARK":
            stack.append(_MARK)
        elif name in _MEMORY:
            memory[len(memory) if argument is None else int(argument)] = stack[-1]
        elif name in _RECALL:
            stack.append(memory[int(argument or 0)])
        elif name == "DUP":
            stack.append(stack[-1])
        elif name == "TUPLE":
            stack.append(_tuple(_popped_to_mark(stack)))
        elif name in _FIXED_TUPLES:
            stack.append(_tuple(_popped(stack, _FIXED_TUPLES[name])))
        elif name == "BINPERSID":
            _refuse_storage(_popped(stack, 1)[0], sizes)
            stack.append(_Made())
        elif name in ("GLOBAL", "STACK_GLOBAL"):
            _refuse_name(str(argument or [made.value for made in _popped(stack, 2)]))
            stack.append(_Made())
        else:
            _step(stack, code, argument)


def _step(stack: list[Any], code: pickletools.OpcodeInfo, argument: Any) -> None:
    """Pop from the stack and push onto it as the documentation of a step says."""
    taken = list(code.stack_before)
    if pickletools.markobject in taken:
        _popped_to_mark(stack)
        taken = taken[: taken.index(pickletools.markobject)]
    made = _popped(stack, len(taken))
    if code.stack_after:
        leaves = sum(one.leaves for one in made) + 1 if code.name in ("REDUCE", "NEWOBJ", "NEWOBJ_EX") else 1
        stack.append(_Made(leaves, argument if isinstance(argument, (int, str)) else None))


def _popped(stack: list[Any], count: int) -> list[_Made]:
    made = [stack.pop() for _ in range(count)][::-1]
    if _MARK in made:
        raise ValueError("its steps do not fit together")
    return made


def _popped_to_mark(stack: list[Any]) -> list[_Made]:
    made: list[_Made] = []
    while (top := stack.pop()) is not _MARK:
        made.append(top)
    return made[::-1]


def _tuple(made: Sequence[_Made]) -> _Made:
    leaves = 1 + sum(one.leaves for one in made)
    if leaves > MOST_IN_A_TUPLE:
        raise ValueError("it nests too many tuples")
    return _Made(leaves, [one.value for one in made] if len(made) <= 8 else None)


def _refuse_name(name: str) -> None:
    if any(word in _REFUSED_NAMES for word in name.replace("'", " ").replace("]", " ").replace(",", " ").split()):
        raise ValueError(f"it calls {name}")


def _refuse_storage(made: _Made, sizes: dict[str, int]) -> None:
    """Check that the numbers of a tensor are in the file: ("storage", type, key, place, number)."""
    _, _, key, _, count = made.value if isinstance(made.value, list) and len(made.value) == 5 else [None] * 5
    if not isinstance(key, str) or not isinstance(count, int) or not 0 <= count <= sizes.get(key, -1):
        raise ValueError("it announces more numbers than it holds")
