"""Hooks of the documentation site: links that leave docs/ lead to the repository, and must lead somewhere."""

import re
from pathlib import Path
from typing import Any

REPOSITORY = "https://github.com/cocola-metric/cocola-metric"
ROOT = Path(__file__).parents[1]
_LINK = re.compile(r"(?P<text>!?\[[^\]]*\]\()(?P<path>[^)\s#:]+)(?P<anchor>#[^)\s]*)?\)")
_FENCE = re.compile(r"(^```.*?^```$)", re.DOTALL | re.MULTILINE)


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Return the text of a page with addresses of the repository in place of links that leave docs/."""
    folder = Path(page.file.abs_src_path).parent
    parts = _FENCE.split(markdown)
    return "".join(part if number % 2 else outward(part, folder) for number, part in enumerate(parts))


def outward(text: str, folder: Path) -> str:
    """Replace the links to files outside docs/ and to folders by addresses in the repository.

    Args:
        text: text in Markdown, without code.
        folder: folder of the page.
    """

    def replaced(link: re.Match[str]) -> str:
        target = (folder / link["path"]).resolve()
        inside = target.is_relative_to(ROOT / "docs") and target.suffix in (".md", ".png", ".json", ".jsonl", ".csv")
        if inside or not target.exists():  # what does not exist is left for the check of links to name
            return link[0]
        kind = "tree" if target.is_dir() else "blob"
        return f"{link['text']}{REPOSITORY}/{kind}/main/{target.relative_to(ROOT).as_posix()}{link['anchor'] or ''})"

    return _LINK.sub(replaced, text)
