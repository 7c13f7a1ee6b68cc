"""Encoders by name: fetched from a server on 127.0.0.1 that stands for GitHub, resumed, converted once, kept."""

import dataclasses
import hashlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
import torch
from local_server import listening
from original_2026_names import original_state_2026

from cocola_metric import CocolaScorer, downloads
from cocola_metric.checkpoints import download, known, loading, original_2026
from cocola_metric.encoder.model import CocolaModel
from cocola_metric.errors import CheckpointError

PATH = "/gladia-research-group/phalar/raw/4a33399/ckpts/PHALAR_best.ckpt"


@dataclasses.dataclass
class Server:
    """What is served, and what was asked for."""

    content: bytes
    url: str = ""
    cuts: int = 0
    status: int = 200
    announced: int | None = None
    requests: list[tuple[str, str]] = dataclasses.field(default_factory=list)


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> bytes:
    torch.manual_seed(0)
    model = CocolaModel(original_2026._phalar_config())
    path = tmp_path_factory.mktemp("original") / "any.ckpt"
    torch.save({"state_dict": original_state_2026("phalar", model)}, path)
    return path.read_bytes()


@pytest.fixture
def server(file: bytes, tmp_path: Path, monkeypatch) -> Iterator[Server]:
    state = Server(file)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range", "")
            state.requests.append((self.path, wanted))
            first = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
            found = self.path == PATH and state.status == 200
            self.send_response((206 if wanted else 200) if found else (state.status if state.status != 200 else 404))
            body = state.content[first:] if found else b""
            self.send_header("Content-Length", str(state.announced or len(body)))
            self.end_headers()
            if state.cuts:
                state.cuts -= 1
                body = body[: len(body) // 2]
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(downloads, "RETRY_WAITS", (0.0, 0.0, 0.0))
    with listening(Handler) as state.url:
        monkeypatch.setenv(download.SERVER_VARIABLE, state.url)
        yield state


def test_the_table() -> None:
    for name, front_end in (("phalar", "cqt"), ("cocola_2026", "hps_reflect")):
        entry = known.CHECKPOINTS[name]
        assert entry.published is not None and entry.front_end == front_end
        assert (entry.published.commit, entry.published.licence) == ("4a33399", "MIT")
        assert "2605.03929" in entry.published.citation
    published = known.CHECKPOINTS["phalar"].published
    assert published is not None and download.file_url(published) == f"https://github.com{PATH}"


def test_a_name_is_fetched_and_converted_once(server: Server, tmp_path: Path, capsys) -> None:
    scorer = CocolaScorer.from_pretrained("phalar", device="cpu")
    assert [path for path, _ in server.requests] == [PATH]
    folder = tmp_path / "cache" / "cocola-metric" / "checkpoints" / "PHALAR_best-4a33399"
    assert {entry.name for entry in folder.iterdir()} >= {"converted"}
    assert not list(folder.rglob("*.ckpt")) and not list(folder.rglob("*.part"))
    sha256 = loading.file_sha256(folder / "converted" / loading.WEIGHTS_FILE)
    assert f"model:phalar|weights:{sha256[:8]}" in scorer.signature
    assert "PHALAR_best.ckpt" in capsys.readouterr().err  # the progress bar
    again = CocolaScorer.from_pretrained("phalar", device="cpu")
    assert again.signature == scorer.signature and len(server.requests) == 1


def test_what_is_kept_needs_no_network(server: Server, monkeypatch) -> None:
    loading.load("phalar")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert loading.load("phalar").model.config.front_end == "cqt"


def test_a_broken_connection_goes_on(server: Server) -> None:
    server.cuts = 2
    loading.load("phalar")
    ranges = [wanted for _, wanted in server.requests]
    assert ranges[0] == "" and len(ranges) == 3
    starts = [int(wanted.removeprefix("bytes=").removesuffix("-")) for wanted in ranges[1:]]
    assert 0 < starts[0] <= len(server.content) // 2 < starts[1] < len(server.content)


def test_a_later_attempt_goes_on(server: Server) -> None:
    server.cuts = 1 + len(downloads.RETRY_WAITS)
    with pytest.raises(CheckpointError, match=r"phalar: http://127.* cannot be fetched .*COCOLA_GITHUB to a mirror"):
        loading.load("phalar")
    loading.load("phalar")
    assert server.requests[-1][1].startswith("bytes=")


def test_offline(server: Server, monkeypatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(CheckpointError, match=r"phalar: not in the cache .* offline mode is on; unset HF_HUB_OFFLINE"):
        loading.load("phalar")
    assert server.requests == []


@pytest.mark.parametrize("status", [404, 500])
def test_a_server_that_refuses(server: Server, status: int) -> None:
    server.status = status
    with pytest.raises(CheckpointError, match=f"the server answers {status} .*; check the network and try again"):
        loading.load("phalar")


def test_no_server(server: Server, monkeypatch) -> None:
    monkeypatch.setenv(download.SERVER_VARIABLE, "http://127.0.0.1:9")
    with pytest.raises(CheckpointError, match=r"cannot be fetched \(Connection refused\); check the network"):
        loading.load("phalar")


def test_a_file_that_is_too_large(server: Server) -> None:
    server.announced = downloads.LARGEST_FILE + 1
    with pytest.raises(CheckpointError, match="has 536870913 bytes or more; the limit is 536870912"):
        loading.load("phalar")


def test_a_file_that_is_no_checkpoint(server: Server) -> None:
    good, server.content = server.content, b"<html>not a checkpoint</html>"
    with pytest.raises(CheckpointError, match="not a readable PyTorch checkpoint"):
        loading.load("phalar")
    server.content = good
    assert loading.load("phalar").name == "phalar"  # nothing of the wrong file was kept


def test_a_pinned_file(server: Server, monkeypatch) -> None:
    entry = known.CHECKPOINTS["phalar"]
    for sha256, fits in (
        (hashlib.sha256(b"other").hexdigest(), False),
        (hashlib.sha256(server.content).hexdigest(), True),
    ):
        pinned = dataclasses.replace(entry, published=dataclasses.replace(entry.published, sha256=sha256))
        monkeypatch.setitem(known.CHECKPOINTS, "phalar", pinned)
        if fits:
            assert loading.load("phalar").name == "phalar"
        else:
            with pytest.raises(CheckpointError, match=r"not the file that this version knows \(another SHA-256\)"):
                loading.load("phalar")


def test_a_name_has_no_revision() -> None:
    with pytest.raises(CheckpointError, match="revision is only for Hub repositories"):
        loading.load("phalar", revision="main")
