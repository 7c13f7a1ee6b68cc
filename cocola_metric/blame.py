"""Warnings that name the caller's line outside the package, from any depth inside it."""

import sys
import threading
import warnings

PASSED_OVER = ("cocola_metric", "concurrent", "threading", "torch", "torchmetrics")
"""Packages whose frames are skipped: ours, and those between our functions and the caller."""


def warn_caller(message: str, category: type[Warning]) -> None:
    """Warn from the innermost line outside `PASSED_OVER`, or from the outermost line if there is none.

    A worker thread of ours has no caller of its own; the main thread, which waits for it, is named in its place.
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
