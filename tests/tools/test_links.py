"""A reader outside can follow the documents: links lead somewhere, every page is reachable, no path of one machine."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOP = ("README.md", "CHANGELOG.md", "cocola_metric/weights/README.md", "examples/README.md")
PAGES = sorted([*map(ROOT.joinpath, TOP), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")
REPOSITORY = re.compile(r"^https://github\.com/cocola-metric/cocola-metric/(?:blob|tree)/main/")
FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)


def links(page: Path) -> list[tuple[Path, str]]:
    """Return the files that a page links to, with the anchors; an address in the repository is that of a file."""
    found = [REPOSITORY.sub(f"{ROOT}/", link) for link in LINK.findall(FENCE.sub("", page.read_text("utf-8")))]
    pairs = [link.partition("#")[::2] for link in found if "://" not in link]
    return [((page.parent / path).resolve() if path else page, anchor) for path, anchor in pairs]


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ +(.+)$", FENCE.sub("", page.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    assert [path for path, _ in links(page) if not path.exists()] == []
    assert [(path, anchor) for path, anchor in links(page) if anchor and anchor not in anchors(path)] == []


def test_links_of_the_readme_work_on_pypi_too() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    assert [link for link in LINK.findall(text) if not link.startswith(("https://", "#"))] == []
    assert "blob/main/docs/tutorial.md" in text


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
