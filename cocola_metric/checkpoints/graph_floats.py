"""A graph as it is run: what lies in float16 on the disk is float32 before ONNX Runtime sees it.

It would cast the same tensors to the same numbers, one by one, in 40 ms of every start; NumPy takes 5.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .graph_file import ONNX_TYPES, STORED
from .protocol_buffers import fields, text, written

_GRAPH = 7  # of a model; numbers of fields are those of onnx.proto
_NODE, _INITIALIZER = 1, 5  # of a graph
_INPUT, _OUTPUT, _OPERATOR = 1, 2, 4  # of a node
_DATA_TYPE, _NAME = 2, 8  # of a tensor


def in_float32(content: bytes, stored: Mapping[str, NDArray[Any]]) -> tuple[bytes, dict[str, NDArray[Any]]]:
    """Return a graph without its casts of stored tensors, and these tensors in float32.

    Args:
        content: graph that `read_graph` has checked.
        stored: tensors of the weights file by the name that the graph has for them.
    """
    graph = next(value for number, value in fields(memoryview(content)) if number == _GRAPH)
    cast: set[str] = set()
    kept = []
    for number, value in fields(graph):
        source = _cast_tensor(value) if number == _NODE else None
        if source is None:
            kept.append((number, value))
        else:
            cast.add(source)
    parts = [written(number, _retyped(value, cast) if number == _INITIALIZER else value) for number, value in kept]
    model = [(number, b"".join(parts) if number == _GRAPH else value) for number, value in fields(memoryview(content))]
    tensors = {
        name.removesuffix(STORED) if name in cast else name: array.astype(np.float32) if name in cast else array
        for name, array in stored.items()
    }
    return b"".join(written(number, value) for number, value in model), tensors


def _cast_tensor(node: memoryview) -> str | None:
    """Return the stored tensor that a node casts, if it is such a node."""
    if len(node) > 2**10:
        return None
    entry = dict(fields(node))
    if bytes(entry.get(_OPERATOR, b"")) != b"Cast":
        return None
    source, target = text(entry[_INPUT]), text(entry[_OUTPUT])
    return source if source == target + STORED else None


def _retyped(tensor: memoryview, cast: set[str]) -> bytes | memoryview:
    name = next((text(value) for number, value in fields(tensor) if number == _NAME), "")
    if name not in cast:
        return tensor
    changed: dict[int, int | bytes] = {_DATA_TYPE: ONNX_TYPES["F32"], _NAME: name.removesuffix(STORED).encode()}
    return b"".join(written(number, changed.get(number, value)) for number, value in fields(tensor))
