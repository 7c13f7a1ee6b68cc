"""Objects at s3://, gs:// and hf://: read through fsspec in bounded memory, listed, and told apart."""

import functools
import hashlib
import io
import os
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, BinaryIO, NamedTuple, TypeVar

from .addresses import SCHEMES, Address
from .errors import AudioError, MissingExtraError

BLOCK = 2**23
"""Bytes of an object that are fetched at a time: most files of audio whole."""
RECENT = 2**27
"""Bytes of objects that are kept in memory, so that what was opened need not be fetched again to be read."""
TRUST = 10.0
"""Seconds for which an object counts as unchanged after its store was asked."""
WAITS = (0.5, 2.0)
"""Seconds before each new attempt, after those of the package that reads the address."""
AT_ONCE = 16
"""Requests at a time, where many objects are looked at."""
LISTED = 64
"""Objects of one folder from which on the folder is listed, a thousand objects a request."""
_CHECKSUMS = ("ETag", "etag", "md5Hash", "blob_id", "created", "mtime", "LastModified", "last_modified")
_FINAL = (
    "NoCredentialsError",
    "PartialCredentialsError",
    "ProfileNotFound",
    "ParamValidationError",
    "OfflineModeIsEnabled",
    "RepositoryNotFoundError",
    "EntryNotFoundError",
)
"""Names of errors that no new attempt mends."""
Found = TypeVar("Found")


class Details(NamedTuple):
    """What a store says of an object.

    Attributes:
        size: number of bytes.
        checksum: check sum of the store, or else the time of its last change; it changes with the content.
    """

    size: int
    checksum: str


class RemoteError(OSError):
    """An object cannot be read; the message is whole."""


def open_remote(address: Address) -> BinaryIO:
    """Open an object for reading; its bytes are fetched as they are needed, and kept for a while.

    Raises:
        RemoteError: it is not there, may not be read, or cannot be reached.
        MissingExtraError: the package that reads such addresses is not installed.
    """
    return io.BufferedReader(_RemoteFile(address, details(address)))


def remote_bytes(address: Address) -> bytes:
    """Return a whole object.

    Raises:
        RemoteError: it cannot be read.
    """
    with open_remote(address) as file:
        return file.read()


def remote_identity(address: Address) -> str:
    """Return the identity of an object's content, in hexadecimal, from what its store says; nothing is fetched.

    Raises:
        RemoteError: it cannot be read.
    """
    size, checksum = details(address)
    return hashlib.sha256(f"{checksum} {size}".encode()).hexdigest()


def details(address: Address, *, fresh: bool = False) -> Details:
    """Ask the store about an object, unless that was done in the last ten seconds and ``fresh`` is not set.

    Raises:
        RemoteError: it cannot be reached.
    """
    known = _known.get(address)
    if known is not None and not fresh and (_trusting or time.monotonic() < known[1]):
        return known[0]
    found = _details(_asked(address, lambda store: store.info(address.key)), address)
    _note(address, found)
    return found


def look_at(addresses: Iterable[Address], *, fresh: bool = False) -> dict[Address, Details | None]:
    """Ask the stores about many objects at once; None stands for one that cannot be reached."""
    wanted = set(addresses)

    def one(address: Address) -> Details | None:
        try:
            return details(address, fresh=fresh)
        except RemoteError:
            return None

    for folder, count in Counter(address.parent for address in wanted).items():
        if count >= LISTED and not fresh:
            for entry in _entries(folder):
                address = Address(f"{folder.scheme}://{entry['name'].lstrip('/')}")
                if address in wanted:
                    _note(address, _details(entry, address))
    with ThreadPoolExecutor(AT_ONCE, "cocola-remote") as pool:
        return dict(zip(wanted, pool.map(one, wanted), strict=True))


def fetch_ahead(addresses: Iterable[Address]) -> None:
    """Fetch the first block of many objects at once, as far as there is room; errors wait for who opens them."""

    def one(address: Address) -> None:
        try:
            with open_remote(address) as file:
                file.read(1)
        except RemoteError:
            pass

    with ThreadPoolExecutor(AT_ONCE, "cocola-remote") as pool:
        list(pool.map(one, list(addresses)[: RECENT // BLOCK * 4]))


@contextmanager
def trusted() -> Iterator[None]:
    """Let what stores have said hold until the end of the block, as while thousands of objects are looked at."""
    global _trusting
    _trusting += 1
    try:
        yield
    finally:
        _trusting -= 1


def list_remote(folder: Address) -> list[Address]:
    """List the objects directly in a folder.

    Raises:
        RemoteError: there is no such folder, or it cannot be listed.
    """
    found = [Address(f"{folder.scheme}://{entry['name'].lstrip('/')}") for entry in _entries(folder)]
    return [address for address in found if address != folder]


def is_remote_folder(address: Address) -> bool:
    """Tell whether objects lie below an address.

    Raises:
        RemoteError: the store cannot be reached.
    """
    return bool(_asked(address, lambda store: store.isdir(address.key)))


class _RemoteFile(io.RawIOBase):
    """An object as a file: blocks are fetched by need, and the recent ones are shared by all that read it."""

    def __init__(self, address: Address, about: Details) -> None:
        self.address, self.about, self.position = address, about, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self.position}.get(whence, self.about.size)
        self.position = max(0, origin + offset)
        return self.position

    def tell(self) -> int:
        return self.position

    def readinto(self, buffer: Any) -> int:
        start = self.position // BLOCK * BLOCK
        part = self._block(start)[self.position - start :][: len(buffer)] if self.position < self.about.size else b""
        buffer[: len(part)] = part
        self.position += len(part)
        return len(part)

    def _block(self, start: int) -> bytes:
        key = self.address, self.about, start
        with _lock:
            if key in _recent:
                _recent.move_to_end(key)
                return _recent[key]
        end = min(start + BLOCK, self.about.size)
        data: bytes = _asked(self.address, lambda store: store.cat_file(self.address.key, start=start, end=end))
        if len(data) != end - start:
            raise RemoteError(f"{self.address} was changed while it was read; score it again")
        with _lock:
            _recent[key] = data
            while sum(map(len, _recent.values())) > RECENT:
                _recent.popitem(last=False)
        return data


_lock = threading.Lock()
_recent: OrderedDict[tuple[Address, Details, int], bytes] = OrderedDict()
_known: dict[Address, tuple[Details, float]] = {}
_trusting = 0


def _note(address: Address, found: Details) -> None:
    with _lock:
        if len(_known) > 2**16 and not _trusting:
            _known.clear()
        _known[address] = found, time.monotonic() + TRUST


def _entries(folder: Address) -> list[dict[str, Any]]:
    entries = _asked(folder, lambda store: store.ls(folder.key, detail=True))
    return [entry for entry in entries if entry.get("type") == "file"]


def _details(entry: dict[str, Any], address: Address) -> Details:
    if entry.get("type") == "directory":
        raise RemoteError(f"{address} is a folder; pass the list of the stem files in it, or one file")
    checksum = next((entry[name] for name in _CHECKSUMS if entry.get(name)), "")
    return Details(int(entry.get("size") or 0), str(checksum).strip('"'))


@functools.lru_cache(maxsize=16)
def _store(scheme: str) -> Any:
    """Return fsspec's file system for a scheme, with the settings of its own package, and without its caches.

    Raises:
        AudioError: the scheme is unknown.
        MissingExtraError: the package is not installed.
    """
    if scheme not in SCHEMES:
        known = ", ".join(f"{name}://" for name in SCHEMES if name != "memory")
        raise AudioError(f"{scheme}:// is not read from; addresses begin with {known}; copy other files here first")
    try:
        import fsspec

        return fsspec.filesystem(scheme, use_listings_cache=False, skip_instance_cache=scheme != "memory")
    except ImportError as error:
        package = SCHEMES[scheme]
        raise MissingExtraError(
            f"{scheme}:// needs {package} ({error}): pip install 'cocola-metric[remote]'"
        ) from error


def _asked(address: Address, ask: Callable[[Any], Found]) -> Found:
    """Ask the store of an address, again after errors of the network.

    Raises:
        RemoteError: it does not answer, or refuses.
    """
    for wait in (*WAITS, None):
        try:
            return ask(_store(address.scheme))
        except (AudioError, MissingExtraError, RemoteError):
            raise
        except FileNotFoundError as error:
            raise RemoteError(f"{address}: no such object; check the address") from error
        except PermissionError as error:
            reason = str(error).strip() or "access denied"
            raise RemoteError(f"{address} may not be read ({reason}); check the credentials, as AWS_PROFILE") from error
        except Exception as error:  # each package has types of its own, without a common base
            if wait is None or type(error).__name__ in _FINAL:
                reason = (str(error).strip() or type(error).__name__).splitlines()[0]
                way = "check the network, the credentials and the address"
                raise RemoteError(f"{address} cannot be read ({reason}); {way}") from error
        time.sleep(wait)
    raise AssertionError("the last attempt returns or raises")
