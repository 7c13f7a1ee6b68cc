"""Reading encoder.onnx without trust: its content is restricted, and it must belong to the weights beside it.

ONNX files are Protocol Buffers. They are read here field by field. So nothing runs, allocates memory or opens a file
before it has been checked, and scoring does not need the onnx package.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import CheckpointError
from .known import CONFIG_FILE, GRAPH_FILE, WEIGHTS_FILE, WEIGHTS_KEY
from .protocol_buffers import fields, pair, text, varints
from .safetensors_file import StoredTensor

BELONGS_TO = "cocola_metric.belongs_to"
STORED = ".stored"
"""Suffix of the name of a tensor that is float16 in the weights file, and that the graph casts to float32."""
ONNX_TYPES = {"F32": 1, "F16": 10}
OPERATORS = frozenset(
    """
    Abs Add AveragePool BatchNormalization Cast CastLike Clip Concat Constant Conv Cos DFT Div Einsum Equal Erf Exp
    Expand Flatten Gather Gemm GlobalAveragePool GroupNormalization HardSigmoid Identity InstanceNormalization
    LayerNormalization Log MatMul Max Mean Min Mul Neg Pad Pow Range Reciprocal ReduceL2 ReduceMax ReduceMean
    ReduceMin ReduceSum ReduceSumSquare Relu Reshape SequenceAt Shape Sigmoid Sin Slice Split SplitToSequence Sqrt
    Squeeze Sub Tanh Transpose Unsqueeze Where
    """.split()  # noqa: SIM905
)
"""Operators that a graph may use: standard ones without loops, branches, randomness, files or strings."""
_LARGEST_FILE = 2**22  # bytes; ours have a hundred thousand
_LARGEST_SIZE = 2**24  # of an axis, or a number that may become one
_FREE_FIELDS = ("dropout", "drop_connect", WEIGHTS_KEY)  # of a configuration: the graph does not depend on them
LATER_FIELDS = {"pooling": "average", "head": "linear"}  # settings that older configurations lack -> their meaning


def belongs_to(config: Mapping[str, Any], table: Mapping[str, StoredTensor]) -> str:
    """Return the hash that binds a graph to a configuration and to the places of its tensors.

    Args:
        config: content of config.json.
        table: table of the tensors in the weights file.
    """
    relevant = {key: value for key, value in {**LATER_FIELDS, **config}.items() if key not in _FREE_FIELDS}
    places = {name: [entry.dtype, *entry.shape, entry.offset, entry.length] for name, entry in table.items()}
    return hashlib.sha256(json.dumps([relevant, places], sort_keys=True).encode()).hexdigest()


def read_graph(folder: Path, config: Mapping[str, Any], table: Mapping[str, StoredTensor]) -> tuple[bytes, list[str]]:
    """Read and check the graph of a folder; return it, and the names of its external initialisers.

    Raises:
        CheckpointError: the graph does not belong to the weights, or holds something that no encoder needs.
    """
    file = folder / GRAPH_FILE
    try:
        with file.open("rb") as opened:
            content = opened.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise CheckpointError(f"{file}: cannot be read ({error.strerror}); fetch it again") from error
    try:
        if len(content) > _LARGEST_FILE:
            raise ValueError(f"more than {_LARGEST_FILE} bytes")
        model = _Model()
        model.read(memoryview(content))
    except (ValueError, IndexError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{file}: not a graph that this package runs ({error}); {_REMEDY}") from error
    if model.metadata.get(BELONGS_TO) != belongs_to(config, table):
        raise CheckpointError(f"{file}: written for another {CONFIG_FILE} or {WEIGHTS_FILE}; {_REMEDY}")
    for name, place in model.external.items():
        expected = table.get(name.removesuffix(STORED))
        if expected is None or place != (WEIGHTS_FILE, expected):
            raise CheckpointError(
                f"{file}: reads {name!r:.80} from another place than that of {WEIGHTS_FILE}; {_REMEDY}"
            )
    return content, list(model.external)


_REMEDY = (
    f"delete it, or write it again with CocolaScorer.save_pretrained (extra [export]); without {GRAPH_FILE} torch runs"
)


@dataclass
class _Model:
    """The parts of a graph that are read. Every reader raises ValueError at a part that is not allowed."""

    metadata: dict[str, str] = field(default_factory=dict)
    external: dict[str, tuple[str, StoredTensor]] = field(default_factory=dict)

    def read(self, message: memoryview) -> None:
        for number, value in fields(message):
            if number == 8:  # opset_import
                _refuse_domain(dict(fields(value)).get(1, b""))
            elif number == 14:
                key, entry = pair(value)
                self.metadata[key] = entry
            elif number == 7:
                self._read_graph(value)
            elif number in (20, 25):
                raise ValueError("it defines functions or training of its own")

    def _read_graph(self, message: memoryview) -> None:
        for number, value in fields(message):
            if number == 1:
                self._read_node(value)
            elif number == 5:
                self._read_tensor(value)
            elif number == 15:
                raise ValueError("it has sparse tensors")

    def _read_node(self, message: memoryview) -> None:
        operator = "?"
        for number, value in fields(message):
            if number == 4:
                operator = text(value)
            elif number == 7:
                _refuse_domain(value)
            elif number == 5:
                self._read_attribute(value)
        if operator not in OPERATORS:
            raise ValueError(f"it uses the operator {operator!r:.40}")

    def _read_attribute(self, message: memoryview) -> None:
        for number, value in fields(message):
            if number in (6, 10, 11, 22, 23):
                raise ValueError("a node holds graphs or lists of tensors")
            if number == 5 and self._read_tensor(value, in_node=True):
                raise ValueError("a node takes a tensor from a file")

    def _read_tensor(self, message: memoryview, *, in_node: bool = False) -> bool:
        """Read a tensor, and tell whether it lies in another file."""
        shape: list[int] = []
        external: dict[str, str] = {}
        kind, name, raw = 0, "", memoryview(b"")
        for number, value in fields(message):
            if number == 1:
                shape += list(varints(value)) if isinstance(value, memoryview) else [value]
            elif number == 2:
                kind = value
            elif number == 8:
                name = text(value)
            elif number == 9:
                raw = value
            elif number == 13:
                external.update([pair(value)])
        if any(not 0 <= size <= _LARGEST_SIZE for size in shape):
            raise ValueError(f"a tensor of shape {shape}")
        if kind == 7 and any(abs(size) > _LARGEST_SIZE and abs(size) < 2**62 for size in raw.cast("q")):
            raise ValueError("a number too large for an axis")
        if external and not in_node:
            dtype = next((key for key, code in ONNX_TYPES.items() if code == kind), "?")
            place = StoredTensor(dtype, tuple(shape), int(external["offset"]), int(external["length"]))
            self.external[name] = (external.get("location", ""), place)
        return bool(external)


def _refuse_domain(value: Any) -> None:
    if bytes(value) not in (b"", b"ai.onnx"):
        raise ValueError(f"it needs operators of {bytes(value)[:40]!r}")
