"""The choice of a device: a CPU without torch, unless there is a GPU or one is asked for."""

import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UsageError

if TYPE_CHECKING:
    import torch

_REFUSALS = (RuntimeError, AssertionError, NotImplementedError, ImportError, TypeError, ValueError)
"""Kinds of errors by which torch refuses a device."""
_DRIVERS = ("/proc/driver/nvidia/gpus", "/dev/nvidia0", "/dev/dxg", "/dev/kfd", "C:/Windows/System32/nvcuda.dll")


def chosen_device(name: "str | torch.device | None") -> str:
    """Return the device of a name, by default a GPU if there is one: CUDA, or MPS on Apple silicon.

    torch is imported only if there may be a GPU.

    Raises:
        UsageError: the device cannot be used on this machine.
    """
    if str(name) == "cpu" or (name is None and not _may_have_gpu()):
        return "cpu"
    import torch

    if name is None and not torch.cuda.is_available():
        return "mps" if torch.backends.mps.is_available() and _transforms_on("mps") else "cpu"
    try:
        device = torch.device(name or "cuda")
        torch.zeros(1, device=device).cpu()  # torch also accepts names of devices that this machine lacks
    except _REFUSALS as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise UsageError(f"device {str(name)!r} cannot be used here ({reason[:200]}); pass {_usable()}") from error
    return str(device)


def _usable() -> str:
    """Return the devices of this machine, in words."""
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    gpus = ["mps"] * torch.backends.mps.is_available() + ([f"cuda:0 to cuda:{count - 1}"] if count else [])
    return ", or ".join(["cpu", *gpus])


def _transforms_on(device: str) -> bool:
    """Tell whether a device computes what the front ends need, which early versions of MPS do not."""
    import torch

    try:
        spectrum = torch.fft.rfft(torch.ones(2, 1024, device=device))
        return bool((spectrum * spectrum.conj()).abs().sum().cpu().isfinite())
    except _REFUSALS:
        return False


def _may_have_gpu() -> bool:
    """Tell from the files of drivers whether there may be a GPU, since asking torch takes two seconds."""
    if (torch := sys.modules.get("torch")) is not None:
        return bool(torch.cuda.is_available() or torch.backends.mps.is_available())
    if sys.platform == "darwin":
        return platform.machine() == "arm64"
    return any(Path(place).exists() for place in _DRIVERS)
