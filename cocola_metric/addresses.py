"""The address of audio that lies elsewhere, s3://bucket/mix.wav, beside the paths of this machine."""

import os
import re
from pathlib import Path, PurePosixPath
from typing import TypeAlias

SCHEMES = {"s3": "s3fs", "gs": "gcsfs", "hf": "huggingface_hub", "memory": "fsspec"}
"""Beginning of an address -> the package that reads it."""
_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]+):/+(?=[^/])", re.DOTALL)


class Address(PurePosixPath):
    """The address of an object, as a path: ``Address("s3://bucket/mix.wav").parent``."""

    __slots__ = ()

    @property
    def scheme(self) -> str:
        """The part before the colon."""
        return self.parts[0][:-1]

    @property
    def key(self) -> str:
        """The part behind the slashes."""
        return "/".join(self.parts[1:])

    def __str__(self) -> str:
        """Return the address with both slashes."""
        return f"{self.scheme}://{self.key}"

    def __fspath__(self) -> str:
        """Return the address; no system opens it."""
        return str(self)


Place: TypeAlias = Path | Address


def located(path: str | os.PathLike[str]) -> Place:
    """Return a path of this machine, or an address.

    >>> located("s3://bucket/mix.wav").name, located("mix.wav").name
    ('mix.wav', 'mix.wav')
    """
    if isinstance(path, Address):
        return path
    text = os.fspath(path)
    found = _ADDRESS.match(text) if isinstance(text, str) else None
    if found is None:
        return Path(path)
    scheme = found[1]
    if scheme == "file":
        return Path("/" + text[found.end() :])
    if text.startswith("://", len(scheme)) or (scheme in SCHEMES and not os.path.lexists(f"{scheme}:")):
        return Address(text)
    return Path(path)
