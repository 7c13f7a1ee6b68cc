"""Many audios, each read and embedded once, and the similarities of their pairs."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
