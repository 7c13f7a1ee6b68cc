"""The counts of rooms and arrows that docs/contributing.md gives."""

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
