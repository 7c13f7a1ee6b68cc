"""Multi-stem corpora: finding their tracks, splitting them, reading windows of their stems."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
