"""SciPy's Fourier transforms of NumPy arrays, without what else `scipy.fft` imports.

NumPy's own transform takes up to four times as long in float32. ``import scipy.fft`` costs 0.15 s of CPU, a third of
what a score takes from the shell, nearly all of it for other array libraries and for ``scipy.special``; the compiled
part that does the work loads in a millisecond. Where it lies is SciPy's own business: if it is not found there, or does
not do what it is asked, `scipy.fft` is imported.
"""

import functools
import importlib.util
import sys
from collections.abc import Callable
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

import numpy as np

_MODULE = "scipy.fft._pocketfft.pypocketfft"


def rfft(values: Any) -> Any:
    """Return the transform of real values along the last axis: (..., N) -> (..., N / 2 + 1)."""
    return _real_transform()(values)


def ifft(values: Any) -> Any:
    """Return the inverse transform along the last axis: (..., N) -> the same."""
    import scipy.fft

    return scipy.fft.ifft(values)


@functools.cache
def _real_transform() -> Callable[[Any], Any]:
    """Return the compiled transform alone if it gives what NumPy's gives of a few numbers, else SciPy's function."""
    impulse = np.asarray([[1, 0, 0, 2], [0, 3, 0, 0]], np.float32)
    try:
        transform = functools.partial(_last_axis, _compiled().r2c)
        found = transform(impulse)
        if found.dtype == np.complex64 and np.array_equal(found, np.fft.rfft(impulse)):
            return transform
    except (ImportError, AttributeError, TypeError, ValueError, RuntimeError):
        pass
    import scipy.fft

    public: Callable[[Any], Any] = scipy.fft.rfft
    return public


def _last_axis(real_to_complex: Callable[..., Any], values: Any) -> Any:
    forward, not_scaled, new_array, threads = True, 0, None, 1
    return real_to_complex(values, (values.ndim - 1,), forward, not_scaled, new_array, threads)


def _compiled() -> Any:
    """Return the extension module, imported without the packages that it lies in.

    Raises:
        ImportError: SciPy no longer has it in its place.
    """
    if _MODULE in sys.modules:
        return sys.modules[_MODULE]
    package, *folders, name = _MODULE.split(".")
    scipy = PathFinder.find_spec(package)
    places = [str(Path(place, *folders)) for place in (scipy.submodule_search_locations or () if scipy else ())]
    found = PathFinder.find_spec(name, places)
    spec = importlib.util.spec_from_file_location(_MODULE, found.origin) if found and found.origin else None
    if spec is None or spec.loader is None:
        raise ImportError(f"no {_MODULE}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return sys.modules.setdefault(_MODULE, module)  # so that SciPy, if it is imported later, does not load it again
