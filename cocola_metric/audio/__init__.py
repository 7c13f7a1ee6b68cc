"""Audio input: a path, stems or an array become mono windows at 16 kHz; every doubtful case has one stated policy."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
