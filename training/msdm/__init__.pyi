from .checkpoint import load_msdm, msdm_sha256
from .network import MSDM

__all__ = ["MSDM", "load_msdm", "msdm_sha256"]
