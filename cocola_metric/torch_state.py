"""Independence of the caller's torch settings (autocast, defaults): they are set aside during scoring."""

import functools
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import ParamSpec, TypeVar

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


@contextmanager
def own_torch_state() -> Iterator[None]:
    """Compute in float32 with new tensors on the CPU, and restore the caller's settings afterwards.

    Only settings that differ are changed, since the default dtype is shared by all threads of the process.
    """
    torch = sys.modules.get("torch")  # without an import there are no settings
    if torch is None:
        yield
        return
    with ExitStack() as stack:
        for kind in ("cpu", *(("cuda",) if torch.cuda.is_initialized() else ())):
            if torch.is_autocast_enabled(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        if torch.get_default_dtype() != torch.float32:
            stack.callback(torch.set_default_dtype, torch.get_default_dtype())
            torch.set_default_dtype(torch.float32)
        yield


def with_own_torch_state(function: Callable[_Parameters, _Result]) -> Callable[_Parameters, _Result]:
    """Make a function run in `own_torch_state`."""

    @functools.wraps(function)
    def wrapped(*args: _Parameters.args, **options: _Parameters.kwargs) -> _Result:
        with own_torch_state():
            return function(*args, **options)

    return wrapped


def each_with_own_torch_state(
    function: Callable[_Parameters, Iterator[_Result]],
) -> Callable[_Parameters, Iterator[_Result]]:
    """Make a generator run in `own_torch_state` while it works, but not while its caller works."""

    @functools.wraps(function)
    def wrapped(*args: _Parameters.args, **options: _Parameters.kwargs) -> Iterator[_Result]:
        results = function(*args, **options)
        while True:
            with own_torch_state():
                try:
                    result = next(results)
                except StopIteration:
                    return
            yield result

    return wrapped
