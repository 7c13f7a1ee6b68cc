"""COCOLA, a score of how well an accompaniment fits the music that it was made for."""

import lazy_loader

from .version import VERSION

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)  # torch is imported at first use
__version__ = VERSION
