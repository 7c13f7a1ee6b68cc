"""What the documents say that code prints is what it prints; every example in a docstring is run."""

import contextlib
import doctest
import importlib
import io
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from cocola_metric.cli import score

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```python\n(?P<code>.*?)^```\n(?:\nprints (?P<said>[^\n]*))?", re.DOTALL | re.MULTILINE)
NOT_RUN = {
    "docs/componet.md": "AudioLDM2 has to be downloaded",
    "docs/checkpoints.md": "runs/mine and repositories of the Hub stand for the reader's own",
    "docs/fad.md": "VGGish needs the extra [fad]; SubFAD is in tests/fad",
    "README.md": "tests/tools/test_wheel.py runs it from the wheel",
}
PACKAGES = {
    "cocola_metric": "cocola_metric",
    "cocola_metric.training": "training",
    "cocola_metric.benchmarks": "benchmarks",
}


def blocks() -> Iterator[tuple[str, str, str]]:
    """Yield (page, code, what the page says that it prints) of every block of Python."""
    for page in PAGES:
        for block in BLOCK.finditer(page.read_text("utf-8")):
            yield page.relative_to(ROOT).as_posix(), block["code"], block["said"] or ""


RUN = [block for block in blocks() if block[0] not in NOT_RUN]


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """A folder with the example songs, where the commands of the tutorial have been run."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns("*.py", "*.ipynb"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("page", "code", "said"), RUN, ids=[f"{page}:{i}" for i, (page, *_) in enumerate(RUN)])
@pytest.mark.filterwarnings("ignore")
def test_a_block_prints_what_the_page_says(page: str, code: str, said: str, checkout: Path) -> None:
    if page == "docs/tutorial.md":
        for name in ("fitting", "swapped"):
            pairs = "examples/pairs.csv" if name == "fitting" else "examples/swapped.csv"
            with contextlib.redirect_stdout(io.StringIO()):
                assert score.main(["--pairs", pairs, "--out", f"{name}.csv"]) == 0
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, page, "exec"), {"__name__": "__main__"})
    words = " ".join(printed.getvalue().split())
    quoted = re.match(r"`([^`]+)`", said)
    expected = quoted[1] if quoted else " ".join(re.findall(r"-?\d+\.\d+", said))
    assert words == expected if expected else words


def test_every_page_with_code_is_run_or_says_why_not() -> None:
    pages = {page for page, *_ in blocks()}
    assert set(NOT_RUN) <= pages
    assert {page for page, *_ in RUN} >= {"docs/metric.md", "docs/tutorial.md", "docs/howto/score.md"}


def modules() -> list[str]:
    """Return the modules that have examples in their docstrings."""
    found = []
    for package, folder in PACKAGES.items():
        for file in sorted((ROOT / folder).rglob("*.py")):
            if "offline" not in file.parts and re.search(r"^\s*>>> ", file.read_text("utf-8"), re.MULTILINE):
                parts = file.relative_to(ROOT / folder).with_suffix("").parts
                found.append(".".join((package, *(part for part in parts if part != "__init__"))))
    return found


@pytest.mark.parametrize("module", modules())
def test_examples_in_docstrings(module: str) -> None:
    import torch

    outcome = doctest.testmod(importlib.import_module(module), extraglobs={"torch": torch})
    assert outcome.failed == 0 and outcome.attempted > 0
