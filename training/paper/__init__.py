"""The paper's published results: Tables 1 to 3 as data, and the tasks of Figure 3."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
