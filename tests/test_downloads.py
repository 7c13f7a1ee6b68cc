"""One downloader: whole files, resumed, of a known hash, within a size and a time."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from file_server import FileServer, serving

from cocola_metric.downloads import fetch_file
from cocola_metric.errors import DownloadError

CONTENT = bytes(range(256)) * 2_000


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    monkeypatch.setattr("cocola_metric.downloads.RETRY_WAITS", (0.0, 0.0))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serving({"/file": CONTENT}) as started:
        yield started


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()}


def test_a_file_arrives_whole_in_a_folder_that_is_made(server: FileServer, tmp_path: Path) -> None:
    target = tmp_path / "new" / "file"
    fetch_file(f"{server.url}/file", target, sha256=hashlib.sha256(CONTENT).hexdigest())
    assert target.read_bytes() == CONTENT and files(tmp_path) == {"file"}


def test_a_later_call_goes_on_where_the_first_gave_up(server: FileServer, tmp_path: Path) -> None:
    server.cuts = [1_000, 2_000, 3_000]
    with pytest.raises(DownloadError, match=r"/file cannot be fetched \(.*bytes.*\)") as caught:
        fetch_file(f"{server.url}/file", tmp_path / "file")
    assert caught.value.status is None and files(tmp_path) == {".file.part"}
    fetch_file(f"{server.url}/file", tmp_path / "file")
    assert server.requests[-1] == "/file bytes=6000-"
    assert (tmp_path / "file").read_bytes() == CONTENT and files(tmp_path) == {"file"}


def test_another_hash_leaves_nothing(server: FileServer, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="not the file that this version knows"):
        fetch_file(f"{server.url}/file", tmp_path / "file", sha256="0" * 64)
    assert not files(tmp_path)


@pytest.mark.parametrize("announced", [True, False])
def test_a_file_that_is_too_large_is_stopped_and_not_kept(server: FileServer, tmp_path: Path, announced: bool) -> None:
    server.announces_length = announced
    with pytest.raises(DownloadError, match=r"/file has \d+ bytes or more; the limit is 300000"):
        fetch_file(f"{server.url}/file", tmp_path / "file", most_bytes=300_000)
    assert not files(tmp_path) and len(server.requests) == 1


def test_a_server_that_drips_is_given_up_at_the_deadline(server: FileServer, tmp_path: Path) -> None:
    server.pause = 0.02  # 10,000 seconds for all of it
    with pytest.raises(DownloadError, match=r"/file took longer than its limit of time; \d+ bytes have arrived"):
        fetch_file(f"{server.url}/file", tmp_path / "file", seconds=0.3)
    assert files(tmp_path) == {".file.part"}


@pytest.mark.parametrize(("status", "asked"), [(404, 1), (403, 1), (503, 3)])
def test_what_the_server_answers_is_said(server: FileServer, tmp_path: Path, status: int, asked: int) -> None:
    server.statuses = [status] * 3
    with pytest.raises(DownloadError, match=f"/file: the server answers {status} ") as caught:
        fetch_file(f"{server.url}/file", tmp_path / "file")
    assert caught.value.status == status and len(server.requests) == asked


def test_a_folder_that_cannot_be_written(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(FileExistsError):
        fetch_file(f"{server.url}/file", tmp_path / "taken" / "file")
    assert not server.requests
