"""The compiled transform alone is SciPy's own, to the bit, and SciPy is there where it is not found."""

import subprocess
import sys

import numpy as np
import pytest
import scipy.fft

from cocola_metric import fourier


@pytest.fixture(autouse=True)
def _chosen_anew():
    fourier._real_transform.cache_clear()
    yield
    fourier._real_transform.cache_clear()


def frames() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((2, 51, 1024)).astype(np.float32)


def test_it_is_scipys_to_the_bit() -> None:
    found = fourier.rfft(frames())
    assert found.dtype == np.complex64 and np.array_equal(found, scipy.fft.rfft(frames()))


def missing() -> None:
    raise ImportError


class _Otherwise:
    """A module whose function takes the same arguments, and does something else."""

    @staticmethod
    def r2c(values: np.ndarray, *_: object) -> np.ndarray:
        return np.zeros((*values.shape[:-1], values.shape[-1] // 2 + 1), np.complex64)


@pytest.mark.parametrize("compiled", [missing, object, _Otherwise])
def test_scipy_is_asked_where_it_is_missing_or_does_something_else(
    monkeypatch: pytest.MonkeyPatch, compiled: object
) -> None:
    monkeypatch.setattr(fourier, "_compiled", compiled)
    assert fourier._real_transform() is scipy.fft.rfft


def test_scipy_can_be_imported_later() -> None:
    code = (
        "import sys, numpy as np\n"
        "from cocola_metric import fourier\n"
        "values = np.arange(8, dtype=np.float32)\n"
        "before = fourier.rfft(values)\n"
        "assert 'scipy.fft' not in sys.modules\n"
        "import scipy.fft\n"
        "assert np.array_equal(before, scipy.fft.rfft(values))\n"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
