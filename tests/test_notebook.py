"""The notebook runs from top to bottom, and says what it says in the repository."""

from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed; run pip install nbclient ipykernel")
nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed; run pip install nbclient ipykernel")
pytest.importorskip("ipykernel", reason="ipykernel is not installed; run pip install nbclient ipykernel")
pytest.importorskip("matplotlib", reason="matplotlib is not installed; run pip install 'cocola-metric[plot]'")

NOTEBOOK = Path(__file__).parents[1] / "examples" / "first_steps.ipynb"


def printed(notebook: "nbformat.NotebookNode") -> list[str]:
    """Return the texts that the cells print or end with; stderr is of the machine, such as a cache that is built."""
    found = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    outputs = [output for output in found if output.get("name") != "stderr"]
    return [output.get("text") or output.data["text/plain"] for output in outputs]


def test_the_notebook_runs_and_prints_what_is_in_it() -> None:
    before = sorted(NOTEBOOK.parent.iterdir())
    stored, run = (nbformat.read(NOTEBOOK, as_version=4) for _ in range(2))
    client = nbclient.NotebookClient(
        run, timeout=300, kernel_name="python3", resources={"metadata": {"path": NOTEBOOK.parent}}
    )
    client.execute()
    assert printed(run) == printed(stored)
    assert "16.83\n" in printed(run) and "3.71\n" in printed(run)
    pictures = [
        output for cell in run.cells for output in cell.get("outputs", []) if "image/png" in output.get("data", {})
    ]
    assert len(pictures) == 1
    assert nbformat.validate(stored) is None and all(cell.source for cell in stored.cells)
    assert sorted(NOTEBOOK.parent.iterdir()) == before
