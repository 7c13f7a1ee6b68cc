"""Foreign Python code that an embedder runs: its hash is in the recipe, and is pinned when the code is first used."""

import contextlib
import hashlib
from pathlib import Path

from ..errors import CheckpointError, OutputError
from ..whole_files import write_text_whole


def code_sha256(folder: Path) -> str:
    """Return the SHA-256 of all Python below a folder, names included; empty if there is none."""
    digest = hashlib.sha256()
    files = sorted(folder.rglob("*.py"))
    for file in files:
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        digest.update(f"{content}  {file.relative_to(folder).as_posix()}\n".encode())
    return digest.hexdigest() if files else ""


def pinned_code_sha256(folder: Path) -> str:
    """Return the SHA-256 of a folder of Python, and compare it with the one in ``FOLDER.sha256``.

    The first use writes that file, so that code that changes later is refused before it runs. In a place that cannot be
    written nothing is pinned.

    Raises:
        CheckpointError: the hash is not the noted one.
    """
    pin = folder.with_name(f"{folder.name}.sha256")
    try:
        found = code_sha256(folder)
        expected = pin.read_text(encoding="utf-8").split()[:1] if pin.exists() else [found]
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{folder}: its Python cannot be checked ({error}); install it again") from error
    if expected != [found]:
        raise CheckpointError(
            f"{folder}: its Python has SHA-256 {found}, not the one in {pin.name}; read the changes before the code is "
            "run, then put the new hash there"
        )
    if found and not pin.exists():
        with contextlib.suppress(OutputError):
            write_text_whole(pin, f"{found}  {folder.name}\n")
    return found
