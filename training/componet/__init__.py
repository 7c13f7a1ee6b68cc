"""CompoNet: a latent diffusion model with an adapter that listens to the conditioning."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
