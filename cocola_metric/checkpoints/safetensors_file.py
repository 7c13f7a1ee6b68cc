"""Reading safetensors files without torch: the places of the tensors, and the tensors as NumPy arrays."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import CheckpointError

_LARGEST_HEADER = 2**24  # bytes; an encoder's has 60 thousand
_NUMPY = {"F16": np.float16, "F32": np.float32, "F64": np.float64, "I64": np.int64, "I32": np.int32}


@dataclass(frozen=True)
class StoredTensor:
    """A tensor's place in a file.

    Attributes:
        dtype: type in the words of safetensors, such as "F16".
        shape: shape of the tensor.
        offset: position of its first byte, from the start of the file.
        length: number of bytes.
    """

    dtype: str
    shape: tuple[int, ...]
    offset: int
    length: int


def tensor_table(file: Path) -> dict[str, StoredTensor]:
    """Return the place of each tensor, in the order of their names.

    Raises:
        CheckpointError: the file is missing, damaged, or not a safetensors file.
    """
    try:
        with file.open("rb") as opened:
            size = int.from_bytes(opened.read(8), "little")
            if not 0 < size <= _LARGEST_HEADER:
                raise ValueError(f"a header of {size} bytes")
            header = json.loads(opened.read(size))
            end = opened.seek(0, 2)
        table = {name: _placed(entry, 8 + size) for name, entry in header.items() if name != "__metadata__"}
        if any(tensor.offset + tensor.length > end for tensor in table.values()):
            raise ValueError("it ends too early")
    except OSError as error:
        raise CheckpointError(f"{file}: cannot be read ({error.strerror}); fetch it again") from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{file}: damaged or not a safetensors file ({error}); fetch it again") from error
    return dict(sorted(table.items()))


def read_arrays(file: Path, table: dict[str, StoredTensor]) -> dict[str, NDArray[Any]]:
    """Return these tensors as they are stored; a tensor's bytes are read from the disk at its first use."""
    content = np.memmap(file, np.uint8, "r")
    return {
        name: content[tensor.offset : tensor.offset + tensor.length].view(_NUMPY[tensor.dtype]).reshape(tensor.shape)
        for name, tensor in table.items()
        if tensor.dtype in _NUMPY
    }


def _placed(entry: Any, start: int) -> StoredTensor:
    shape = tuple(int(size) for size in entry["shape"])
    first, last = (int(offset) for offset in entry["data_offsets"])
    if not 0 <= first <= last or min(shape, default=0) < 0:
        raise ValueError("a tensor of negative size")
    return StoredTensor(str(entry["dtype"]), shape, start + first, last - first)
