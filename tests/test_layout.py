"""The house stays in shape: imports flow one way, every sub-package is shipped, starting up imports no torch."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from cocola_metric import errors
from cocola_metric.cli import score
from cocola_metric.encoder import model

ROOT = Path(__file__).parents[1]
CORE_ORDER = [  # a module may import those of lower ranks
    {"backbones", "checkpoints", "errors", "functional", "identity", "signature", "median"},
    {"audio", "frechet", "hub_errors"},
    {"clips", "damage", "embedding_cache", "fad_estimates", "fad_package", "features", "hub_client", "windows"},
    {"pitch_onset", "timbre"},
    {"model"},
    {"hub", "convert", "embedding", "model_card"},
    {"catalogue", "compare", "publish"},
    {"scorer"},
    {"embedders", "manifest", "metric", "plot", "program"},
    {"commands", "fad"},
    {"cli", "fad_behaviour", "fad_commands"},
    {"fad_cli"},
]
RANK = {name: rank for rank, names in enumerate(CORE_ORDER) for name in names}
SAME_RANK_ALLOWED = {("hub", "convert")}
ONLY_IN = {
    "timm": {"backbones"},
    "torchaudio": {"audio", "clips", "componet_audio", "features", "pitch_onset", "transforms"},
    "frechet_audio_distance": {"fad_package"},
    "torchmetrics": {"metric"},
    "huggingface_hub": {"hub_client", "hub_errors", "model_card", "publish"},
}


def imports(file: Path) -> set[str]:
    """Everything a file imports at any depth: "torch", or ".audio" for a sibling."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level:
            found |= {f".{node.module}"} if node.module else {f".{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module if node.module.startswith("cocola_metric") else node.module.partition(".")[0])
    return found


CORE_FILES = sorted(path for path in (ROOT / "cocola_metric").glob("*.py") if path.stem != "__init__")


@pytest.mark.parametrize("file", CORE_FILES, ids=lambda file: file.stem)
def test_core_imports_flow_one_way(file: Path) -> None:
    siblings = {name[1:] for name in imports(file) if name.startswith(".") and name != ".__version__"}
    wrong = {
        sibling
        for sibling in siblings
        if RANK[sibling] >= RANK[file.stem] and (file.stem, sibling) not in SAME_RANK_ALLOWED
    }
    assert not wrong
    assert not {name for name in imports(file) if name.startswith("cocola_metric.")}


@pytest.mark.parametrize(("package", "homes"), ONLY_IN.items())
def test_libraries_stay_where_they_belong(package: str, homes: set[str]) -> None:
    files = [*(ROOT / "cocola_metric").glob("*.py"), *(ROOT / "training").glob("*.py")]
    assert {file.stem for file in files if package in imports(file)} <= homes


def test_nothing_imports_the_benchmarks_but_themselves() -> None:
    for file in [*(ROOT / "cocola_metric").glob("*.py"), *(ROOT / "training").glob("*.py")]:
        assert not any("benchmarks" in name for name in imports(file)), file


def test_training_does_not_import_the_command_line() -> None:
    for file in (ROOT / "training").glob("*.py"):
        assert not imports(file) & {"training", "cocola_metric.cli.score", "cocola_metric.cli.score_commands"}, file


def test_every_package_is_shipped() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    folders = {
        (path.parent.relative_to(ROOT)).as_posix()
        for root in ("cocola_metric", "training", "benchmarks")
        for path in (ROOT / root).rglob("__init__.py")
    }
    assert set(settings["package-dir"].values()) == folders
    assert set(settings["packages"]) == set(settings["package-dir"])


@pytest.mark.parametrize(
    "code",
    ["import cocola_metric", "import cocola_metric.cli as c\ntry: c.main(['--help'])\nexcept SystemExit: pass"],
    ids=["import", "help"],
)
def test_starting_up_imports_no_torch(code: str) -> None:
    check = f"import sys\n{code}\nassert not {{'torch', 'numpy', 'timm', 'scipy'}} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True, stdout=subprocess.DEVNULL)


def test_the_command_line_knows_the_modes() -> None:
    assert score.MODES == model.MODES


def test_every_error_is_a_cocola_error() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    assert all(issubclass(kind, errors.CocolaError) for kind in kinds)
