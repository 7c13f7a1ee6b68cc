"""Python of strangers is told apart by its hash, and not run where another hash was noted down."""

from pathlib import Path

import pytest

from cocola_metric.errors import CheckpointError
from cocola_metric.fad.foreign_code import code_sha256, pinned_code_sha256


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "code" / "inner").mkdir(parents=True)
    (tmp_path / "code" / "hubconf.py").write_text("x = 1\n")
    (tmp_path / "code" / "inner" / "net.py").write_text("y = 2\n")
    return tmp_path / "code"


def test_every_change_changes_the_hash(tree: Path) -> None:
    hashes = [code_sha256(tree)]
    (tree / "README").write_text("no Python")
    assert code_sha256(tree) == hashes[0]
    (tree / "hubconf.py").write_text("x = 3\n")
    hashes.append(code_sha256(tree))
    (tree / "inner" / "net.py").rename(tree / "inner" / "other.py")
    hashes.append(code_sha256(tree))
    (tree / "more.py").touch()
    hashes.append(code_sha256(tree))
    assert len(set(hashes)) == 4


def test_a_hash_that_is_noted_down_is_met(tree: Path) -> None:
    pin = tree.with_name("code.sha256")
    found = pinned_code_sha256(tree)
    assert pin.read_text().split() == [found, "code"]  # noted at the first use
    assert pinned_code_sha256(tree) == found
    (tree / "hubconf.py").write_text("import os\n")
    with pytest.raises(CheckpointError, match=r"not the one in code\.sha256"):
        pinned_code_sha256(tree)
    for content in (b"", b"\xff\xfe"):
        pin.write_bytes(content)
        with pytest.raises(CheckpointError):
            pinned_code_sha256(tree)


def test_no_code_has_no_hash(tmp_path: Path) -> None:
    assert pinned_code_sha256(tmp_path / "missing") == ""
