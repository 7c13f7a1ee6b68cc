"""Signals by hand: cues that a listener would use, alterations, how sub-mixes are drawn."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
