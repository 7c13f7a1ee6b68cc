"""One version everywhere: in the code, where it is installed, and in the citation."""

from importlib.metadata import version
from pathlib import Path

from cocola_metric import __version__


def test_one_version() -> None:
    assert __version__ == version("cocola-metric")
    assert f"\nversion: {__version__}\n" in (Path(__file__).parents[1] / "CITATION.cff").read_text(encoding="utf-8")
