"""Files that authors publish on GitHub: fetched on request, resumed, kept in the user's cache."""

import logging
import os
from pathlib import Path
from typing import IO, Any

from ..errors import CheckpointError
from .known import PublishedFile

SERVER_VARIABLE = "COCOLA_GITHUB"
"""Environment variable: a mirror to fetch from instead of https://github.com."""
GITHUB = "https://github.com"
LARGEST_FILE = 2**29  # bytes; the largest known one has 35 million
TIMEOUT = (10, 60)  # seconds to connect, and between two pieces
RESUMED = 3  # times that a connection may break
_PIECE = 2**18
_log = logging.getLogger(__name__)


def cache_folder(published: PublishedFile) -> Path:
    """Return the folder of the user's cache that a published file and what is made of it lie in."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "cocola-metric" / "checkpoints" / f"{Path(published.file).stem}-{published.commit}"


def file_url(published: PublishedFile) -> str:
    """Return the address of a published file."""
    server = os.environ.get(SERVER_VARIABLE, GITHUB).rstrip("/")
    return f"{server}/{published.repository}/raw/{published.commit}/{published.file}"


def fetch(name: str, published: PublishedFile) -> Path:
    """Return the local path of a published file, downloaded now if it is not there.

    Args:
        name: of the encoder, for messages.
        published: where it is.

    Raises:
        CheckpointError: it cannot be had, or is not the file that the table knows.
    """
    folder, url = cache_folder(published), file_url(published)
    target = folder / Path(published.file).name
    if target.is_file() and published.sha256 is None:
        return target
    if not target.is_file() and os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        raise CheckpointError(
            f"{name}: not in the cache ({folder}), and offline mode is on; unset HF_HUB_OFFLINE to fetch it once, or "
            f"download {url} elsewhere and pass the file's path instead of the name"
        )
    import pooch

    known_hash = f"sha256:{published.sha256}" if published.sha256 else None
    downloader = _Resuming(folder / f".{target.name}.part")
    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel("WARNING")  # it would suggest to write down the hash
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path = pooch.retrieve(url, known_hash, target.name, folder, downloader=downloader)
    except (OSError, ValueError) as error:  # requests' errors are OSErrors; pooch has ValueError for another hash
        raise CheckpointError(f"{name}: {_problem(error, url, folder)}") from error
    finally:
        logger.setLevel(level)
    return Path(path)


class _Resuming:
    """What pooch calls to download: with a progress bar, and from where an earlier attempt broke off."""

    def __init__(self, part: Path) -> None:
        self.part = part

    def __call__(self, url: str, output_file: str | IO[bytes], pooch: Any, check_only: bool = False) -> None:
        """Download to a part that stays after a failure, then move it to where pooch wants it."""
        import requests

        for attempt in range(RESUMED + 1):
            try:
                self._continue(url)
                break
            except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError, requests.Timeout):
                if attempt == RESUMED or not self.part.exists():
                    raise
                _log.warning("%s: the connection broke after %d bytes; going on", url, self.part.stat().st_size)
        assert isinstance(output_file, str)  # pooch passes the name of a temporary file beside the target
        self.part.replace(output_file)

    def _continue(self, url: str) -> None:
        import requests
        from tqdm import tqdm

        done = self.part.stat().st_size if self.part.exists() else 0
        headers = {"Range": f"bytes={done}-"} if done else {}
        with requests.get(url, stream=True, timeout=TIMEOUT, headers=headers) as response:
            if response.status_code == 416:  # all of it was there already, or too much
                self.part.unlink()
                return self._continue(url)
            response.raise_for_status()
            if response.status_code != 206:
                done = 0
            announced = done + int(response.headers.get("Content-Length", 0))
            if announced > LARGEST_FILE:
                raise OSError(f"{announced} bytes announced, more than {LARGEST_FILE}")
            bar = tqdm(desc=self.part.name[1:-5], total=announced or None, initial=done, unit="B", unit_scale=True)
            with bar, self.part.open("ab" if done else "wb") as file:
                for piece in response.iter_content(_PIECE):
                    file.write(piece)
                    bar.update(len(piece))
                    done += len(piece)
                    if done > LARGEST_FILE:
                        raise OSError(f"more than {LARGEST_FILE} bytes")
            if done < announced:
                raise requests.ConnectionError(f"{done} of {announced} bytes came")


def _problem(error: Exception, url: str, folder: Path) -> str:
    import requests

    way_out = f"or download {url} elsewhere and pass the file's path instead of the name"
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"{url}: the server answers {error.response.status_code}; try again later, {way_out}"
    if isinstance(error, requests.RequestException):
        return (
            f"{url} cannot be fetched ({type(error).__name__}); check the network, set {SERVER_VARIABLE} to a mirror, "
            f"{way_out}"
        )
    if isinstance(error, ValueError):
        return f"{url} is not the file that this version knows (another SHA-256); {way_out}"
    return f"{folder} cannot be written, or {url} is no such file ({error}); set XDG_CACHE_HOME to another folder"
