"""A file is written whole or not at all, and what was there is not harmed."""

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from cocola_metric.errors import CocolaError, OutputError
from cocola_metric.whole_files import write_bytes_whole, write_text_whole, written_whole

needs_posix = pytest.mark.skipif(os.name != "posix", reason="modes, links and owners as POSIX has them")
needs_a_user = pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
needs_root = pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root gives files away")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_text_is_utf_8_with_its_own_line_ends(tmp_path: Path) -> None:
    write_text_whole(tmp_path / "a.csv", "Größe\r\n1\n")
    assert (tmp_path / "a.csv").read_bytes() == b"Gr\xc3\xb6\xc3\x9fe\r\n1\n"


def test_a_block_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "a.bin"
    write_bytes_whole(file, b"old")
    for error in (ValueError, KeyboardInterrupt):
        with pytest.raises(error), written_whole(file) as temporary:
            temporary.write_bytes(b"half")
            raise error
    assert file.read_bytes() == b"old"
    assert names(tmp_path) == ["a.bin"]


def test_the_file_appears_only_at_the_end(tmp_path: Path) -> None:
    with written_whole(tmp_path / "a.bin") as temporary:
        temporary.write_bytes(b"new")
        assert not (tmp_path / "a.bin").exists()
        assert temporary.parent == tmp_path
        assert temporary.name.startswith(".a.bin-")
        assert temporary.suffix == ".partial"
    assert names(tmp_path) == ["a.bin"]


def test_a_writer_may_replace_the_temporary_file_by_one_of_its_own(tmp_path: Path) -> None:
    write_bytes_whole(tmp_path / "a.bin", b"old")
    (tmp_path / "a.bin").chmod(0o640)
    with written_whole(tmp_path / "a.bin") as temporary:
        (tmp_path / "b").write_bytes(b"new")
        (tmp_path / "b").replace(temporary)
    assert (tmp_path / "a.bin").read_bytes() == b"new"
    assert mode(tmp_path / "a.bin") == 0o640


@needs_posix
@pytest.mark.parametrize(("umask", "expected"), [("022", 0o644), ("077", 0o600), ("002", 0o664)])
def test_a_new_file_follows_the_umask(tmp_path: Path, umask: str, expected: int) -> None:
    code = "from cocola_metric.whole_files import *; write_text_whole('a', 'x')"
    subprocess.run(["sh", "-c", f'umask {umask}; exec "$0" -c "{code}"', sys.executable], check=True, cwd=tmp_path)
    assert mode(tmp_path / "a") == expected


@needs_posix
def test_a_replaced_file_keeps_its_mode_and_is_private_meanwhile(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.touch(0o600)
    file.chmod(0o640)
    with written_whole(file) as temporary:
        assert mode(temporary) == 0o600
    assert mode(file) == 0o640


@needs_posix
def test_a_link_is_followed_and_stays(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "scores.csv"
    link.symlink_to(Path("elsewhere") / "real.csv")
    for text in ("first", "second"):  # the first makes the target
        write_text_whole(link, text)
        assert link.is_symlink()
        assert (tmp_path / "elsewhere" / "real.csv").read_text() == text
    assert names(tmp_path) == ["elsewhere", "scores.csv"]


@needs_posix
def test_no_planted_name_is_written_through(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("untouched")
    (tmp_path / ".a.csv.partial").symlink_to(tmp_path / "victim")
    write_text_whole(tmp_path / "a.csv", "x")
    assert (tmp_path / "victim").read_text() == "untouched"


@needs_root
def test_a_replaced_file_keeps_its_owner(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.touch()
    os.chown(file, 12345, 12346)
    write_text_whole(file, "x")
    assert (file.stat().st_uid, file.stat().st_gid) == (12345, 12346)


def test_the_longest_name_can_be_written(tmp_path: Path) -> None:
    name = "é" * 127
    write_text_whole(tmp_path / name, "x")
    assert names(tmp_path) == [name]


def test_what_cannot_be_written_is_one_error_of_ours_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    for name, problem in {
        "missing/a": "its folder does not exist",
        "file/a": "a file and not a folder",
        "folder": "it is a folder",
        "x" * 300: "File name too long",
    }.items():
        with pytest.raises(OutputError, match=problem), written_whole(tmp_path / name):
            pytest.fail("the block ran")
    assert issubclass(OutputError, CocolaError)
    assert names(tmp_path) == ["file", "folder"]


@needs_posix
def test_pipes_and_circles_of_links_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "circle").symlink_to("circle")
    for name, problem in {"pipe": "a device or a pipe", "circle": "in a circle"}.items():
        with pytest.raises(OutputError, match=problem):
            write_text_whole(tmp_path / name, "x")


@needs_a_user
def test_a_write_protected_file_is_not_replaced(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.touch(0o444)
    with pytest.raises(OutputError, match="write-protected"):
        write_text_whole(file, "x")


def test_a_full_disk_says_so_and_an_error_at_another_file_stays_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="free some space") as raised, written_whole(tmp_path / "a"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert raised.value.errno == errno.ENOSPC
    with pytest.raises(FileNotFoundError), written_whole(tmp_path / "a"):
        (tmp_path / "input").read_bytes()
    assert names(tmp_path) == []
