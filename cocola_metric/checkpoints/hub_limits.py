"""Limits of what a server may send: in bytes, by the kind of file, and in seconds where there is little to send."""

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
    """Return options with which a download stops at its limit, or when more arrives than was announced.

    Args:
        download: the function of huggingface_hub; versions before 1 cannot be limited, and get no options.
        most_bytes: most that the file may have.
        place: what is downloaded, for the message.
    """
    if "tqdm_class" not in inspect.signature(download).parameters:
        return {}

    class Limited(tqdm):
        """A progress bar, which is told of every block before it is written."""

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
                raise CheckpointError(
                    f"{place} has {size} bytes or more, and may have {most}: it is not what it says; tell its owner"
                )

    return {"tqdm_class": Limited}


def within(seconds: float, request: Callable[[], _Result], place: str) -> _Result:
    """Return what a request returns, or stop waiting for it.

    A request that is given up ends by itself, in a thread that keeps no program alive.

    Raises:
        CheckpointError: it took longer.
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
            f"{place} has not arrived within {seconds:g} s: try again later, or download it and pass its path"
        )
    if errors:
        raise errors[0]
    return results[0]
