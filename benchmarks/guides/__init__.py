"""Guides: the gradient of a COCOLA score as a term of a generator's sampling, the same for every generator."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
