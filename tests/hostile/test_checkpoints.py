"""Checkpoints and configurations of strangers: each is one CheckpointError that names the file, soon and cheaply."""

import io
import json
import os
import pickle
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from cocola_metric.checkpoints.loading import CONFIG_FILE, EMBEDDED_FOLDER, WEIGHTS_FILE, load, save
from cocola_metric.checkpoints.pickle_bounds import refuse_bombs
from cocola_metric.encoder.model import CocolaModel, EncoderConfig
from cocola_metric.errors import CheckpointError

CONFIG = json.loads((EMBEDDED_FOLDER / CONFIG_FILE).read_text())
DEEP = "[" * 100_000

CONFIGS: dict[str, bytes] = {
    "empty": b"",
    "text": b"hello",
    "binary": bytes(range(256)),
    "nul": b"\0" * 1000,
    "utf-16": json.dumps(CONFIG).encode("utf-16-le"),
    "latin-1": b'{"front_end": "h\xe4rbar"}',
    "list": b"[]",
    "number": b"5",
    "null": b"null",
    "string": b'"mel"',
    "deep": DEEP.encode(),
    "deep object": b'{"a":' * 50_000,
    "cut": json.dumps(CONFIG).encode()[:30],
    "two": json.dumps(CONFIG).encode() * 2,
    "huge": b" " * (2**20 + 1) + b"{}",
    "long number": b'{"embedding_dim": ' + b"9" * 5000 + b"}",
    "unknown": b'{"front_door": 1}',
    "unknown long": json.dumps({"x" * 10_000: 1}).encode(),
    "unknown control": json.dumps({"\x1b[31m": 1}).encode(),
    "dunder": b'{"__class__": "x"}',
    "self": b'{"self": 1}',
}
VALUES: dict[str, list[object]] = {
    "front_end": [None, 1, [], {}, ["mel"], True, "", "MEL", "x" * 5000, "hps\0", "\ud800"],
    "backbone": [None, 1, [], {"a": 1}, "resnet", "efficientnet_b7"],
    "similarity": [None, 0, [], "dot", "bilinear "],
    "embedding_dim": [None, 0, -1, 1.5, 512.0, True, "512", [], 2**31, 10**30, 9000, 511],
    "dropout": [None, -0.1, 1, 2, "0.1", [], {}, 1e308, 10**400],
    "drop_connect": [None, -1, 1.0, "0", [0.2], 10**400],
}
LITERALS = ["NaN", "Infinity", "-Infinity", "1e999"]


def folder_with(tmp_path: Path, config: bytes) -> Path:
    (tmp_path / CONFIG_FILE).write_bytes(config)
    (tmp_path / WEIGHTS_FILE).symlink_to(EMBEDDED_FOLDER / WEIGHTS_FILE)
    return tmp_path


@pytest.mark.parametrize("name", CONFIGS)
def test_configurations_that_are_none(name: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=CONFIG_FILE) as raised:
        load(folder_with(tmp_path, CONFIGS[name]))
    assert "\x1b" not in str(raised.value) and len(str(raised.value)) < 1000


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, values in VALUES.items() for value in values])
def test_configurations_with_values_that_no_encoder_has(field: str, value: object, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError) as raised:
        load(folder_with(tmp_path, json.dumps(CONFIG | {field: value}).encode()))
    assert str(tmp_path) in str(raised.value) and len(str(raised.value)) < 6000


@pytest.mark.parametrize("literal", LITERALS)
@pytest.mark.parametrize("field", ["dropout", "embedding_dim", "front_end"])
def test_configurations_with_numbers_that_json_has_not(field: str, literal: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=CONFIG_FILE):
        load(folder_with(tmp_path, json.dumps(CONFIG | {field: "?"}).replace('"?"', literal).encode()))


# ---- weights ----


def embedded() -> dict[str, torch.Tensor]:
    return safetensors.torch.load_file(EMBEDDED_FOLDER / WEIGHTS_FILE)


def changed(name: str, change: Callable[[torch.Tensor], torch.Tensor]) -> bytes:
    state = embedded()
    return safetensors.torch.save(state | {name: change(state[name]).contiguous()})


def header(content: object, data: bytes = b"") -> bytes:
    text = json.dumps(content).encode() if not isinstance(content, bytes) else content
    return struct.pack("<Q", len(text)) + text + data


W = "similarity.weight"
PROJECTION = "encoder.projection.weight"
WEIGHTS: dict[str, Callable[[], bytes]] = {
    "integers": lambda: changed(W, lambda tensor: tensor.to(torch.int64)),
    "bytes": lambda: changed(W, lambda tensor: tensor.to(torch.uint8)),
    "booleans": lambda: changed(W, lambda tensor: tensor > 0),
    "complex": lambda: changed(W, lambda tensor: tensor.to(torch.complex64)),
    "NaN": lambda: changed(W, lambda tensor: tensor * float("nan")),
    "infinite": lambda: changed(PROJECTION, lambda tensor: tensor.float() / 0),
    "too large for float32": lambda: changed(PROJECTION, lambda tensor: tensor.double() * 1e300),
    "transposed": lambda: changed(PROJECTION, lambda tensor: tensor.T),
    "empty tensor": lambda: changed(W, lambda tensor: tensor[:0]),
    "one more": lambda: safetensors.torch.save(embedded() | {"more": torch.zeros(1)}),
    "one less": lambda: safetensors.torch.save({key: value for key, value in embedded().items() if key != W}),
    "none": lambda: safetensors.torch.save({}),
    "no file": lambda: b"",
    "short": lambda: b"\x08\0\0",
    "text": lambda: b"hello, I am no checkpoint",
    "cut": lambda: (EMBEDDED_FOLDER / WEIGHTS_FILE).read_bytes()[:100_000],
    "long header": lambda: struct.pack("<Q", 2**62) + b"{}",
    "deep header": lambda: header(DEEP.encode()),
    "beyond the end": lambda: header({W: {"dtype": "F32", "shape": [512, 512], "data_offsets": [0, 2**40]}}),
    "overlap": lambda: header({n: {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]} for n in "ab"}, b"\0" * 4),
    "huge shape": lambda: header({W: {"dtype": "F32", "shape": [2**40, 2**40], "data_offsets": [0, 4]}}, b"\0" * 4),
    "strange type": lambda: header({W: {"dtype": "F99", "shape": [1], "data_offsets": [0, 4]}}, b"\0" * 4),
}


@pytest.mark.parametrize("name", WEIGHTS)
def test_weights_that_do_not_fit(name: str, tmp_path: Path) -> None:
    (tmp_path / CONFIG_FILE).write_text(json.dumps(CONFIG))
    (tmp_path / WEIGHTS_FILE).write_bytes(WEIGHTS[name]())
    with pytest.raises(CheckpointError, match=WEIGHTS_FILE):
        load(tmp_path)


def test_a_configuration_beside_weights_of_another_checkpoint(tmp_path: Path) -> None:
    for name, front_end in (("old", "hps"), ("new", "mel")):
        torch.manual_seed(0)
        save(CocolaModel(EncoderConfig(front_end=front_end)), tmp_path / name)
    save(CocolaModel(EncoderConfig(dropout=0.5)), tmp_path / "newer")
    (tmp_path / "old" / CONFIG_FILE).write_bytes((tmp_path / "newer" / CONFIG_FILE).read_bytes())
    with pytest.raises(CheckpointError, match="written for other weights"):
        load(tmp_path / "old")
    assert load(tmp_path / "new").model.config.front_end == "mel"


def test_a_save_that_is_interrupted_leaves_nothing_that_loads_wrongly(tmp_path: Path, monkeypatch) -> None:
    save(CocolaModel(EncoderConfig(front_end="mel")), tmp_path)
    from cocola_metric.checkpoints import loading

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(loading, "write_config", interrupt)
    with pytest.raises(KeyboardInterrupt):
        save(CocolaModel(EncoderConfig(front_end="mel", dropout=0.3)), tmp_path)
    with pytest.raises(CheckpointError, match="written for other weights"):
        load(tmp_path)


# ---- files of PyTorch ----


class Steps:
    """Writes the steps of a pickle by hand."""

    def __init__(self) -> None:
        self.data = io.BytesIO(b"")
        self.add(b"\x80\x02")

    def add(self, *steps: bytes) -> "Steps":
        for step in steps:
            self.data.seek(0, os.SEEK_END)
            self.data.write(step)
        return self

    def file(self, path: Path, **parts: bytes) -> Path:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", self.data.getvalue() + b".")
            archive.writestr("archive/version", "3\n")
            archive.writestr("archive/byteorder", "little")
            for name, content in parts.items():
                archive.writestr(f"archive/data/{name}", content)
        return path


def nested_keys(path: Path) -> Path:
    """594 bytes: a dictionary whose key takes 2^60 steps to hash."""
    steps = Steps().add(b"}", b"(K\x01K\x02\x86")
    for number in range(60):
        steps.add(b"q" + bytes([number]), b"h" + bytes([number]), b"\x86")
    return steps.add(b"K\x01u").file(path)


def many_calls(path: Path) -> Path:
    """A million sets out of four bytes each."""
    steps = Steps().add(b"]q\x00", b"c__builtin__\nset\nq\x01", b")q\x020", b"0h\x00(")
    return steps.add(b"h\x01h\x02R" * 1_000_000, b"e").file(path)


def many_tensors(path: Path) -> Path:
    steps = Steps().add(b"ctorch._utils\n_rebuild_tensor_v2\nq\x00")
    steps.add(b"((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x01tQ")
    steps.add(b"K\x00K\x01\x85K\x01\x85\x89ccollections\nOrderedDict\n)Rtq\x01", b"0]q\x020h\x02(")
    return steps.add(b"h\x00h\x01R" * 800_000, b"e").file(path, **{"0": b"\0" * 4})


def many_bytes(path: Path) -> Path:
    return Steps().add(b"c__builtin__\nbytearray\n", b"J\x00\x00\x00\x7f\x85R").file(path)


def many_objects(path: Path) -> Path:
    return Steps().add(b"](", b"}" * 4_000_000, b"e").file(path)


def announced_numbers(path: Path) -> Path:
    steps = Steps().add(b"}X\x0c\x00\x00\x00similarity.wctorch._utils\n_rebuild_tensor_v2\n")
    steps.add(
        b"((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuJ\x00\x00\x00\x7ftQ"
    )
    return steps.add(b"K\x00K\x01\x85K\x01\x85\x89}tRs").file(path, **{"0": b"\0" * 4})


def compressed(path: Path) -> Path:
    torch.save({"similarity.w": torch.zeros(2**24)}, path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


def executed(path: Path) -> Path:
    return Steps().add(b"cos\nsystem\n", b"X\x05\x00\x00\x00false\x85R").file(path)


def old_format(path: Path) -> Path:
    torch.save({"similarity.w": torch.zeros(3)}, path, _use_new_zipfile_serialization=False)
    return path


def plain_pickle(path: Path) -> Path:
    path.write_bytes(pickle.dumps({"similarity.w": np.zeros(3)}))
    return path


BOMBS = [nested_keys, many_calls, many_tensors, many_bytes, many_objects, announced_numbers, compressed, old_format]
FILES = [*BOMBS, executed, plain_pickle]


@pytest.mark.parametrize("make", FILES, ids=lambda make: make.__name__)
def test_files_of_pytorch_that_would_fill_the_memory(make: Callable[[Path], Path], tmp_path: Path) -> None:
    path = make(tmp_path / "x.ckpt")
    with pytest.raises(CheckpointError, match=r"x\.ckpt"):
        load(path)


@pytest.mark.parametrize("make", BOMBS, ids=lambda make: make.__name__)
def test_such_files_are_refused_before_anything_is_built(make: Callable[[Path], Path], tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"x\.ckpt"):
        refuse_bombs(make(tmp_path / "x.ckpt"))


@pytest.mark.skipif(sys.platform != "linux", reason="the most memory a process had, in kilobytes")
def test_they_take_less_than_a_gigabyte_together(tmp_path: Path) -> None:
    for make in FILES:
        make(tmp_path / f"{make.__name__}.ckpt")
    code = """
import resource, sys
from pathlib import Path
from cocola_metric.checkpoints import load
from cocola_metric.errors import CheckpointError
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for file in sorted(Path(sys.argv[1]).iterdir()):
    try:
        load(file)
    except CheckpointError:
        print(file.name)
assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1_000_000
"""
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split()) == len(FILES)


def test_random_damage_of_a_file_of_pytorch(tmp_path: Path) -> None:
    torch.save({"state_dict": {"similarity.w": torch.zeros(4, 4)}, "epoch": 3}, tmp_path / "x.ckpt")
    whole = (tmp_path / "x.ckpt").read_bytes()
    draw = np.random.default_rng(0)
    for number in range(60):
        damaged = bytearray(whole[: draw.integers(len(whole))] if number % 3 == 0 else whole)
        for place in draw.integers(max(1, len(damaged)), size=3):
            if damaged:
                damaged[place] ^= 1 << int(draw.integers(8))
        (tmp_path / "x.ckpt").write_bytes(damaged)
        with pytest.raises(CheckpointError, match=r"x\.ckpt"):
            load(tmp_path / "x.ckpt")
