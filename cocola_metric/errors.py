"""The errors this package raises on purpose; each message names the thing, the problem and the way out."""


class CocolaError(Exception):
    """Base of every error raised on purpose by this package."""


class AudioError(CocolaError, ValueError):
    """An audio input cannot be scored: missing, damaged, silent, too low a rate, wrong shape."""


class CheckpointError(CocolaError):
    """Encoder weights cannot be found, read or matched to their configuration."""


class DownloadError(CocolaError):
    """A file cannot be fetched.

    Attributes:
        status: HTTP status of the server's answer; None if there was no answer.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class MissingExtraError(CocolaError, ImportError):
    """A feature needs packages that only an extra of this package installs."""


class OutputError(CocolaError, OSError):
    """A file of results cannot be written: no such folder, no permission, no space left."""


class UsageError(CocolaError, ValueError):
    """A setting or a combination of arguments makes no sense."""


class WorkersError(CocolaError):
    """Worker processes cannot be had, or die of their work."""
