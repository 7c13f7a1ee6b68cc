"""A Hub that sends too much, too slowly or something else: one CheckpointError, soon, and little left on the disk."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from cocola_metric.checkpoints.loading import CONFIG_FILE, EMBEDDED_FOLDER, WEIGHTS_FILE

COMMIT = "0123456789" * 4
ANNOUNCED = 300
CONFIG = (EMBEDDED_FOLDER / CONFIG_FILE).read_bytes()
BLOCK = b" " * 2**20
USER = """
import json, sys
from cocola_metric.checkpoints import hub_client, load
from cocola_metric.errors import CheckpointError
hub_client.METADATA_SECONDS = 3.0
hub_client.HUB_RETRY_WAITS = (0.0,)
for name in sys.argv[1:]:
    try:
        load(name)
        answer = "loaded"
    except CheckpointError as error:
        answer = str(error)
    print(json.dumps([name, answer]), flush=True)
"""


class Hub(BaseHTTPRequestHandler):
    """Answers by the name of the repository: "evil/FILE-WHAT"."""

    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        _, owner, name, *rest = self.path.replace("/api/models", "").split("?")[0].split("/")
        assert owner == "evil"
        part, _, what = name.partition("-")
        file = rest[-1] if rest[0] == "resolve" else "list"
        hostile = what if file.startswith(part) else ""
        if hostile in ("endless", "drip") and self.command == "GET":
            self.send_response(200)
            self.send_header("Connection", "close")
            self.end_headers()
            self._pour(hostile)
            return
        self._answer(file, hostile)

    def _answer(self, file: str, what: str) -> None:
        body = {
            "list": json.dumps({"id": "x/y", "sha": COMMIT, "siblings": self._files(what), "tags": []}).encode(),
            CONFIG_FILE: CONFIG,
        }.get(file, b"\0" * ANNOUNCED)
        body = {"html": b"<html>Sign in</html>", "nested": b"[" * 100_000, "text": b"hello"}.get(what, body)
        size = 2**35 if what == "huge" else len(body)
        self.send_response(404 if what == "gone" else 500 if what == "broken" else 200)
        self.send_header("Content-Length", str(size))
        self.send_header("X-Repo-Commit", "../../../../tmp" if what == "commit" else COMMIT)
        self.send_header("ETag", '"../../../evil"' if what == "etag" else f'"{abs(hash(self.path)):040x}"')
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def _files(self, what: str) -> list[dict[str, str]]:
        if what == "paths":
            return [{"rfilename": "../../../../evil.ckpt"}]
        return [{"rfilename": CONFIG_FILE}, {"rfilename": WEIGHTS_FILE}]

    def _pour(self, what: str) -> None:
        try:
            while not self.server.stopped.wait(0.2 if what == "drip" else 0):
                self.wfile.write(b" " if what == "drip" else BLOCK)
                self.wfile.flush()
        except OSError:
            self.close_connection = True

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.daemon_threads = True
    server.stopped = threading.Event()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.stopped.set()
    server.shutdown()


NAMES = [
    *("config-endless", "config-huge", "config-drip", "config-html", "config-nested", "config-gone", "config-broken"),
    *("model-endless", "model-huge", "model-text", "model-gone"),
    *("list-drip", "list-html", "list-nested", "list-paths", "list-broken"),
    *("config-etag", "config-commit"),
]


def test_whatever_a_hub_sends(url: str, tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
    environment = kept | {
        "HF_ENDPOINT": url,
        "HF_HOME": str(tmp_path / "outer" / "home"),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "NO_PROXY": "127.0.0.1",
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-c", USER, *(f"evil/{name}" for name in NAMES)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    answers = dict(json.loads(line) for line in done.stdout.splitlines())
    assert list(answers) == [f"evil/{name}" for name in NAMES], done.stderr[-2000:]
    assert "loaded" not in answers.values()
    for name, answer in answers.items():
        assert name in answer or "config.json" in answer or "model.safetensors" in answer, (name, answer)
        assert len(answer) < 1500
    assert "the limit is 1048576" in answers["evil/config-huge"]
    assert "the limit is 8589934592" in answers["evil/model-huge"]
    for name in ("config-drip", "list-drip"):
        assert "has not arrived within 3 s" in answers[f"evil/{name}"]
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) < 50_000_000
    assert all(file.is_relative_to(tmp_path / "outer" / "home") for file in files)
