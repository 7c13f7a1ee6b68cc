"""The targets of the Makefile: each is listed by `make help`, and whoever names one names one that exists."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
INNER = {"system"}
"""What others need and nobody asks for."""
TARGETS = {name for name in re.findall(r"^([a-z][a-z0-9-]*):(?!=)", MAKEFILE, re.MULTILINE)}
CALL = re.compile(r"(?:`|run: |^\s*(?:sh -c )?)make((?: [a-z][a-z0-9-]*(?![a-z0-9-]*=))+)", re.MULTILINE)
"""Of code and of workflows: `make` at the start of a line, of a step or of a piece between backticks."""


def variable(name: str) -> set[str]:
    """Return the words of a variable, its first assignment."""
    (words,) = re.findall(rf"^{name} := (.*)", MAKEFILE, re.MULTILINE)
    return set(words.split())


def workflow_files() -> list[Path]:
    return sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def steps(job: dict) -> str:
    return "\n".join(step.get("run", "") for step in job["steps"])


def test_every_target_is_phony_and_has_its_line_of_help() -> None:
    phony = re.findall(r"^\.PHONY:((?:.*\\\n)*.*)", MAKEFILE, re.MULTILINE)
    assert set(" ".join(phony).replace("\\", " ").split()) == TARGETS
    helped = re.findall(r"^([a-z0-9-]+):.*  ## \S", MAKEFILE, re.MULTILINE)
    assert len(helped) == len(set(helped)) and set(helped) == TARGETS - INNER


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_help_lists_them() -> None:
    command = ["make", "--no-print-directory", "help"]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert {line.split()[1] for line in printed.stdout.splitlines()} == TARGETS - INNER


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
@pytest.mark.parametrize("target", sorted(TARGETS - INNER))
def test_what_a_target_runs_can_be_read(target: str) -> None:
    """`make --dry-run` expands every variable and prerequisite; a rule that is missing is an error."""
    done = subprocess.run(["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for module in re.findall(r"-m (cocola_metric(?:\.\w+)?|tools\.\w+)", done.stdout):
        name = module.removeprefix("cocola_metric.").replace(".", "/")
        assert any((ROOT / place).exists() for place in (name, f"{name}.py", f"{name}/__main__.py")), module
    for file in re.findall(r"(?:docs|tests|tools|training|examples)/[\w/.-]+\.(?:toml|py|jsonl)", done.stdout):
        assert (ROOT / file).is_file(), file


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
@pytest.mark.parametrize("target", ["table1", "guidance", "guide-weights", "table3"])
def test_a_table_tried_in_small_leaves_the_documents_alone(target: str, tmp_path: Path) -> None:
    command = ["make", "--dry-run", target, f"PAGES={tmp_path}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    copies = re.findall(r"^cp .*", done.stdout, re.MULTILINE)
    assert copies and all(copy.split()[-1].startswith(str(tmp_path)) for copy in copies)


@pytest.mark.parametrize(
    "file",
    [*sorted(ROOT.glob("docs/**/*.md")), *sorted(ROOT.glob("*.md")), *workflow_files(), ROOT / ".ci" / "run"],
    ids=lambda file: str(file.relative_to(ROOT)),
)
def test_nobody_names_a_target_that_does_not_exist(file: Path) -> None:
    if file.exists():
        named = {target for call in CALL.findall(file.read_text("utf-8")) for target in call.split()}
        assert named <= TARGETS


def test_the_workflow_installs_what_the_makefile_does() -> None:
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "tests.yml").read_text("utf-8"))["jobs"]
    peers = re.search(r"pip install --no-deps (.*)", steps(jobs["test"]))
    assert peers and set(peers[1].split()) == variable("MSDM_PEER") | variable("COCOLA_PEER")
    installed = re.search(r"apt-get install -y -qq --no-install-recommends((?:.*\\\n)*.*)", steps(jobs["test"]))
    assert installed and set(installed[1].replace("\\", " ").split()) == variable("SYSTEM_PACKAGES") - {"chromium"}
    assert "make test-extras" in steps(jobs["extras"])
