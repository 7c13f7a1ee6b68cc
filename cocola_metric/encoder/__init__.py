"""Waveform to embedding: front ends, backbones, heads and similarities of the model family."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
