"""Training the encoder: batches of sub-mixes, the contrastive loss, validation."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
