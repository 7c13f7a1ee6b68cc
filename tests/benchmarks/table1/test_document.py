"""The page of Table 1 shows what the command printed."""

from pathlib import Path

from cocola_metric.benchmarks.queries import read_queries, task_of_manifest
from cocola_metric.benchmarks.queries.sides import SIDES

DOCS = Path(__file__).parents[3] / "docs"


def test_the_rows_of_the_page_are_those_that_were_printed() -> None:
    page, printed = ((DOCS / name).read_text("utf-8") for name in ("table1.md", "table1/table1.md"))
    rows = [line for line in page.partition("## Results")[2].splitlines() if line.startswith("|")]
    assert len(rows) > 10 and set(rows) <= set(printed.splitlines())


def test_a_manifest_of_each_task_lies_beside_it() -> None:
    for task in SIDES:
        queries = read_queries(DOCS / "table1" / f"{task.name}.jsonl")
        assert task_of_manifest(queries) is task and len(queries) == 24
