"""Warnings that blame the line of the caller outside the package, however deep inside it they arise."""

import sys
import threading
import warnings

PASSED_OVER = ("cocola_metric", "concurrent", "threading", "torch", "torchmetrics")
"""Packages whose frames are passed over: ours, and those that lie between our functions and the caller."""


def warn_caller(message: str, category: type[Warning]) -> None:
    """Warn as if the innermost line outside `PASSED_OVER` had; where there is none, the outermost line is blamed.

    One of our worker threads has no caller of its own: the main thread, which waits for it, is blamed in its place.
    """
    frame = sys._getframe(1)
    if threading.current_thread().name.startswith("cocola"):
        frame = sys._current_frames()[threading.main_thread().ident or 0]
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in PASSED_OVER:
        frame = frame.f_back
    warnings.warn_explicit(
        message,
        category,
        filename=frame.f_code.co_filename,
        lineno=frame.f_lineno,
        module=frame.f_globals.get("__name__"),
        registry=frame.f_globals.setdefault("__warningregistry__", {}),
    )
