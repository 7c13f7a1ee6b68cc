"""The page of guidance shows what the commands printed."""

import re
from pathlib import Path

DOCS = Path(__file__).parents[3] / "docs"


def test_the_rows_of_the_page_are_those_that_were_printed() -> None:
    page = (DOCS / "guidance.md").read_text("utf-8").partition("## Results")[2]
    printed = [line for file in (DOCS / "guidance").glob("*.md") for line in file.read_text("utf-8").splitlines()]
    rows = [line for line in page.splitlines() if line.startswith("|")]
    own = [re.sub(r"^\| (MSDM|GMSDI|CompoNet), guided", "| guided", row) for row in rows]
    assert len(own) > 60 and set(own) <= set(printed)
