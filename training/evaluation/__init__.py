"""Measuring encoders: accuracy, validity, the paper's Table 2 and Figure 4, ablations, paired comparisons."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
