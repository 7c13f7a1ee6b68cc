"""Repositories on the Hugging Face Hub: a name and a revision become files in the user's cache, or one clear error."""

import contextlib
import logging
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from huggingface_hub import HfApi, constants, hf_hub_download, snapshot_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    RevisionNotFoundError,
)

from ..downloads import NOT_NOW
from ..errors import CheckpointError
from ..identity import file_sha256
from ..version import VERSION
from .card_results import CARD_FILE
from .hub_errors import explain, in_short, status_of
from .hub_limits import MOST_CONFIG_BYTES, limited, within
from .known import CONFIG_FILE, LIBRARY, WEIGHTS_FILE

ORIGINAL_SUFFIX = ".ckpt"
DEFAULT_BRANCH = "main"
HUB_RETRY_WAITS = (0.5, 1.0, 2.0, 4.0)  # seconds, after an answer that the server is busy
LONGEST_WAIT = 60.0  # seconds; a longer wait that a server asks for is an error
METADATA_SECONDS = 60.0  # for a list of files or a configuration, even if it arrives slowly
MOST_WEIGHTS_BYTES = 2**33  # limit of a file of weights; the largest known one has 2^28

_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_REPOSITORY = re.compile(r"\w[\w.-]*/\w[\w.-]*")
_log = logging.getLogger(__name__)
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Snapshot:
    """One commit of a repository: a folder of the user's cache, into which files are downloaded on request.

    Attributes:
        repo_id: name of the repository, "organisation/name".
        folder: folder of the cache, named after the commit.
        main_file: local ``config.json`` of a repository in our layout, otherwise its only ``.ckpt`` file.
        token: access token, as for huggingface_hub.
        files: known names of files in the commit.
    """

    repo_id: str
    folder: Path
    main_file: str
    token: str | bool | None = None
    files: tuple[str, ...] = ()

    def path(self, file: str) -> Path:
        """Return the local path of a file, and download it first if the cache lacks it.

        Raises:
            CheckpointError: the file cannot be downloaded, or its hash is not the one that the Hub states.
        """
        local = self.folder / file
        if not local.is_file():
            _download(self.repo_id, file, self.folder.name, self.token)
        blob = local.readlink().name if local.is_symlink() else ""
        if _SHA256.fullmatch(blob):  # the cache names large files by the hash that the Hub announced
            refuse_other_content(local, blob, f"{self.repo_id} (revision {self.folder.name})")
        return local


def is_repository_id(name: str) -> bool:
    """Tell whether a name has the form "organisation/name" and not that of a checkpoint file."""
    return _REPOSITORY.fullmatch(name) is not None and not name.endswith((ORIGINAL_SUFFIX, ".safetensors"))


def open_snapshot(repo_id: str, revision: str | None = None, token: str | bool | None = None) -> Snapshot:
    """Find the commit that a revision stands for, with its main file in the cache.

    A commit in the cache is used without asking the Hub. A branch or tag is looked up on the Hub; if the Hub does not
    answer, the commit that the cache last saw is used.

    Raises:
        CheckpointError: the repository or revision cannot be read, or holds no encoder.
    """
    wanted = revision or DEFAULT_BRANCH
    cached = _cached(repo_id, wanted, token)
    if cached is not None and _COMMIT.fullmatch(wanted):
        return cached
    try:
        files = _patiently(lambda: _list_files(repo_id, wanted, token), waits=() if cached else HUB_RETRY_WAITS)
    except CheckpointError:
        if cached is None:
            raise
        return cached
    except RevisionNotFoundError as error:  # the Hub has answered: a cached copy would be of another revision
        raise explain(error, repo_id, wanted) from error
    except Exception as error:  # errors of the HTTP library, whose names depend on the version of huggingface_hub
        if cached is None:
            raise explain(error, repo_id, wanted) from error
        _log.warning("%s: read from the cache, since the Hub does not answer (%s)", repo_id, in_short(error))
        return cached
    main_file = _main_file(files, f"{repo_id} (revision {wanted})")
    path = _download(repo_id, main_file, wanted, token)
    return Snapshot(repo_id, path.parents[main_file.count("/")], main_file, token, tuple(files))


def download_card(repo_id: str, branch: str, token: str | bool | None = None) -> tuple[str, str | None]:
    """Return the commit of a branch, and the text of its model card; None where it has none.

    Raises:
        CheckpointError: the card cannot be downloaded, or is not text.
    """
    info = HfApi(library_name=LIBRARY, library_version=VERSION).model_info(repo_id, revision=branch, token=token)
    commit = str(info.sha)
    if all(sibling.rfilename != CARD_FILE for sibling in info.siblings or ()):
        return commit, None
    file = _download(repo_id, CARD_FILE, commit, token)
    try:
        return commit, file.read_bytes().decode("utf-8-sig")
    except ValueError as error:
        raise CheckpointError(f"{repo_id} ({branch}): {CARD_FILE} is no text ({error}); mend it first") from error


def refuse_other_content(path: Path, sha256: str, place: str) -> None:
    """Delete a cached file whose SHA-256 is not the expected one.

    Raises:
        CheckpointError: the SHA-256 differs.
    """
    found = file_sha256(path)
    if found == sha256:
        return
    try:
        _delete_with_blob(path)
        remedy = "it was deleted from the cache; load it again, and tell the repository's owner if this comes back"
    except OSError:
        remedy = f"the cache cannot be written, so delete {path} yourself"
    raise CheckpointError(
        f"{place}: {path.name} is damaged or replaced: its SHA-256 is {found}, not {sha256}; {remedy}"
    )


def _cached(repo_id: str, revision: str, token: str | bool | None) -> Snapshot | None:
    """Return the snapshot of a revision that is whole in the cache, without asking the Hub; None if there is none."""
    try:
        folder = Path(snapshot_download(repo_id, revision=revision, local_files_only=True))
    except LocalEntryNotFoundError:
        return None
    except HFValidationError as error:
        raise explain(error, repo_id, revision) from error
    if (folder / CONFIG_FILE).is_file():
        return Snapshot(repo_id, folder, CONFIG_FILE, token) if (folder / WEIGHTS_FILE).is_file() else None
    originals = [path.relative_to(folder).as_posix() for path in folder.rglob(f"*{ORIGINAL_SUFFIX}") if path.is_file()]
    return Snapshot(repo_id, folder, originals[0], token) if len(originals) == 1 else None


def _list_files(repo_id: str, revision: str, token: str | bool | None) -> list[str]:
    api = HfApi(library_name=LIBRARY, library_version=VERSION)
    ask = partial(api.model_info, repo_id, revision=revision, timeout=constants.HF_HUB_ETAG_TIMEOUT, token=token)
    info = within(METADATA_SECONDS, ask, f"{repo_id} (revision {revision}): its list of files")
    return [sibling.rfilename for sibling in info.siblings or ()]


def _main_file(files: Sequence[str], place: str) -> str:
    if CONFIG_FILE in files and WEIGHTS_FILE in files:
        return CONFIG_FILE
    originals = [file for file in files if file.endswith(ORIGINAL_SUFFIX)]
    if len(originals) > 1:
        raise CheckpointError(
            f"{place}: holds several {ORIGINAL_SUFFIX} files ({', '.join(originals)}); download one and pass its path"
        )
    if not originals:
        raise CheckpointError(
            f"{place}: holds no encoder, neither {CONFIG_FILE} with {WEIGHTS_FILE} nor a {ORIGINAL_SUFFIX} file; "
            "check the name and the revision"
        )
    return originals[0]


def _download(repo_id: str, file: str, revision: str, token: str | bool | None) -> Path:
    place = f"{repo_id} (revision {revision}): {file}"
    is_text = file in (CONFIG_FILE, CARD_FILE)
    most_bytes, seconds = (MOST_CONFIG_BYTES, METADATA_SECONDS) if is_text else (MOST_WEIGHTS_BYTES, None)
    fetch: Callable[[], str] = partial(
        hf_hub_download,
        repo_id,
        file,
        revision=revision,
        token=token,
        library_name=LIBRARY,
        library_version=VERSION,
        **limited(hf_hub_download, most_bytes, place),
    )

    def download() -> str:
        return fetch() if seconds is None else within(seconds, fetch, place)

    try:
        try:
            return Path(_patiently(download, HUB_RETRY_WAITS))
        except CheckpointError:
            raise
        except Exception as error:  # see open_snapshot
            if not _broke_off(error):
                raise
            return Path(_patiently(download, HUB_RETRY_WAITS))  # before huggingface_hub 2, this is what resumes
    except CheckpointError:
        _delete_unfinished(repo_id)
        raise
    except Exception as error:
        raise explain(error, repo_id, revision, file) from error


def _delete_unfinished(repo_id: str) -> None:
    """Delete unfinished downloads of refused files, so that no later download resumes them."""
    folder = Path(constants.HF_HUB_CACHE, f"models--{repo_id.replace('/', '--')}", "blobs")
    for file in folder.glob("*.incomplete"):
        with contextlib.suppress(OSError):
            file.unlink()


def _broke_off(error: Exception) -> bool:
    """Tell whether an error is a lost connection, and neither an answer of the server nor an error of the disk."""
    answered = isinstance(error, HfHubHTTPError | EntryNotFoundError)
    return not answered and getattr(error, "errno", None) is None


def _patiently(request: Callable[[], _Result], waits: Sequence[float]) -> _Result:
    """Call a request again after each wait, as long as the server answers that it is busy."""
    for wait in waits:
        try:
            return request()
        except HfHubHTTPError as error:
            asked = _seconds_asked(error)
            if status_of(error) not in NOT_NOW or asked > LONGEST_WAIT:
                raise
            time.sleep(max(wait, asked))
    return request()


def _seconds_asked(error: HfHubHTTPError) -> float:
    value = error.response.headers.get("Retry-After", "") if error.response is not None else ""
    return float(value) if value.isdecimal() else 0.0


def _delete_with_blob(path: Path) -> None:
    while path.is_symlink():
        target = path.parent / path.readlink()
        path.unlink()
        path = target
    path.unlink()
