"""The page of guidance shows what the command printed."""

import re
from pathlib import Path

DOCS = Path(__file__).parents[3] / "docs"


def test_the_rows_of_the_page_are_those_that_were_printed() -> None:
    page, printed = ((DOCS / name).read_text("utf-8") for name in ("guidance.md", "guidance/guidance.md"))
    rows = [line for line in page.partition("## Results")[2].splitlines() if line.startswith("|")]
    own = [re.sub(r"^\| (MSDM|GMSDI|CompoNet), guided", "| guided", row) for row in rows]
    assert len(own) > 40 and set(own) <= set(printed.splitlines())
