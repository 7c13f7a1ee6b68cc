"""A file that was changed has another hash, however well it hides that."""

import hashlib
import os
from pathlib import Path

import pytest

from cocola_metric import identity
from cocola_metric.identity import file_marks, file_sha256


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that are read, one entry each time."""
    found: list[Path] = []
    real = identity._content_sha256
    monkeypatch.setattr(identity, "_content_sha256", lambda path: found.append(path) or real(path))
    return found


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take files for old that have just been written."""
    monkeypatch.setattr(identity, "_SETTLED_NANOSECONDS", -(10**18))


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_a_file_that_has_not_changed_is_read_once(tmp_path: Path, reads: list[Path], settled: None) -> None:
    (tmp_path / "a").write_text("x")
    assert [file_sha256(tmp_path / "a") for _ in range(3)] == [sha256("x")] * 3
    assert len(reads) == 1


@pytest.mark.skipif(os.name != "posix", reason="the time of the inode")
def test_an_overwrite_that_keeps_size_and_time_is_seen(tmp_path: Path, settled: None) -> None:
    file = tmp_path / "a"
    file.write_text("one")
    before = file.stat()
    assert file_sha256(file) == sha256("one")
    marks = file_marks(file)
    while file_marks(file) == marks:  # until the clock of the file system ticks
        with file.open("r+") as opened:
            opened.write("two")
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert file_sha256(file) == sha256("two")


def test_a_young_file_is_read_every_time(tmp_path: Path, reads: list[Path]) -> None:
    (tmp_path / "a").write_text("x")
    assert file_sha256(tmp_path / "a") == file_sha256(tmp_path / "a")
    assert len(reads) == 2


def test_the_times_can_be_distrusted(
    tmp_path: Path, reads: list[Path], settled: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COCOLA_HASH_AGAIN", "1")
    (tmp_path / "a").write_text("x")
    assert file_sha256(tmp_path / "a") == file_sha256(tmp_path / "a")
    assert len(reads) == 2
