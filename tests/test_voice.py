"""Docstrings speak with one voice: entries are noun phrases in lower case, and shapes have one form."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("benchmarks", "cocola_metric", "examples", "tools", "training")
"""Folders and files that keep to the rules."""
FILES = sorted(
    file
    for place in PACKAGES
    for file in ([ROOT / place] if place.endswith(".py") else (ROOT / place).rglob("*.py"))
    if "offline" not in file.parts
)
SECTIONS = ("Args", "Attributes", "Returns", "Yields", "Raises", "Shape")
NOUNS = ("Args", "Attributes", "Returns", "Yields")
PREPOSITIONS = (
    "about above after against along among around as at before behind below beside besides between beyond by during "
    "for from in inside into of off on onto out outside over per since than through to towards under until up upon via "
    "while with within without"
)
CONJUNCTIONS = "although and because but if or so though unless"
QUESTIONS = "how that what whatever when where whether which whichever who whoever whom whose why"
PRONOUNS = "it they there"
VERBS = "called given hear is kept made must needs not take used was will"
NO_NOUNS = set(" ".join((PREPOSITIONS, CONJUNCTIONS, QUESTIONS, PRONOUNS, VERBS)).split())
ENTRY = re.compile(r"(\*{0,2}\w+(?:, \*{0,2}\w+)*)(?: \([^)]*\))?:\s+(.*)", re.DOTALL)
SHAPE = re.compile(r"(?!\w+:)(.* )?-> .+\.")
PROPER = {"Fourier", "False", "Gaussian", "Hub", "Hz", "None", "Python", "True"}
"""Words that begin with a capital everywhere."""


def sections(docstring: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the sections of a docstring: their names and entries, each entry in one line."""
    name, entries, indent = "", [], 0
    for line in [*docstring.splitlines(), "End:"]:
        if not line.strip():
            continue
        depth = len(line) - len(line.lstrip())
        if depth == 0:
            if name:
                yield name, entries
            name, entries, indent = line[:-1] if line[:-1] in SECTIONS and line.endswith(":") else "", [], 0
        elif name:
            indent = indent or depth
            if depth > indent or (entries and name in ("Returns", "Yields", "Shape")):
                entries[-1] += " " + line.strip()
            else:
                entries.append(line.strip())


def places(file: Path) -> Iterator[tuple[str, str, list[str]]]:
    """Yield (place, section, entries) of every docstring of a file."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            place = f"{file.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}"
            for name, entries in sections(ast.get_docstring(node) or ""):
                yield place, name, entries


def complaints(file: Path) -> Iterator[str]:
    """Yield a line for every entry that breaks a rule."""
    for place, section, entries in places(file):
        for entry in entries:
            if section == "Shape":
                if not SHAPE.fullmatch(entry):
                    yield f"{place} Shape: write (B, L) -> (B, D). instead of {entry!r}"
                continue
            named = ENTRY.fullmatch(entry)
            text = named.group(2) if named else entry
            first = re.sub(r"\W.*", "", text, flags=re.DOTALL)
            if section in NOUNS and first.lower() in NO_NOUNS:
                yield f"{place} {section}: begin with a noun instead of {entry!r}"
            if named and re.fullmatch("A|[A-Z][a-z]+", first) and first not in PROPER:
                yield f"{place} {section}: begin in lower case instead of {entry!r}"


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_docstrings_speak_with_one_voice(file: Path) -> None:
    assert not list(complaints(file))
