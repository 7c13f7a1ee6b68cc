"""COCOLA: how well an accompaniment fits the music it was made for, as a number."""

import lazy_loader

from .version import VERSION

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)  # torch is imported when it is asked for
__version__ = VERSION
