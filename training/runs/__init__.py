"""The parts that every training run shares: loop, checkpoint, log, files, options, processes, clock and settings."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
