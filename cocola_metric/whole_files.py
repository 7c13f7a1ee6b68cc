"""Writing files whole or not at all; every file of results, weights or notes is written here."""

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import OutputError, UsageError

_NAME_CHARACTERS = 40  # of the target, in the temporary name: file systems end at 255 bytes, a character takes up to 4
_FOLLOW_NO_PLANTED_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL


@contextmanager
def written_whole(path: str | os.PathLike[str], *, durable: bool = True) -> Iterator[Path]:
    """Yield a temporary path to write to, which replaces the file at once when the block ends without an error.

    The temporary file is new, private to this call, and in the same folder. Its name ends in ``.partial``, so a library
    that chooses a format by the suffix must be told the format. A symbolic link is followed and kept. A replaced file
    passes on its mode and, if the system allows it, its owner; a new file gets the mode of the umask. After an error or
    an interrupt, the old file is unchanged and the temporary one is deleted.

    Args:
        path: path of the file; its folder must exist.
        durable: True waits until the disk has the file. False suits files whose damage is noticed and repaired.

    Raises:
        OutputError: the file cannot be written, as when the folder is missing or the disk is full.
    """
    target = Path(os.path.realpath(path))
    temporary: Path | None = None
    try:
        before = _status(target)
        temporary = _new_file(target, private=before is not None)
        mode = stat.S_IMODE((before or temporary.stat()).st_mode)
        yield temporary
        if before is not None:
            _hand_over(temporary, before)
        temporary.chmod(mode)
        if durable:
            _flush(temporary)
        temporary.replace(target)
        if durable:
            _flush_folder(target.parent)
    except OutputError:
        raise
    except OSError as error:
        if error.filename is not None and os.fspath(error.filename) not in (str(target), str(temporary)):
            raise  # the block failed at another file
        raise explained(path, error) from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)


def write_bytes_whole(path: str | os.PathLike[str], data: bytes, *, durable: bool = True) -> None:
    """Write a file as `written_whole` does.

    Raises:
        OutputError: the file cannot be written.
    """
    with written_whole(path, durable=durable) as temporary:
        temporary.write_bytes(data)


def write_text_whole(path: str | os.PathLike[str], text: str, *, durable: bool = True) -> None:
    """Write a text in UTF-8 with unchanged line ends, as `written_whole` does.

    Raises:
        OutputError: the file cannot be written.
    """
    write_bytes_whole(path, text.encode("utf-8"), durable=durable)


def refuse_unwritable(path: str | os.PathLike[str]) -> None:
    """Check that a file can be written, before the work for it begins; nothing is changed.

    Raises:
        OutputError: the file cannot be written.
    """
    target = Path(os.path.realpath(path))
    try:
        _new_file(target, private=_status(target) is not None).unlink()
    except OSError as error:
        raise explained(path, error) from error


def refuse_unwritable_folder(path: str | os.PathLike[str]) -> None:
    """See that files could be written to a folder that is there or could be made; nothing is changed.

    Raises:
        OutputError: one of the files cannot be written.
    """
    target = Path(os.path.realpath(path))
    try:
        while not target.exists():
            target = target.parent
        if not target.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(target))
        _new_file(target / "folder", private=True).unlink()
    except OSError as error:
        raise explained(path, error) from error


def refuse_unwritable_places(
    files: Iterable[str | os.PathLike[str] | None], folders: Iterable[str | os.PathLike[str] | None]
) -> None:
    """See that whatever a command is to write could be written; None stands for an option that was not given.

    Raises:
        OutputError: something in the folder cannot be written.
    """
    for file in files:
        if file is not None:
            refuse_unwritable(file)
    for folder in folders:
        if folder is not None:
            refuse_unwritable_folder(folder)


def make_folder(path: str | os.PathLike[str]) -> Path:
    """Create a folder and those above it, if they are missing.

    Raises:
        OutputError: the folder cannot be created.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise explained(path, error) from error
    return folder


@contextmanager
def written_alone(path: str | os.PathLike[str]) -> Iterator[None]:
    """Keep other runs from writing to a file during the block; a hidden lock file stays beside it.

    Raises:
        UsageError: another run writes to the file.
        OutputError: the file cannot be locked.
    """
    from filelock import FileLock, Timeout  # here: a score of one pair locks nothing

    target = Path(os.path.realpath(path))
    lock = FileLock(target.with_name(f".{target.name[:_NAME_CHARACTERS]}.lock"), timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise UsageError(f"{path}: another run writes to it; wait for that, or give another --out") from error
    except OSError as error:
        raise explained(path, error) from error
    try:
        yield
    finally:
        lock.release()


def _status(target: Path) -> os.stat_result | None:
    """Return the state of the file to be replaced, or None; raise an OSError if it cannot be replaced."""
    try:
        status = target.lstat()
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, "it is a folder", str(target))
    if stat.S_ISLNK(status.st_mode):  # realpath gave up
        raise OSError(errno.ELOOP, "its symbolic links go in a circle", str(target))
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is a device or a pipe, not a file", str(target))
    if not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, "it is write-protected", str(target))
    return status


def _new_file(target: Path, *, private: bool) -> Path:
    temporary = target.with_name(f".{target.name[:_NAME_CHARACTERS]}-{secrets.token_hex(8)}.partial")
    try:
        os.close(os.open(temporary, _FOLLOW_NO_PLANTED_FILE, 0o600 if private else 0o666))
    except OSError as error:
        error.filename = str(target)
        raise
    return temporary


def _hand_over(temporary: Path, before: os.stat_result) -> None:
    """Give the file the owner and the group of the replaced one, as far as the system allows it."""
    now = temporary.stat()
    if (now.st_uid, now.st_gid) == (before.st_uid, before.st_gid) or not hasattr(os, "chown"):
        return
    for owner in (before.st_uid, -1):
        with contextlib.suppress(OSError):
            os.chown(temporary, owner, before.st_gid)
            return


def _flush(file: Path) -> None:
    with file.open("rb+") as opened:
        os.fsync(opened.fileno())


def _flush_folder(folder: Path) -> None:
    """Wait until the disk has the new name, on systems that can open a folder."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def explained(path: str | os.PathLike[str], error: OSError) -> OutputError:
    """Return the error of a file that cannot be written, with the reason and the way out."""
    match error.errno:
        case errno.ENOENT:
            problem = "its folder does not exist; make the folder first"
        case errno.ENOTDIR:
            problem = "a part of its path is a file and not a folder; choose another path"
        case errno.EEXIST:
            problem = "a file has that name; choose another name"
        case errno.ENOSPC | errno.EDQUOT:
            problem = f"{error.strerror}; free some space, or choose a file on another disk"
        case _:
            problem = f"{error.strerror or error}; choose another file"
    explained = OutputError(f"{os.fspath(path)}: cannot be written: {problem}")
    explained.errno = error.errno
    return explained
