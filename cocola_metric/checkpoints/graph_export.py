"""Writing encoder.onnx: the network as a graph whose tensors stay in model.safetensors (extra [export])."""

import dataclasses
import functools
import logging
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..encoder import INPUT, OUTPUTS, CocolaModel, EncoderConfig
from ..errors import MissingExtraError
from ..whole_files import written_whole
from .graph_file import BELONGS_TO, ONNX_TYPES, STORED, belongs_to, read_graph
from .known import GRAPH_FILE, WEIGHTS_FILE
from .safetensors_file import StoredTensor, tensor_table

_log = logging.getLogger(__name__)
STRUCTURES = Path(__file__).parent / "graphs"
"""Folder of traced graphs, one for each released kind of encoder; only the places of the tensors are filled in."""
_EXAMPLE_FRAMES, _FEWEST_FRAMES, _MOST_FRAMES = 251, 32, 2**20
_MOST_WINDOWS = 2**16
_OPSET = 20


def write_graph(config: EncoderConfig, folder: Path) -> bool:
    """Write the graph of a folder that holds config.json and model.safetensors; return True if it was written.

    Without the extra [export], or for weights in a type other than float32 and float16, the folder is left without a
    graph, and torch runs the encoder.

    Raises:
        OutputError: the folder cannot be written.
    """
    table = tensor_table(folder / WEIGHTS_FILE)
    kinds = {entry.dtype for entry in table.values() if entry.dtype.startswith(("F", "BF"))}
    try:
        graph = _structure(config) if kinds <= ONNX_TYPES.keys() else None
    except MissingExtraError as error:
        _log.warning("%s: no %s written, so that torch will run this encoder: %s", folder, GRAPH_FILE, error)
        graph = None
    if graph is None:
        (folder / GRAPH_FILE).unlink(missing_ok=True)
        return False
    content = _pointed(graph, table, belongs_to(dataclasses.asdict(config), table))
    with written_whole(folder / GRAPH_FILE) as partial:
        partial.write_bytes(content)
    read_graph(folder, dataclasses.asdict(config), table)  # or the scorer would refuse it
    return True


class _Network(nn.Module):
    """The network of a graph: images to embeddings and both sides of the similarity."""

    def __init__(self, model: CocolaModel) -> None:
        super().__init__()
        self.encoder, self.similarity = model.encoder, model.similarity

    def forward(self, features: Tensor) -> tuple[Tensor, ...]:
        embedding = self.encoder.embed_features(features)
        left, right = self.similarity.left(embedding), self.similarity.right(embedding)
        return (embedding, left) if right is embedding else (embedding, left, right)


@functools.lru_cache(maxsize=8)
def _exported(front_end: str, backbone: str, embedding_dim: int, similarity: str, pooling: str, head: str) -> bytes:
    """Trace a model of this kind. The values of its tensors do not matter, since places in a file replace them."""
    config = EncoderConfig(front_end, backbone, embedding_dim, similarity, pooling=pooling, head=head)
    model = CocolaModel(config).eval()
    network, kind = _Network(model), model.encoder.front_end.kind
    images = torch.zeros(2, kind.channels, kind.rows, _EXAMPLE_FRAMES)
    with torch.no_grad():
        outputs = OUTPUTS[: len(network(images))]
    batch = torch.export.Dim("windows", min=1, max=_MOST_WINDOWS)
    frames = torch.export.Dim("frames", min=_FEWEST_FRAMES, max=_MOST_FRAMES)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch's exporter about itself
        program = torch.onnx.export(
            network,
            (images,),
            dynamo=True,
            optimize=False,  # it would merge tensors, and merged ones lie in no file
            opset_version=_OPSET,
            dynamic_shapes=({0: batch, 3: frames},),
            input_names=[INPUT],
            output_names=list(outputs),
            verbose=False,
        )
    assert program is not None
    graph = program.model_proto
    for tensor in graph.graph.initializer:
        if tensor.name in model.state_dict():
            tensor.ClearField("raw_data")
    content: bytes = graph.SerializeToString()
    return content


def new_structure(config: EncoderConfig) -> Any:
    """Trace this kind of encoder. It takes half a minute, so graphs of the common kinds are kept in `STRUCTURES`.

    Raises:
        MissingExtraError: onnx or onnxscript is not installed.
    """
    try:
        import onnx
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(
            "writing a graph needs onnx and onnxscript; run pip install 'cocola-metric[export]'"
        ) from error
    return _tidied(onnx.load_from_string(_exported(*_kind(config))))


def kept_structure(config: EncoderConfig) -> Path:
    """Return the file for the graph of this kind of encoder; it may be missing."""
    return STRUCTURES / f"{'-'.join(map(str, _kind(config)))}.onnx"


def _structure(config: EncoderConfig) -> Any:
    if not kept_structure(config).is_file():
        return new_structure(config)
    try:
        import onnx
    except ImportError as error:
        raise MissingExtraError(
            "writing a graph needs onnx and onnxscript; run pip install 'cocola-metric[export]'"
        ) from error
    return onnx.load(kept_structure(config), load_external_data=False)


def _kind(config: EncoderConfig) -> tuple[str, str, int, str, str, str]:
    head = config.pooling, config.head
    return config.front_end, config.backbone, config.embedding_dim, config.similarity, *head


def _tidied(model: Any) -> Any:
    """Remove biases of zeros that depend on the input's type, nodes then unused, and the exporter's notes and names."""
    graph = model.graph
    makers = {output: node for node in graph.node for output in node.output}
    for node in graph.node:
        del node.metadata_props[:]
        node.ClearField("doc_string")
        node.ClearField("name")  # nothing asks for it, and numbers do not compress
        if node.op_type == "Conv" and len(node.input) == 3 and _is_zeros(makers.get(node.input[2]), makers):
            del node.input[2]
    used = {output.name for output in graph.output}
    kept = []
    for node in reversed(graph.node):
        if used & set(node.output):
            kept.append(node)
            used |= set(node.input)
    kept.reverse()
    tensors = [tensor for tensor in graph.initializer if tensor.name in used]
    for field, values in (("node", kept), ("initializer", tensors), ("value_info", [])):
        entries = [type(value).FromString(value.SerializeToString()) for value in values]
        graph.ClearField(field)
        getattr(graph, field).extend(entries)
    for entry in (*graph.input, *graph.output, *graph.initializer):
        del entry.metadata_props[:]
    graph.ClearField("metadata_props")
    model.ClearField("metadata_props")
    return model


def _is_zeros(node: Any, makers: dict[str, Any]) -> bool:
    """Tell whether a node makes the zeros that torch's exporter adds to a convolution without a bias."""
    if node is None or node.op_type != "Expand":
        return False
    source = makers.get(node.input[0])
    return source is not None and source.op_type == "CastLike"


def _pointed(model: Any, table: dict[str, StoredTensor], belongs: str) -> bytes:
    """Return the graph with a reference into the weights file for every tensor of the table."""
    import onnx

    graph = model.graph
    nodes = [node for node in graph.node if not (node.op_type == "Cast" and node.input[0].endswith(STORED))]
    inline = [tensor for tensor in graph.initializer if tensor.name.removesuffix(STORED) not in table]
    names = [tensor.name.removesuffix(STORED) for tensor in graph.initializer if tensor not in inline]
    casts, placed = [], []
    for name in names:
        entry = table[name]
        tensor = onnx.TensorProto(
            name=name if entry.dtype == "F32" else name + STORED,
            dims=entry.shape,
            data_type=ONNX_TYPES[entry.dtype],
            data_location=onnx.TensorProto.EXTERNAL,
        )
        for key, value in (("location", WEIGHTS_FILE), ("offset", entry.offset), ("length", entry.length)):
            tensor.external_data.add(key=key, value=str(value))
        placed.append(tensor)
        if tensor.name != name:
            casts.append(onnx.helper.make_node("Cast", [tensor.name], [name], to=onnx.TensorProto.FLOAT))
    new = onnx.ModelProto()
    new.CopyFrom(model)
    for field, values in (("node", casts + nodes), ("initializer", placed + inline)):
        new.graph.ClearField(field)
        getattr(new.graph, field).extend(values)
    new.ClearField("metadata_props")
    onnx.helper.set_model_props(new, {BELONGS_TO: belongs})
    content: bytes = new.SerializeToString()
    return content
