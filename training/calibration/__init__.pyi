from .measuring import BINS, Calibration

__all__ = ["BINS", "Calibration"]
