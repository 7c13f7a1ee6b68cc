"""The reference of an encoder: scores of known music, calibrated likelihoods, and their error on other music."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
