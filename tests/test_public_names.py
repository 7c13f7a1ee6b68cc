"""Every name of this package that the documents use can be imported."""

import importlib
import re
from pathlib import Path

import pytest

import cocola_metric

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
IMPORT = re.compile(r"from (cocola_metric[\w.]*) import (\(.*?\)|[^\n`;#]+)", re.DOTALL)
DOTTED = re.compile(r"(?<![\w/.@-])cocola_metric(?:\.[A-Za-z_]\w*)+")
PROMISED = {
    "AudioError",
    "AudioWarning",
    "CheckpointError",
    "CocolaError",
    "CocolaMetric",
    "CocolaScorer",
    "FAD",
    "FadResult",
    "OutputError",
    "Ranked",
    "Reference",
    "SubFAD",
    "UsageError",
    "WindowScores",
}
"""Names that users of the metric import."""


def names(text: str) -> set[str]:
    """Return the dotted names of the package in a text."""
    found = {name for name in DOTTED.findall(text) if not name.endswith((".py", ".md"))}
    for module, imported in IMPORT.findall(text):
        found |= {f"{module}.{name.split(' as ')[0].strip()}" for name in imported.strip("()").split(",")}
    return {name.rstrip(".") for name in found}


def resolves(name: str) -> bool:
    """Tell whether a dotted name is a module, or an attribute of one."""
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        if not name.startswith(str(error.name)):
            return True  # a module that is there, and needs an extra
    else:
        return True
    module, _, attribute = name.rpartition(".")
    if not module:
        return False
    try:
        return hasattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError:
        return bool(module.rpartition(".")[0]) and resolves(module)


@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda file: file.name)
def test_names_in_documents_can_be_imported(file: Path) -> None:
    assert not [name for name in sorted(names(file.read_text(encoding="utf-8"))) if not resolves(name)]


def test_the_package_lists_what_documents_import_from_it() -> None:
    used = {
        name.split(".")[1]
        for file in DOCUMENTS
        for name in names(file.read_text(encoding="utf-8"))
        if name.count(".") == 1 and name.split(".")[1][:1].isupper()
    }
    assert used | PROMISED <= set(cocola_metric.__all__)
    assert all(hasattr(cocola_metric, name) for name in cocola_metric.__all__)


def test_names_that_are_not_there_are_found() -> None:
    found = names("`cocola_metric.Nothing` and from cocola_metric.audio import read_audio, nothing")
    assert [name for name in sorted(found) if not resolves(name)] == [
        "cocola_metric.Nothing",
        "cocola_metric.audio.nothing",
    ]
