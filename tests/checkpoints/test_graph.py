"""encoder.onnx: the numbers of torch, from the same file of weights; graphs that do not belong, and hostile ones."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from parity_vectors import ParityVectors

from cocola_metric.checkpoints.config_file import read_config
from cocola_metric.checkpoints.graph_export import STRUCTURES, kept_structure, new_structure, write_graph
from cocola_metric.checkpoints.graph_file import BELONGS_TO, STORED, read_graph
from cocola_metric.checkpoints.known import CONFIG_FILE, EMBEDDED_FOLDER, GRAPH_FILE, WEIGHTS_FILE
from cocola_metric.checkpoints.loading import load, save
from cocola_metric.checkpoints.opening import find_encoder, open_graph
from cocola_metric.checkpoints.safetensors_file import read_arrays, tensor_table
from cocola_metric.encoder import ArrayEncoder
from cocola_metric.encoder.model import CocolaModel, EncoderConfig
from cocola_metric.encoder.modes import MODES
from cocola_metric.errors import CheckpointError

EMBEDDING_TOLERANCE = 1e-5  # between ONNX Runtime and torch, from the same audio
LEFT_TOLERANCE = 5e-5  # of numbers up to 15: the temperatures of phasors multiply the rounding
SIZE = 200_000  # bytes of a graph


def array_encoder(folder: Path) -> ArrayEncoder:
    table = tensor_table(folder / WEIGHTS_FILE)
    config = json.loads((folder / CONFIG_FILE).read_text())
    graph, names = read_graph(folder, config, table)
    arrays = read_arrays(folder / WEIGHTS_FILE, table)
    tensors = {name: arrays[name.removesuffix(STORED)] for name in names}
    return ArrayEncoder(graph, tensors, config["front_end"], str(folder), config)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(EMBEDDED_FOLDER, tmp_path / "encoder"))


@pytest.fixture
def change(folder: Path) -> Callable[[Callable[[onnx.ModelProto], None]], None]:
    """Change the graph of the folder."""

    def changed(edit: Callable[[onnx.ModelProto], None]) -> None:
        model = onnx.load(folder / GRAPH_FILE, load_external_data=False)
        edit(model)
        (folder / GRAPH_FILE).write_bytes(model.SerializeToString())

    return changed


@pytest.mark.parametrize("samples", [16_000, 80_000, 100_000])
@pytest.mark.parametrize("mode", MODES)
def test_numbers_of_the_embedded_encoder(mode: str, samples: int) -> None:
    windows = (0.1 * np.random.default_rng(0).standard_normal((3, samples))).astype(np.float32)
    model = load("embedded").model
    with torch.inference_mode():
        expected = model.encoder(torch.from_numpy(windows), mode)
        left = model.similarity.left(expected)
    sides = array_encoder(EMBEDDED_FOLDER)(windows, mode)
    assert np.abs(sides.embeddings - expected.numpy()).max() < EMBEDDING_TOLERANCE
    assert np.abs(sides.left - left.numpy()).max() < LEFT_TOLERANCE
    assert sides.right is sides.embeddings


@pytest.mark.parametrize("kind", ["mel", "hps"])
def test_numbers_of_the_authors_encoders(parity: Callable[[str], ParityVectors], kind: str, tmp_path: Path) -> None:
    vectors = parity(kind)
    save(vectors.model, tmp_path)
    assert write_graph(vectors.model.config, tmp_path)
    encoder = array_encoder(tmp_path)
    images = vectors.features.numpy()
    encoder.front_end = lambda _: images
    assert np.abs(encoder(images).embeddings - vectors.embeddings["both"].numpy()).max() < 1e-4


def test_a_graph_is_small_and_holds_no_weights() -> None:
    assert (EMBEDDED_FOLDER / GRAPH_FILE).stat().st_size < SIZE
    model = onnx.load(EMBEDDED_FOLDER / GRAPH_FILE)  # onnx itself finds the tensors, by offset and length
    stored = {tensor.name: tensor for tensor in model.graph.initializer if tensor.name.endswith(STORED)}
    arrays = read_arrays(EMBEDDED_FOLDER / WEIGHTS_FILE, tensor_table(EMBEDDED_FOLDER / WEIGHTS_FILE))
    for name, tensor in stored.items():
        assert np.array_equal(onnx.numpy_helper.to_array(tensor), arrays[name.removesuffix(STORED)])
    assert len(stored) > 300


@pytest.mark.slow
@pytest.mark.parametrize(
    "config",
    [
        EncoderConfig("mel", similarity="cosine", embedding_dim=64),
        EncoderConfig("mel", similarity="plain_cosine", embedding_dim=64),
        EncoderConfig("hps"),
        EncoderConfig("pitch_onset", "placed_phasor_efficientnet_b0", 1760, "phasors"),
    ],
)
def test_other_encoders_are_traced(config: EncoderConfig, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = CocolaModel(config).eval()
    save(model, tmp_path)
    if kept_structure(config).is_file():
        kept = onnx.load(kept_structure(config), load_external_data=False)
        assert [node.op_type for node in new_structure(config).graph.node] == [node.op_type for node in kept.graph.node]
    assert write_graph(config, tmp_path)
    windows = (0.1 * np.random.default_rng(0).standard_normal((2, 20_000))).astype(np.float32)
    sides = array_encoder(tmp_path)(windows)
    with torch.inference_mode():
        embeddings = model.encoder(torch.from_numpy(windows))
        right = model.similarity.right(embeddings)
    assert np.abs(sides.embeddings - embeddings.numpy()).max() < 1e-4
    assert np.abs(sides.right - right.numpy()).max() < 1e-4


def test_tensors_cast_beforehand_give_the_same_numbers_to_the_bit() -> None:
    windows = (0.1 * np.random.default_rng(0).standard_normal((2, 80_000))).astype(np.float32)
    opened = open_graph(find_encoder("embedded"))
    assert opened is not None
    for cast_before, cast_by_graph in zip(
        opened.encoder(windows), array_encoder(EMBEDDED_FOLDER)(windows), strict=True
    ):
        assert np.array_equal(cast_before, cast_by_graph)


@pytest.mark.slow
@pytest.mark.parametrize("kept", sorted(STRUCTURES.glob("*.onnx")), ids=lambda file: file.stem)
def test_kept_graphs_are_those_of_a_fresh_trace(kept: Path) -> None:
    """Nodes, their inputs, and tensors; names and notes of the exporter's may change with its version."""
    front_end, backbone, size, similarity, pooling, head = kept.stem.split("-")
    config = EncoderConfig(front_end, backbone, int(size), similarity, pooling=pooling, head=head)
    assert kept_structure(config) == kept
    old, new = onnx.load(kept, load_external_data=False).graph, new_structure(config).graph
    for graph in (old, new):
        for node in graph.node:
            node.ClearField("name")
    assert list(new.node) == list(old.node)
    assert list(new.initializer) == list(old.initializer)
    assert list(new.input) == list(old.input) and list(new.output) == list(old.output)


def test_the_embedded_graph_is_what_is_written_of_its_weights(folder: Path) -> None:
    (folder / GRAPH_FILE).unlink()
    assert write_graph(read_config(folder / CONFIG_FILE), folder)
    assert (folder / GRAPH_FILE).read_bytes() == (EMBEDDED_FOLDER / GRAPH_FILE).read_bytes()


def test_weights_in_bfloat16_have_no_graph(folder: Path) -> None:
    model = load(folder).model
    save(model, folder, dtype=torch.bfloat16)
    assert not write_graph(model.config, folder)
    assert not (folder / GRAPH_FILE).exists()


def test_a_graph_of_other_weights_is_refused(folder: Path) -> None:
    save(load(folder).model, folder, dtype=torch.float32)
    with pytest.raises(CheckpointError, match=r"encoder\.onnx: written for another config\.json or model\.saf"):
        array_encoder(folder)


def test_a_graph_of_another_configuration_is_refused(folder: Path) -> None:
    config = json.loads((folder / CONFIG_FILE).read_text())
    (folder / CONFIG_FILE).write_text(json.dumps(config | {"dropout": 0.3}))  # matters in training alone
    array_encoder(folder)
    (folder / CONFIG_FILE).write_text(json.dumps(config | {"front_end": "hps"}))
    with pytest.raises(CheckpointError, match="written for another"):
        array_encoder(folder)


def _location(model: onnx.ModelProto) -> None:
    next(tensor for tensor in model.graph.initializer if tensor.external_data).external_data[0].value = "../other"


def _offset(model: onnx.ModelProto) -> None:
    tensor = next(tensor for tensor in model.graph.initializer if tensor.external_data)
    next(entry for entry in tensor.external_data if entry.key == "offset").value = "0"


def _name(model: onnx.ModelProto) -> None:
    next(tensor for tensor in model.graph.initializer if tensor.external_data).name = "elsewhere"


def _custom_domain(model: onnx.ModelProto) -> None:
    model.graph.node[0].domain = "com.example"


def _custom_opset(model: onnx.ModelProto) -> None:
    model.opset_import.append(onnx.helper.make_opsetid("com.example", 1))


def _loop(model: onnx.ModelProto) -> None:
    model.graph.node[0].op_type = "Loop"


def _function(model: onnx.ModelProto) -> None:
    model.functions.add(name="f", domain="x")


def _subgraph(model: onnx.ModelProto) -> None:
    model.graph.node[0].attribute.append(onnx.helper.make_attribute("body", onnx.GraphProto(name="g")))


def _absurd_shape(model: onnx.ModelProto) -> None:
    model.graph.initializer.add(name="huge", data_type=1, dims=[2**40])


def _absurd_number(model: onnx.ModelProto) -> None:
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.asarray([2**40]), "huge"))


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (_location, "reads .* from another place"),
        (_offset, "reads .* from another place"),
        (_name, "reads 'elsewhere' from another place"),
        (_custom_domain, "needs operators of b'com.example'"),
        (_custom_opset, "needs operators of b'com.example'"),
        (_loop, "uses the operator 'Loop'"),
        (_function, "defines functions"),
        (_subgraph, "a node holds graphs"),
        (_absurd_shape, "a tensor of shape"),
        (_absurd_number, "too large for an axis"),
    ],
)
def test_hostile_graphs_are_refused(folder: Path, change: Callable, edit: Callable, message: str) -> None:
    change(edit)
    with pytest.raises(CheckpointError, match=message):
        array_encoder(folder)


def test_damaged_graphs_are_refused(folder: Path) -> None:
    content = (folder / GRAPH_FILE).read_bytes()
    for damaged in (b"", content[: len(content) // 2], b"\xff" * 64, content + bytes(2**22)):
        (folder / GRAPH_FILE).write_bytes(damaged)
        with pytest.raises(CheckpointError, match=r"encoder\.onnx: "):
            array_encoder(folder)


def test_a_graph_of_other_images_is_refused(folder: Path, change: Callable) -> None:
    def narrow(model: onnx.ModelProto) -> None:
        model.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 64

    change(narrow)
    with pytest.raises(CheckpointError, match=r"encoder\.onnx|encoder: "):
        array_encoder(folder)
    assert onnx.load(folder / GRAPH_FILE, load_external_data=False).metadata_props[0].key == BELONGS_TO
