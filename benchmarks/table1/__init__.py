"""Table 1 as measured: every task of Figure 3, its measures, and the systems that claim it."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
