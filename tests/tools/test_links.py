"""A reader outside can follow the documents: links lead somewhere, every page is reachable, no path of one machine."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOP = ("README.md", "CHANGELOG.md", "cocola_metric/weights/README.md", "examples/README.md")
PAGES = sorted([*map(ROOT.joinpath, TOP), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)


def links(page: Path) -> list[tuple[Path, str]]:
    """Return the files that a page links to, with the anchors."""
    found = [link for link in LINK.findall(FENCE.sub("", page.read_text("utf-8"))) if "://" not in link]
    pairs = [link.partition("#")[::2] for link in found]
    return [((page.parent / path).resolve() if path else page, anchor) for path, anchor in pairs]


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ +(.+)$", FENCE.sub("", page.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    assert [path for path, _ in links(page) if not path.exists()] == []
    assert [(path, anchor) for path, anchor in links(page) if anchor and anchor not in anchors(path)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_path_of_one_machine_is_in_a_page(page: Path) -> None:
    assert re.findall(r"\.\./shared\S*", page.read_text("utf-8")) == []


def test_every_page_is_reachable_from_the_readme() -> None:
    seen, ahead = set(), {ROOT / "README.md"}
    while ahead:
        page = ahead.pop()
        seen.add(page)
        ahead |= {path for path, _ in links(page) if path.suffix == ".md"} - seen
    assert set(PAGES) - seen == set()
