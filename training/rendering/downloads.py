"""Downloads of sources: single files, and archives with some files that are kept."""

import gzip
import re
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from cocola_metric.downloads import NOT_NOW, fetch_file
from cocola_metric.errors import CocolaError, DownloadError

LARGEST_ARCHIVE = 2**30  # bytes; of some archives nobody has counted them
DAMAGE = (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile)


@dataclass(frozen=True)
class Archive:
    """A .tar.gz with some files that are kept.

    Args:
        url: address of the archive.
        members: regular expression of the paths to keep, below the one folder that the archive holds.
        file_name: template that makes the name of a kept file from a match.
        kept: size of the kept files, in bytes.
        size: size of the archive, in bytes; None if it is unknown.
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


def download(url: str, path: Path, most_bytes: int) -> None:
    """Download a file of a source; a transfer that is cut goes on where it stopped, or anew if the server cannot.

    Raises:
        CocolaError: the file cannot be downloaded.
    """
    try:
        fetch_file(url, path, most_bytes=most_bytes)
    except DownloadError as error:
        if error.status is not None and error.status not in NOT_NOW:
            raise CocolaError(
                f"{error}; tell us if the address is gone. Without --fetch, what needs it is left out"
            ) from error
        raise CocolaError(
            f"{error}; try again later, or run `python -m cocola_metric.training sources --fetch FOLDER` where there "
            "is a network, and copy FOLDER here"
        ) from error


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
                    raise CocolaError(
                        f"{archive.url}: unexpected content {member.name!r}; nothing was kept; please report it"
                    )
                if match and content:
                    (folder / match.expand(archive.file_name)).write_bytes(content.read())
    except DAMAGE as error:
        raise CocolaError(f"{archive.url}: no whole .tar.gz arrived ({error}); fetch it again") from error
