"""CompoNet: a latent diffusion model with an adapter for the conditioning; its checkpoints, prompts and training."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
