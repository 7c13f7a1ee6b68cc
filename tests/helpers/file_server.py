"""A web server on 127.0.0.1 that serves files, and fails as it is told to."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from urllib.parse import unquote

from local_server import listening


@dataclass
class FileServer:
    """What it serves, the faults of the next requests (bytes until a cut, or a status), and what it was asked."""

    files: dict[str, bytes] = field(default_factory=dict)
    cuts: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    knows_ranges: bool = True
    announces_length: bool = True
    pause: float = 0.0  # seconds after every byte of a body
    requests: list[str] = field(default_factory=list)
    url: str = ""


@contextmanager
def serving(files: dict[str, bytes]) -> Iterator[FileServer]:
    """Serve files by path until the end of the block."""
    state = FileServer(dict(files))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, span = unquote(self.path), self.headers.get("Range")
            state.requests.append(f"{path} {span}" if span else path)
            status = state.statuses.pop(0) if state.statuses else 200 if path in state.files else 404
            body = state.files.get(path, b"") if status == 200 else b"an answer that is no music"
            if status == 200 and span and state.knows_ranges:
                status, body = 206, body[int(span.removeprefix("bytes=").removesuffix("-")) :]
            self.send_response(status)
            if state.announces_length:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            body = body[: state.cuts.pop(0)] if state.cuts else body
            if not state.pause:
                self.wfile.write(body)
                return
            for at in range(len(body)):
                try:
                    self.wfile.write(body[at : at + 1])
                except OSError:  # the other side has given up
                    return
                time.sleep(state.pause)

        def log_message(self, *_: object) -> None: ...

    with listening(Handler) as state.url:
        yield state
