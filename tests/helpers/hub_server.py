"""A stand-in for the Hugging Face Hub on 127.0.0.1: repositories, commits, large files, uploads, and ordered faults."""

import base64
import hashlib
import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

LARGE = (".safetensors", ".ckpt")  # kept by their SHA-256 and served through a redirect, as Git LFS files are
TOKEN = "hf_a_token_that_may_read_and_write"
Files = dict[str, bytes]


@dataclass
class Repository:
    """Commits by their hash, and what each branch or tag points to."""

    private: bool = False
    commits: dict[str, Files] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)

    def commit(self, files: Files, ref: str = "main") -> str:
        content = ref + json.dumps({path: hashlib.sha256(data).hexdigest() for path, data in files.items()})
        sha = hashlib.sha1(f"{len(self.commits)} {content}".encode()).hexdigest()
        self.commits[sha] = dict(files)
        self.refs[ref] = sha
        return sha

    def at(self, revision: str) -> tuple[str, Files] | None:
        sha = self.refs.get(revision, revision)
        return (sha, self.commits[sha]) if sha in self.commits else None


@dataclass
class Fault:
    """What happens to the next requests whose "METHOD /path" matches.

    Attributes:
        pattern: searched for.
        times: how many requests it hits.
        status: answer with this instead.
        headers: of that answer.
        cut: bytes of the body after which the connection breaks.
        body: what is sent instead of the real body, under the real headers.
        before: called first.
    """

    pattern: str
    times: int = 1
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    body: bytes | None = None
    before: Callable[[], None] | None = None


class HubServer:
    """The server, and everything it was asked."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.large: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.ranges: list[str] = []
        self.tokens: list[str | None] = []
        self.faults: list[Fault] = []
        self.changed = threading.Condition()
        self._ports = [0, 0]
        self._start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._ports[0]}"

    @property
    def storage(self) -> str:
        """Where large files lie: another host in the eyes of HTTP, which tokens must not reach."""
        return f"http://127.0.0.1:{self._ports[1]}"

    def add(self, repo_id: str, files: Files, *, private: bool = False) -> str:
        """Make a repository and return its first commit."""
        self.repositories[repo_id] = Repository(private)
        return self.repositories[repo_id].commit(files)

    def fail(self, pattern: str, **fault: object) -> None:
        self.faults.append(Fault(pattern, **fault))

    @contextmanager
    def recorded(self) -> Iterator[list[str]]:
        """Collect the requests that are made inside; faults that are left at the end are forgotten."""
        self.requests, self.ranges, self.tokens = [], [], []
        yield self.requests
        self.faults.clear()

    @contextmanager
    def down(self) -> Iterator[None]:
        """Refuse connections inside, as if the network were gone."""
        self.close()
        yield
        self._start()

    def wait_for(self, condition: Callable[[], bool]) -> None:
        with self.changed:
            self.changed.wait_for(condition, timeout=20)

    def close(self) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()
            for connection in list(server.connections):
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def _start(self) -> None:
        handler = type("Handler", (_Handler,), {"hub": self})
        self._servers = [_TcpServer(("127.0.0.1", port), handler) for port in self._ports]
        self._ports = [server.server_address[1] for server in self._servers]
        for server in self._servers:
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()


class _TcpServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, *arguments: object) -> None:
        self.connections: set[socket.socket] = set()
        super().__init__(*arguments)

    def process_request(self, request: socket.socket, client_address: object) -> None:
        self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: socket.socket) -> None:
        self.connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: connections that break are what is being tested."""


class _Answer(Exception):
    """Ends a request with a status, JSON and headers."""

    def __init__(self, status: int, content: object = None, **headers: str) -> None:
        self.status, self.content = status, content
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


class _Handler(BaseHTTPRequestHandler):
    hub: HubServer
    protocol_version = "HTTP/1.1"

    def handle_one_request(self) -> None:
        self.fault: Fault | None = None
        super().handle_one_request()

    def do_HEAD(self) -> None:
        self._serve()

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def log_message(self, *_: object) -> None: ...

    def _serve(self) -> None:
        self.body = self._read_body()
        path = unquote(urlsplit(self.path).path)
        line = f"{self.command} {path}"
        hub = self.hub
        with hub.changed:
            hub.requests.append(line)
            hub.ranges += [self.headers["Range"]] if "Range" in self.headers else []
            hub.tokens.append(self.headers.get("Authorization"))
            self.fault = next((fault for fault in hub.faults if fault.times and re.search(fault.pattern, line)), None)
            if self.fault:
                self.fault.times -= 1
            hub.changed.notify_all()
        if self.fault and self.fault.before:
            self.fault.before()
        try:
            if self.fault and self.fault.status:
                raise _Answer(self.fault.status, {"error": "as ordered"}, **self.fault.headers)
            for pattern, method in _ROUTES:
                match = re.fullmatch(pattern, line)
                if match:
                    return method(self, *match.groups())
            raise _Answer(404, {"error": f"the stand-in has no {line}"})
        except _Answer as answer:
            self._send(answer.status, json.dumps(answer.content).encode(), answer.headers)

    def _read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if self.fault and self.fault.body is not None:
            body = self.fault.body
        if self.fault and self.fault.cut is not None:
            self.wfile.write(body[: self.fault.cut])
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        self.wfile.write(body)

    def _repository(self, repo_id: str) -> Repository:
        self._check_token()
        repository = self.hub.repositories.get(repo_id)
        known = "Authorization" in self.headers
        if repository is None or (repository.private and not known):
            status = 404 if known else 401  # without a token the Hub does not even say whether it exists
            raise _Answer(status, {"error": "x"}, X_Error_Code="RepoNotFound", X_Error_Message="Repository not found")
        return repository

    def _check_token(self, *, required: bool = False) -> None:
        given = self.headers.get("Authorization")
        if given not in (None, f"Bearer {TOKEN}"):
            message = "Invalid credentials in Authorization header"
            raise _Answer(401, {"error": message}, X_Error_Message=message)
        if required and given is None:
            raise _Answer(401, {"error": "Invalid username or password."})

    def _files(self, repo_id: str, revision: str) -> tuple[str, Files]:
        found = self._repository(repo_id).at(revision)
        if found is None:
            raise _Answer(404, {"error": "x"}, X_Error_Code="RevisionNotFound", X_Error_Message="Invalid rev id")
        return found

    def resolve(self, repo_id: str, revision: str, path: str) -> None:
        sha, files = self._files(repo_id, revision)
        headers = {"X-Repo-Commit": sha}
        if path not in files:
            raise _Answer(404, {"error": "x"}, X_Error_Code="EntryNotFound", X_Error_Message="Entry not found")
        data = files[path]
        if path.endswith(LARGE):
            digest = hashlib.sha256(data).hexdigest()
            self.hub.large[digest] = data
            headers |= {"X-Linked-Etag": f'"{digest}"', "X-Linked-Size": str(len(data))}
            headers |= {"Location": f"{self.hub.storage}/cdn/{digest}"}
            self._send(302, b"", headers)
        else:
            blob = hashlib.sha1(f"blob {len(data)}\0".encode() + data).hexdigest()
            self._send(200, data, headers | {"ETag": f'"{blob}"'})

    def cdn(self, digest: str) -> None:
        data = self.hub.large[digest]
        begin = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if begin:
            rest = data[int(begin[1]) :]
            self._send(206, rest, {"Content-Range": f"bytes {begin[1]}-{len(data) - 1}/{len(data)}"})
        else:
            self._send(200, data, {"Accept-Ranges": "bytes", "ETag": f'"{digest}"'})

    def info(self, repo_id: str, revision: str = "main") -> None:
        sha, files = self._files(repo_id, revision)
        siblings = [{"rfilename": path} for path in files]
        raise _Answer(200, {"id": repo_id, "sha": sha, "siblings": siblings, "tags": [], "private": False})

    def create(self) -> None:
        self._check_token(required=True)
        wanted = json.loads(self.body)
        repo_id = f"{wanted['organization']}/{wanted['name']}"
        if repo_id in self.hub.repositories:
            raise _Answer(409, {"error": "You already created this model repo", "url": f"{self.hub.url}/{repo_id}"})
        private = wanted.get("visibility", "") == "private" or bool(wanted.get("private"))
        self.hub.add(repo_id, {".gitattributes": b"*.safetensors filter=lfs\n"}, private=private)
        raise _Answer(200, {"url": f"{self.hub.url}/{repo_id}"})

    def branch(self, repo_id: str, name: str) -> None:
        self._check_token(required=True)
        refs = self._repository(repo_id).refs
        if name in refs:
            raise _Answer(409, {"error": "Reference already exists"})
        refs[name] = refs["main"]
        raise _Answer(200, {})

    def validate_card(self) -> None:
        content = json.loads(self.body)["content"]
        if not content.startswith("---\n"):
            raise _Answer(400, {"errors": [{"message": "no metadata"}], "warnings": []})
        raise _Answer(200, {"errors": [], "warnings": []})

    def preupload(self, repo_id: str, revision: str) -> None:
        self._check_token(required=True)
        self._files(repo_id, revision)
        modes = [
            {"path": name, "uploadMode": "lfs" if name.endswith(LARGE) else "regular", "shouldIgnore": False}
            for name in (file["path"] for file in json.loads(self.body)["files"])
        ]
        raise _Answer(200, {"files": modes})

    def lfs_batch(self, repo_id: str) -> None:
        self._check_token(required=True)
        objects = [
            {
                "oid": wanted["oid"],
                "size": wanted["size"],
                "actions": {
                    "upload": {"href": f"{self.hub.storage}/lfs/{wanted['oid']}"},
                    "verify": {"href": f"{self.hub.url}/lfs-verify"},
                },
            }
            for wanted in json.loads(self.body)["objects"]
        ]
        raise _Answer(200, {"transfer": "basic", "objects": objects})

    def lfs_put(self, digest: str) -> None:
        if hashlib.sha256(self.body).hexdigest() != digest:
            raise _Answer(400, {"error": "content does not have this hash"})
        self.hub.large[digest] = self.body
        raise _Answer(200, {})

    def lfs_verify(self) -> None:
        wanted = json.loads(self.body)
        held = self.hub.large.get(wanted["oid"], b"")
        raise _Answer(200 if len(held) == wanted["size"] else 404, {})

    def commit(self, repo_id: str, revision: str) -> None:
        self._check_token(required=True)
        head, files = self._files(repo_id, revision)
        files = dict(files)
        for line in self.body.splitlines():
            entry = json.loads(line)
            value = entry["value"]
            if entry["key"] == "header" and value.get("parentCommit", head) != head:
                raise _Answer(412, {"error": "A commit has happened since. Please refresh and try again."})
            if entry["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif entry["key"] == "lfsFile":
                files[value["path"]] = self.hub.large[value["oid"]]
        sha = self.hub.repositories[repo_id].commit(files, revision)
        raise _Answer(200, {"commitUrl": f"{self.hub.url}/{repo_id}/commit/{sha}", "commitOid": sha})


_REPO = r"([^/]+/[^/]+)"
_ROUTES: list[tuple[str, Callable[..., None]]] = [
    (r"(?:HEAD|GET) /cdn/(\w+)", _Handler.cdn),
    (rf"GET /api/models/{_REPO}/revision/(.+)", _Handler.info),
    (rf"GET /api/models/{_REPO}", _Handler.info),
    (r"POST /api/repos/create", _Handler.create),
    (r"POST /api/validate-yaml", _Handler.validate_card),
    (rf"POST /api/models/{_REPO}/branch/(.+)", _Handler.branch),
    (rf"POST /api/models/{_REPO}/preupload/(.+)", _Handler.preupload),
    (rf"POST /api/models/{_REPO}/commit/(.+)", _Handler.commit),
    (rf"POST /{_REPO}\.git/info/lfs/objects/batch", _Handler.lfs_batch),
    (r"PUT /lfs/(\w+)", _Handler.lfs_put),
    (r"POST /lfs-verify", _Handler.lfs_verify),
    (rf"(?:HEAD|GET) /{_REPO}/resolve/([^/]+)/(.+)", _Handler.resolve),
]
