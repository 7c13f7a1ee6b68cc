"""The house stays in shape: rooms, who imports whom, what is shipped, and that starting up imports no torch."""

import ast
import functools
import tomllib
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from cocola_metric import errors

ROOT = Path(__file__).parents[1]
PACKAGES = {"cocola_metric": ROOT / "cocola_metric"} | {
    f"cocola_metric.{name}": ROOT / name for name in ("training", "benchmarks")
}
ORDER = [  # a room may import those of the lines above it; the files at the core's root are rooms of their own
    {"fourier", "version"},
    {"addresses", "arrays", "intervals", "blame", "errors", "functional", "identity", "signature"},
    {"whole_files", "names", "json_files", "comparison", "torch_state", "downloads", "stored_arrays", "ray_pool"},
    {"remote"},
    {"embedding_store", "example_songs", "reading"},
    {"audio", "dispatch"},
    {"encoder"},
    {"checkpoints"},
    {"scoring"},
    {"plot"},
    {"scorer"},
    {"fad", "metric"},
    {"adapters"},
    {"cli"},
    {"training.signal", "training.runs", "training.paper"},
    {"training.corpora"},
    {"training.rendering", "training.encoder"},
    {"training.evaluation", "training.componet", "training.msdm"},
    {"training.gmsdi", "training.calibration"},
    {"benchmarks.queries", "benchmarks.guides"},
    {"benchmarks.generators"},
    {"benchmarks.table3", "benchmarks.fad", "benchmarks.listening"},
    {"benchmarks.table1"},
    {"benchmarks.guidance"},
]
RANK = {room: rank for rank, rooms in enumerate(ORDER) for room in rooms}
ENTRANCES = {"cocola_metric", "cocola_metric.training", "cocola_metric.benchmarks"}  # their __init__ and __main__
ONLY_IN = {
    "timm": {"encoder"},
    "onnxruntime": {"encoder"},
    "onnx": {"checkpoints"},
    "onnxscript": {"checkpoints"},
    "frechet_audio_distance": {"fad"},
    "torchmetrics": {"metric", "benchmarks.table1"},
    "huggingface_hub": {"checkpoints"},
    "diffusers": {"training.componet"},
    "music21": {"training.rendering"},
    "requests": {"downloads"},
    "pooch": {"downloads"},
    "evaluate": {"adapters"},
    "versa": {"adapters"},
    "ray": {"ray_pool"},
    "fsspec": {"remote"},
}
MOST_LINES = 300


def module_name(file: Path) -> str:
    """Return the name under which a file of the house is imported."""
    package = next(name for name in reversed(PACKAGES) if file.is_relative_to(PACKAGES[name]))
    parts = file.relative_to(PACKAGES[package]).with_suffix("").parts
    return ".".join((package, *(part for part in parts if part != "__init__")))


FILES = sorted(file for folder in PACKAGES.values() for file in folder.rglob("*.py") if "offline" not in file.parts)
MODULES = {module_name(file): file for file in FILES}


def room_of(module: str) -> str:
    """Return the room of a module: "audio", "training.corpora"; a sub-room belongs to the room around it."""
    parts = module.split(".")[1:]
    return ".".join(parts[:2] if parts and parts[0] in ("training", "benchmarks") else parts[:1])


@functools.cache
def imports(module: str) -> tuple[tuple[str, str], ...]:
    """List what a file imports at any depth, as (module, name); the name is "" where a module is imported whole."""
    package = module if MODULES[module].stem == "__init__" else module.rpartition(".")[0]
    found = []
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            source = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                inner = f"{source}.{alias.name}"
                found.append((inner, "") if inner in MODULES else (source, alias.name))
    return tuple(found)


def crossings(module: str) -> Iterator[tuple[str, str]]:
    """Yield (module, name) of what a file imports from other rooms of the house."""
    for source, name in imports(module):
        if source in MODULES and source not in ENTRANCES and room_of(source) != room_of(module):
            yield source, name


HOUSE = [module for module in MODULES if module not in ENTRANCES and not module.endswith("__main__")]


@pytest.mark.parametrize("module", HOUSE)
def test_imports_flow_one_way(module: str) -> None:
    here = RANK[room_of(module)]
    assert not [source for source, _ in crossings(module) if RANK[room_of(source)] >= here]
    assert room_of(module) == "cli" or not [source for source, _ in crossings(module) if room_of(source) == "cli"]


@pytest.mark.parametrize("module", HOUSE)
def test_a_room_takes_of_another_what_it_exports(module: str) -> None:
    for source, name in crossings(module):
        room = f"cocola_metric.{room_of(source)}"
        assert source == room, f"{source} is private to {room}"
        stub = MODULES[room].with_suffix(".pyi")
        if name and stub.exists():
            assert f'"{name}"' in stub.read_text(encoding="utf-8"), f"{room} does not export {name}"
        else:
            assert not name.startswith("_")


def test_no_import_goes_in_a_circle() -> None:
    graph = {
        module: {source for source, _ in imports(module) if source in MODULES and source != module}
        for module in MODULES
        if MODULES[module].stem != "__init__"
    }
    TopologicalSorter(graph).prepare()  # raises CycleError


@pytest.mark.parametrize(("library", "rooms"), ONLY_IN.items())
def test_libraries_stay_where_they_belong(library: str, rooms: set[str]) -> None:
    users = {room_of(module) for module in HOUSE for source, _ in imports(module) if source.split(".")[0] == library}
    assert users <= rooms


def test_every_room_says_its_subject_and_is_shipped() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    rooms = [module for module in MODULES if MODULES[module].stem == "__init__"]
    assert set(settings["packages"]) == set(rooms)
    assert set(settings["package-dir"]) == set(PACKAGES)
    for room in rooms:
        assert ast.get_docstring(ast.parse(MODULES[room].read_text(encoding="utf-8")), clean=True), room


def test_the_files_of_a_page_are_shipped() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    room = ROOT / "benchmarks" / "table3"
    shipped = {
        file for pattern in settings["package-data"]["cocola_metric.benchmarks.table3"] for file in room.glob(pattern)
    }
    assert {file.suffix for file in shipped} == {".css", ".html", ".js", ".svg"}
    assert shipped == set((room / "page").iterdir())


@pytest.mark.parametrize("module", MODULES)
def test_files_are_short(module: str) -> None:
    assert len(MODULES[module].read_text(encoding="utf-8").splitlines()) <= MOST_LINES


def test_every_error_is_a_cocola_error() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    assert all(issubclass(kind, errors.CocolaError) for kind in kinds)
