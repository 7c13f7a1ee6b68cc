"""Signal processing without learning: cues of two sub-mixes, alterations of audio, random draws of sub-mixes."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
