"""Downloads through pooch: a lost connection is resumed, and size and time are limited."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import IO, Any

from tqdm import tqdm

from .errors import DownloadError
from .version import VERSION

RETRY_WAITS = (1.0, 4.0, 16.0)  # seconds before each new attempt
TIMEOUT = (10.0, 60.0)  # seconds to connect, and to wait for a byte
LONGEST = 3600.0  # seconds for a whole file
LARGEST_FILE = 2**29  # bytes; the largest known encoder has 35 million
NOT_NOW = (429, 500, 502, 503, 504)
_PIECE = 2**18
_log = logging.getLogger(__name__)


def fetch_file(
    url: str, target: Path, *, sha256: str | None = None, most_bytes: int = LARGEST_FILE, seconds: float = LONGEST
) -> None:
    """Download a file, whole or not at all.

    Bytes that arrived before a failure stay beside the target, and a later call goes on from there.

    Args:
        url: address of the file.
        target: path of the downloaded file; its folder is created.
        sha256: SHA-256 of the file, in hexadecimal; None if it is not known.
        most_bytes: largest size of the file, in bytes.
        seconds: longest time of the download, in seconds.

    Raises:
        DownloadError: the file cannot be fetched, has another hash, is too large or too slow.
        OSError: the folder cannot be written.
    """
    import pooch

    part = target.parent / f".{target.name}.part"
    downloader = _Resuming(part, most_bytes, time.monotonic() + seconds)
    target.parent.mkdir(parents=True, exist_ok=True)
    with _quiet(pooch.get_logger()):
        try:
            pooch.retrieve(url, f"sha256:{sha256}" if sha256 else None, target.name, target.parent, None, downloader)
        except ValueError as error:  # pooch's, for another hash
            raise DownloadError(f"{url} is not the file that this version knows (another SHA-256)") from error


@dataclass(frozen=True)
class _Resuming:
    """The downloader that pooch calls.

    Attributes:
        part: file of the bytes that have arrived; it stays after a failure.
        most_bytes: largest size of the file, in bytes.
        deadline: end of the last attempt, in seconds of the monotonic clock.
    """

    part: Path
    most_bytes: int
    deadline: float

    def __call__(self, url: str, output_file: str | IO[bytes], pooch: Any, check_only: bool = False) -> None:
        """Download to the part file, resume after lost connections, then move the file to pooch's place."""
        import requests
        import urllib3

        for wait in (*RETRY_WAITS, None):
            try:
                self._go_on(url)
                break
            except requests.HTTPError as error:
                status = 0 if error.response is None else error.response.status_code
                problem = f"{status} {'' if error.response is None else error.response.reason}".strip()
                if status not in NOT_NOW or wait is None:
                    raise DownloadError(f"{url}: the server answers {problem}", status) from error
            except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
                problem = _in_short(error)
                if wait is None or not self.part.exists():
                    raise DownloadError(f"{url} cannot be fetched ({problem})") from error
            _log.warning("%s: %s; going on in %g s", url, problem, wait)
            time.sleep(min(wait, max(0.0, self.deadline - time.monotonic())))
        assert isinstance(output_file, str)  # pooch passes the name of a temporary file beside the target
        self.part.replace(output_file)

    def _go_on(self, url: str) -> None:
        import requests

        done = self.part.stat().st_size if self.part.exists() else 0
        headers = {"User-Agent": f"cocola-metric/{VERSION}", "Accept-Encoding": "identity"}
        if done:
            headers["Range"] = f"bytes={done}-"
        with requests.get(url, stream=True, timeout=TIMEOUT, headers=headers) as response:
            if response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and done:
                self.part.unlink()  # the part was complete, or too long
                return self._go_on(url)
            response.raise_for_status()
            if response.status_code != HTTPStatus.PARTIAL_CONTENT:
                done = 0
            announced = response.headers.get("Content-Length")
            total = done + int(announced) if announced else None
            self._refuse(url, total or 0)
            bar = tqdm(desc=self.part.name[1:-5], total=total, initial=done, unit="B", unit_scale=True, leave=False)
            with bar, self.part.open("ab" if done else "wb") as file:
                for piece in _pieces(response.raw):
                    file.write(piece)
                    bar.update(len(piece))
                    done += len(piece)
                    self._refuse(url, done)
            if total is not None and done < total:
                raise requests.ConnectionError(f"cut {total - done} bytes before the end")

    def _refuse(self, url: str, size: int) -> None:
        if size > self.most_bytes:
            self.part.unlink(missing_ok=True)
            raise DownloadError(f"{url} has {size} bytes or more; the limit is {self.most_bytes}")
        if time.monotonic() > self.deadline:
            raise DownloadError(f"{url} took longer than its limit of time; {size} bytes have arrived")


def _pieces(raw: Any) -> Iterator[bytes]:
    """Yield bytes as they arrive, so that the limit of time also holds for a slow server."""
    read: Callable[[int], bytes] = getattr(raw, "read1", None) or raw.read  # urllib3 before 2.1 has no read1
    while piece := read(_PIECE):
        yield piece


def _in_short(error: Exception) -> str:
    """Return the system's message at the bottom of a chain of errors, or else the message of the top one."""
    found, bottom = None, error.__context__
    while bottom is not None:
        found = getattr(bottom, "strerror", None) or found
        bottom = bottom.__context__
    return found or str(error) or type(error).__name__


@contextmanager
def _quiet(logger: logging.Logger) -> Iterator[None]:
    """Silence pooch's advice to note the hash."""
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)
