"""What a score means: where it lies among pairs that belong together, and how likely such a pair is."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
