"""Errors of Hub repositories, each in one sentence with the problem and the way out."""

import errno

from huggingface_hub import constants
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from ..errors import CheckpointError


def explain(error: Exception, repo_id: str, revision: str, file: str = "") -> CheckpointError:
    """Return the error of a repository, with the problem and the way out."""
    place = f"{repo_id} (revision {revision}) on {constants.ENDPOINT}"
    cause = error.__cause__
    if isinstance(error, LocalEntryNotFoundError) and isinstance(cause, Exception):
        return explain(cause, repo_id, revision, file)  # huggingface_hub's "not in the cache either"
    return CheckpointError(f"{place}: {_problem(error, file)}")


def _problem(error: Exception, file: str) -> str:
    status = status_of(error)
    match error:
        case OfflineModeIsEnabled() | LocalEntryNotFoundError():
            return (
                f"not in the cache ({constants.HF_HUB_CACHE}), and offline mode is on; unset HF_HUB_OFFLINE to load it "
                "once, or pass a local folder"
            )
        case HFValidationError():
            return "not a valid repository name; pass organisation/name, or a folder that exists"
        case GatedRepoError():
            return "access needs an agreement; accept it on the repository's page, then log in (hf auth login)"
        case RepositoryNotFoundError():
            return (
                "no such repository, or a private one; check the name, or the path if you meant a folder; for a "
                "private one run `hf auth login`, set HF_TOKEN or pass token="
            )
        case RevisionNotFoundError():
            return "no such branch, tag or commit; look it up on the repository's page"
        case EntryNotFoundError():
            return f"no file {file}; name a revision that has it"
        case _ if status in (401, 403):
            return f"access refused ({status}); check the token (hf auth login, HF_TOKEN or token=) and its permissions"
        case _ if status == 429:
            return "too many requests (429); wait some minutes, or log in (hf auth login), which raises the limit"
        case _ if status is not None:
            return f"the server answers {status}; try again later, or pass a local folder"
        case OSError(errno=errno.ENOSPC | errno.EDQUOT):
            return f"no space left for the cache ({constants.HF_HUB_CACHE}); free some, or set HF_HOME to another disk"
        case OSError(errno=errno.EACCES | errno.EPERM | errno.EROFS):
            return f"the cache ({constants.HF_HUB_CACHE}) cannot be written; set HF_HOME to a folder that can"
    return f"failed ({in_short(error)}); check the network and HF_ENDPOINT, or use a local folder"


def status_of(error: Exception) -> int | None:
    """Return the HTTP status of a server's answer; None if there was no answer."""
    response = getattr(error, "response", None)
    return response.status_code if isinstance(error, HfHubHTTPError) and response is not None else None


def in_short(error: Exception) -> str:
    """Return the type of an error and the first line of its message."""
    first_line = next(iter(str(error).strip().splitlines()), "")
    return f"{type(error).__name__}: {first_line}" if first_line else type(error).__name__
