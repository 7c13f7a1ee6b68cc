"""The counts of rooms and arrows that docs/contributing.md gives."""

import re
from pathlib import Path

import pytest

from tools import import_graph


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Two rooms and a file in the core, one room in training that imports two of them."""
    files = {
        "cocola_metric/__init__.py": "from . import errors",
        "cocola_metric/errors.py": "",
        "cocola_metric/audio/__init__.py": "",
        "cocola_metric/audio/inputs.py": "from ..errors import AudioError\nfrom .clips import read_clip",
        "cocola_metric/audio/clips.py": "",
        "cocola_metric/scoring/__init__.py": "",
        "cocola_metric/scoring/pairs.py": "def score():\n    from ..audio import inputs\nimport cocola_metric.errors",
        "training/__init__.py": "",
        "training/__main__.py": "from cocola_metric.scoring import pairs",
        "training/runs/__init__.py": "",
        "training/runs/loop.py": "from ...scoring import pairs\nfrom ...errors import AudioError\nimport torch",
        "training/offline/compact.py": "from cocola_metric.audio import inputs",
        "benchmarks/__init__.py": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_rooms_arrows_and_the_longest_chain_are_counted(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import_graph.main([str(checkout), "--arrows"])
    assert capsys.readouterr().out.splitlines() == [
        "cocola_metric: 6 files in 3 rooms, 3 arrows, longest chain 3: scoring > audio > errors",
        "training: 2 files in 1 rooms, 0 arrows, longest chain 1: training/runs",
        "benchmarks: 0 files in 0 rooms, 0 arrows, longest chain 0: ",
        "between the packages: 2 arrows",
        "audio -> errors",
        "errors -> nothing",
        "scoring -> audio, errors",
        "training/runs -> errors, scoring",
    ]


def test_a_circle_is_an_error() -> None:
    with pytest.raises(ValueError, match="circle"):
        import_graph.longest_chain({"audio": {"scoring"}, "scoring": {"audio"}})


def test_the_documents_give_the_counts() -> None:
    """All but that of files. Where this fails: python -m tools.import_graph --write docs/contributing.md."""
    root = Path(__file__).parents[2]
    files = import_graph.find_files(root)
    arrows = import_graph.draw_arrows(files)
    counts = {package: import_graph.count_within(package, arrows, files) for package in import_graph.PACKAGES}
    text = (root / "docs" / "contributing.md").read_text("utf-8")
    found = import_graph.fill_table(text, counts, import_graph.count_between(arrows))
    assert re.sub(r"now \| \d+", "now", found) == re.sub(r"now \| \d+", "now", text)
    assert import_graph.fill_table(text, counts, 7).count("| now | | | 7 | |") == 1
