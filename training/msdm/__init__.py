"""MSDM: a diffusion model of stems on waveforms, its checkpoints, and its training."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
