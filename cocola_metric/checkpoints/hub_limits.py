"""Limits of downloads: bytes by the kind of file, and seconds for small answers."""

import inspect
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from huggingface_hub.utils.tqdm import tqdm

from ..errors import CheckpointError
from ..json_files import MOST_BYTES

MOST_CONFIG_BYTES = MOST_BYTES
_Result = TypeVar("_Result")


def limited(download: Callable[..., Any], most_bytes: int, place: str) -> dict[str, Any]:
    """Return options that stop a download at its limit, or when more arrives than was announced.

    Args:
        download: function of huggingface_hub; versions before 1 cannot be limited, and get no options.
        most_bytes: largest size of the file, in bytes.
        place: name of the download in the message.
    """
    if "tqdm_class" not in inspect.signature(download).parameters:
        return {}

    class Limited(tqdm):
        """A progress bar; it is called for every block before the block is written."""

        def __init__(self, *arguments: Any, **options: Any) -> None:
            self._most = min(most_bytes, options.get("total") or most_bytes)
            self._received = int(options.get("initial") or 0)
            super().__init__(*arguments, **options)  # type: ignore[no-untyped-call]
            self._refuse(int(options.get("total") or 0), most_bytes)

        def update(self, n: float | None = 1) -> bool | None:
            self._received += int(n or 0)
            self._refuse(self._received, self._most)
            done: bool | None = super().update(n)
            return done

        def _refuse(self, size: int, most: int) -> None:
            if size > most:
                self.close()
                raise CheckpointError(f"{place} has {size} bytes or more; the limit is {most}; tell its owner")

    return {"tqdm_class": Limited}


def within(seconds: float, request: Callable[[], _Result], place: str) -> _Result:
    """Return the result of a request, or stop waiting after a number of seconds.

    The thread of an abandoned request ends by itself, and does not keep the program alive.

    Raises:
        CheckpointError: the request took longer.
    """
    results: list[_Result] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(request())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, name="cocola-hub", daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise CheckpointError(
            f"{place} has not arrived within {seconds:g} s; try again later, or download it and pass its path"
        )
    if errors:
        raise errors[0]
    return results[0]
