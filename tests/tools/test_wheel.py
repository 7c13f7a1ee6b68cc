"""The wheel, built and installed beside no checkout: small enough, and the first commands of the README work in it."""

import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ("pyproject.toml", "README.md", "LICENSE", "cocola_metric", "training", "benchmarks")  # as in the Dockerfile
MOST_BYTES = 13_000_000
README = (ROOT / "README.md").read_text("utf-8")


def run(*command: str | Path, **options: object) -> str:
    ended = subprocess.run([*map(str, command)], capture_output=True, text=True, **options)
    assert ended.returncode == 0, ended.stderr + ended.stdout
    return ended.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of a copy of the sources, since a build leaves files behind where it was made."""
    pytest.importorskip("build", reason="build is not installed; run pip install build")
    copy = tmp_path_factory.mktemp("sources")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, copy / name)
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", copy / "dist", copy)
    return next((copy / "dist").glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a new environment with the wheel; other packages are those of the tests."""
    folder = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", "--without-pip", folder)
    site = next(folder.glob("lib/python*/site-packages"))
    (site / "others.pth").write_text("\n".join(path for path in sys.path if path.endswith("site-packages")))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    for name, module, function in re.findall(r"^(cocola-\w+) = ([\w.]+):(\w+)$", scripts(site), re.MULTILINE):
        program = folder / "bin" / name
        code = f"import sys\nfrom {module} import {function}\nsys.exit({function}())\n"
        program.write_text(f"#!{folder}/bin/python\n{code}")
        program.chmod(0o755)
    return folder / "bin"


def scripts(site: Path) -> str:
    return next(site.glob("cocola_metric-*.dist-info")).joinpath("entry_points.txt").read_text()


def test_the_wheel_is_small(wheel: Path) -> None:
    assert wheel.stat().st_size < MOST_BYTES


def test_the_first_commands_of_the_readme_work_beside_no_checkout(installed: Path, tmp_path: Path) -> None:
    commands = re.findall(r"^(?:python -m cocola_metric examples|cocola-score -c .*)$", README, re.MULTILINE)[:2]
    path = {"PATH": f"{installed}:/usr/bin:/bin", "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    first, second = (run("sh", "-c", command, cwd=tmp_path, env=path) for command in commands)
    assert first.strip() == commands[1]
    assert json.loads(second)["score"] == 16.8258
    (code,) = re.findall(r"From Python:\n\n```python\n(.*?)```", README, re.DOTALL)
    lines = run(installed / "python", "-c", code, cwd=tmp_path, env=path).splitlines()
    assert f"{float(lines[0]):.2f}" == "16.83" and lines[1].startswith("COCOLA|model:")
    code = "import cocola_metric; print(cocola_metric.__file__)"
    assert Path(run(installed / "python", "-c", code, cwd=tmp_path).strip()).is_relative_to(installed.parent)


def test_configurations_are_found_by_name(installed: Path, tmp_path: Path) -> None:
    code = (
        "from pathlib import Path; from cocola_metric.training.runs.settings import read_settings; "
        "print(read_settings(Path('embedded'))['steps'], read_settings(Path('heads/wide'))['steps'])"
    )
    assert run(installed / "python", "-c", code, cwd=tmp_path).split() == ["20000", "350"]
