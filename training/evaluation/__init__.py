"""What an encoder has learned: accuracy, validity, the paper's tables and figures."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
