"""What every generator is asked: windows, conditioning and targets drawn once, in a manifest."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
