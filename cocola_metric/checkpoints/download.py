"""Files that authors publish on GitHub: fetched on request, kept in the user's cache."""

import os
from pathlib import Path

from ..downloads import fetch_file
from ..errors import CheckpointError, DownloadError
from .known import PublishedFile

SERVER_VARIABLE = "COCOLA_GITHUB"
"""Environment variable with a mirror that is used instead of https://github.com."""
GITHUB = "https://github.com"


def cache_folder(published: PublishedFile) -> Path:
    """Return the folder of the user's cache for a published file and its conversion."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "cocola-metric" / "checkpoints" / f"{Path(published.file).stem}-{published.commit}"


def file_url(published: PublishedFile) -> str:
    """Return the address of a published file."""
    server = os.environ.get(SERVER_VARIABLE, GITHUB).rstrip("/")
    return f"{server}/{published.repository}/raw/{published.commit}/{published.file}"


def fetch(name: str, published: PublishedFile) -> Path:
    """Return the local path of a published file, and download it first if the cache lacks it.

    Args:
        name: name of the encoder in messages.
        published: address and hash of the file.

    Raises:
        CheckpointError: the file cannot be downloaded, or its hash is not the published one.
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
    try:
        fetch_file(url, target, sha256=published.sha256)
    except DownloadError as error:
        raise CheckpointError(
            f"{name}: {error}; check the network and try again, set {SERVER_VARIABLE} to a mirror, or download {url} "
            "elsewhere and pass the file's path instead of the name"
        ) from error
    except OSError as error:
        raise CheckpointError(
            f"{name}: {folder} cannot be written ({error}); set XDG_CACHE_HOME to another folder"
        ) from error
    return target
