"""The choice of a device: a CPU without torch, unless there is a GPU or one is asked for."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UsageError

if TYPE_CHECKING:
    import torch

_DRIVERS = ("/proc/driver/nvidia/gpus", "/dev/nvidia0", "/dev/dxg", "/dev/kfd", "C:/Windows/System32/nvcuda.dll")


def chosen_device(name: "str | torch.device | None") -> str:
    """Return the device of a name, by default a GPU if there is one. torch is imported only if there may be one.

    Raises:
        UsageError: the device cannot be used on this machine.
    """
    if str(name) == "cpu" or (name is None and not _may_have_gpu()):
        return "cpu"
    import torch

    try:
        device = torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
        torch.zeros(1, device=device).cpu()  # torch also accepts names of devices that this machine lacks
    except (RuntimeError, AssertionError, NotImplementedError, ImportError, TypeError, ValueError) as error:
        known = "cpu" if not torch.cuda.is_available() else f"cpu, or cuda:0 to cuda:{torch.cuda.device_count() - 1}"
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise UsageError(f"device {str(name)!r} cannot be used here ({reason[:200]}); pass {known}") from error
    return str(device)


def _may_have_gpu() -> bool:
    """Tell from the files of drivers whether there may be a GPU, since asking torch takes two seconds."""
    if (torch := sys.modules.get("torch")) is not None:
        return bool(torch.cuda.is_available())
    return any(Path(place).exists() for place in _DRIVERS)
