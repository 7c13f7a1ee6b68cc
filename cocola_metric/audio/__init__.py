"""Audio in: a path, stems or an array become mono windows at 16 kHz, by one stated policy each."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
