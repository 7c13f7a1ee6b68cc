"""Fréchet audio distances beside the score: FAD, sub-FAD, their bias and interval, their embedders."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
