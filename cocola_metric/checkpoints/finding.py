"""From a name to files on this disk: known names, folders, files of the authors, repositories on the Hub."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..errors import CheckpointError, CocolaError
from ..reading import REFERENCE_FILE
from .known import CHECKPOINTS, CONFIG_FILE, GRAPH_FILE, WEIGHTS_FILE, PublishedFile


@dataclass(frozen=True)
class Found:
    """The place of a checkpoint on this disk.

    Attributes:
        name: name of the checkpoint in messages and signatures.
        path: path of a folder in our layout, or of a file of the authors.
    """

    name: str
    path: Path


@contextmanager
def unreadable_named() -> Iterator[None]:
    """Turn what the system says of a checkpoint's file into an error that names it; also a decorator.

    Raises:
        CheckpointError: a file may not be read, its name is too long, the disk fails.
    """
    try:
        yield
    except OSError as error:
        if isinstance(error, CocolaError) or error.filename is None:
            raise
        problem = f"{os.fsdecode(error.filename)} cannot be read ({error.strerror}): check the path and the permission"
        raise CheckpointError(problem) from error


@unreadable_named()
def find(
    name: str | os.PathLike[str],
    *,
    revision: str | None,
    token: str | bool | None,
    check_config: Callable[[Path], object],
    convert: Callable[[str, PublishedFile], Path],
) -> Found:
    """Find a checkpoint, and download it if it is on the Hub.

    Args:
        name: path, key of ``CHECKPOINTS`` or Hub repository "organisation/name". "embedded" is always the encoder that
            comes with this package; any other name is first looked for as a file or folder.
        revision: branch, tag or commit of a Hub repository.
        token: access token for private repositories, as for huggingface_hub.
        check_config: function of the config.json of a repository, called before its weights are downloaded, since they
            may be gigabytes.
        convert: function of a known file of the authors that was not converted yet; it returns the folder.

    Raises:
        CheckpointError: there is no checkpoint of that name, or it cannot be downloaded.
    """
    path = Path(name)
    if name != "embedded" and path.exists():
        _refuse_revision(name, revision)
        return Found(path.name or path.resolve().name, path)
    known = CHECKPOINTS.get(str(name))
    if known is not None and known.folder is not None:
        _refuse_revision(name, revision)
        return Found(str(name), known.folder)
    if known is not None and known.repo_id is not None:
        pinned = known.sha256 if revision in (None, known.revision) else None
        path = _download(known.repo_id, revision or known.revision, token, check_config, sha256=pinned)
        return Found(str(name), path)
    if known is not None and known.published is not None:
        _refuse_revision(name, revision)
        return Found(str(name), _converted(known.published) or convert(str(name), known.published))
    if known is not None:
        raise CheckpointError(f"{name}: {known.remedy}")
    if isinstance(name, str) and _is_repository_id(name):
        return Found(name, _download(name, revision, token, check_config))
    _refuse_revision(name, revision)
    raise CheckpointError(
        f"{name}: not found; pass a file, a folder, a Hub repository (organisation/name) or a known name "
        f"({', '.join(CHECKPOINTS)})"
    )


def _converted(published: PublishedFile) -> Path | None:
    from .download import cache_folder

    folder = cache_folder(published) / "converted"
    return folder if (folder / WEIGHTS_FILE).is_file() and (folder / CONFIG_FILE).is_file() else None


def _is_repository_id(name: str) -> bool:
    from .hub_client import is_repository_id

    return is_repository_id(name)


def _refuse_revision(name: object, revision: str | None) -> None:
    if revision is not None:
        raise CheckpointError(
            f"revision is only for Hub repositories, and {name} is not one; got {revision!r}; leave it out"
        )


def _download(
    repo_id: str,
    revision: str | None,
    token: str | bool | None,
    check_config: Callable[[Path], object],
    *,
    sha256: str | None = None,
) -> Path:
    from .hub_client import open_snapshot, refuse_other_content

    snapshot = open_snapshot(repo_id, revision, token)
    weights = snapshot.path(snapshot.main_file)
    ours = weights.name == CONFIG_FILE
    if ours:
        check_config(weights)
        weights = snapshot.path(WEIGHTS_FILE)
    if sha256 is not None:
        refuse_other_content(weights, sha256, f"{repo_id} (revision {snapshot.folder.name})")
    for companion in (GRAPH_FILE, REFERENCE_FILE):
        if ours and companion in snapshot.files:
            snapshot.path(companion)
    return weights.parent if ours else weights
