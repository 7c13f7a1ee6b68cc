"""Downloads that survive cut transfers, and archives of which some files are kept."""

import gzip
import logging
import re
import ssl
import tarfile
import time
import zlib
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from tqdm import tqdm

from cocola_metric.errors import CocolaError

logger = logging.getLogger(__name__)

RETRY_WAITS = (1.0, 4.0, 16.0)  # seconds
LONGEST_SILENCE = 30.0  # seconds without a byte, after which a transfer counts as cut
BLOCK = 2**16
NOT_NOW = (429, 500, 502, 503, 504)
CUT = (URLError, HTTPException, ConnectionError, TimeoutError, ssl.SSLError)
DAMAGE = (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile)


@dataclass(frozen=True)
class Archive:
    """A .tar.gz, of which some files are kept.

    Args:
        url: Its address.
        members: Regular expression of the paths to keep, below the one folder that the archive holds.
        file_name: Template that makes the name of a kept file from a match.
        kept: Bytes of the kept files.
        size: Bytes of the archive; None where nobody has counted them.
    """

    url: str
    members: str
    file_name: str
    kept: int
    size: int | None = None

    def __str__(self) -> str:
        size = f"{self.size / 1e6:.1f} MB" if self.size else "an archive of unknown size"
        return f"{self.url} ({size}, of which {self.kept / 1e6:.1f} MB are kept)"


@dataclass(frozen=True)
class SingleFiles:
    """Files of one folder on a server, `kept` bytes in all; a blank in a name becomes "_"."""

    url: str
    names: tuple[str, ...]
    kept: int

    def __str__(self) -> str:
        return f"{self.url} ({len(self.names)} files, {self.kept / 1e6:.1f} MB)"


def download(url: str, path: Path) -> None:
    """Download a file; a transfer that is cut goes on where it stopped, or anew where the server cannot."""
    for wait in (*RETRY_WAITS, None):
        try:
            return _transfer(url, path)
        except HTTPError as error:
            if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                path.unlink(missing_ok=True)
            elif error.code not in NOT_NOW:
                raise CocolaError(
                    f"{url}: HTTP {error.code} {error.reason}; tell us if the address is gone. Without --fetch, what "
                    "needs it is left out"
                ) from error
            problem: Exception = error
        except CUT as error:
            problem = error
        if wait is None:
            raise CocolaError(
                f"{url}: cannot be downloaded ({problem}); try again later, or run `python -m "
                "cocola_metric.training sources --fetch FOLDER` where there is a network, and copy FOLDER here"
            ) from problem
        logger.info("%s: %s; trying again in %g s", url, problem, wait)
        time.sleep(wait)


def _transfer(url: str, path: Path) -> None:
    start = path.stat().st_size if path.exists() else 0
    headers = {"User-Agent": f"cocola-metric/{version('cocola-metric')}"}
    if start:
        headers["Range"] = f"bytes={start}-"
    with urlopen(Request(url, headers=headers), timeout=LONGEST_SILENCE) as answer:
        resumed = answer.status == HTTPStatus.PARTIAL_CONTENT
        missing = answer.length  # None where the server does not say
        bar = tqdm(total=missing, desc=path.name, unit="B", unit_scale=True, disable=None, leave=False)
        with path.open("ab" if resumed else "wb") as file, bar:
            while block := answer.read(BLOCK):
                file.write(block)
                bar.update(len(block))
                missing = missing and missing - len(block)
    if missing:
        raise ConnectionError(f"cut {missing} bytes before the end")


def unpack(path: Path, archive: Archive, folder: Path) -> None:
    """Write the wanted files side by side; neither their names nor links can lead out of the folder."""
    wanted, room = re.compile(archive.members), archive.kept
    try:
        with tarfile.open(path, "r:gz") as members:
            for member in members:
                path_inside = PurePosixPath(member.name)
                match = wanted.fullmatch("/".join(path_inside.parts[1:]))
                content = members.extractfile(member) if match and member.isreg() else None
                room -= member.size if content else 0
                if path_inside.is_absolute() or ".." in path_inside.parts or room < 0:
                    raise CocolaError(f"{archive.url}: unexpected content {member.name!r}; nothing was kept. Tell us")
                if match and content:
                    (folder / match.expand(archive.file_name)).write_bytes(content.read())
    except DAMAGE as error:
        raise CocolaError(f"{archive.url}: what arrived is no whole .tar.gz ({error}); fetch it again") from error
