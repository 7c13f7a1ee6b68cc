"""A stand-in for S3 on 127.0.0.1: moto's server, and one that refuses whatever it is asked."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

import pytest
from local_server import listening

BUCKET = "music"


def settings(url: str) -> dict[str, str]:
    """Return the environment in which S3 is at an address."""
    keys = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_DEFAULT_REGION": "us-east-1"}
    return keys | {"AWS_ENDPOINT_URL": url, "AWS_EC2_METADATA_DISABLED": "true", "no_proxy": "127.0.0.1"}


class Bucket:
    """A bucket, and how to fill it."""

    def __init__(self, url: str) -> None:
        import boto3

        self.url = url
        keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": "us-east-1"}
        self._client = boto3.client("s3", endpoint_url=url, **keys)
        self._client.create_bucket(Bucket=BUCKET)

    def put(self, files: Mapping[str, bytes]) -> None:
        for name, content in files.items():
            self._client.put_object(Bucket=BUCKET, Key=name, Body=content)


@contextmanager
def serving_s3() -> Iterator[Bucket]:
    """Serve an empty bucket until the end of the block."""
    pytest.importorskip("s3fs", reason="s3fs is not installed: pip install 'cocola-metric[remote]'")
    server = pytest.importorskip("moto.server", reason="moto is not installed: pip install 'cocola-metric[test]'")
    started = server.ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    started.start()
    host, port = started.get_host_and_port()
    try:
        yield Bucket(f"http://{host}:{port}")
    finally:
        started.stop()


@dataclass
class Refusing:
    """A server that answers with one status, and what it was asked."""

    url: str
    requests: list[str] = field(default_factory=list)


@contextmanager
def refusing(status: int, code: str) -> Iterator[Refusing]:
    """Serve nothing but an error of S3."""
    body = f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode()
    state = Refusing("")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.requests.append(f"{self.command} {self.path}")
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET

        def log_message(self, *_: object) -> None: ...

    with listening(Handler) as state.url:
        yield state
