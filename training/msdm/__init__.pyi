from .checkpoint import load_msdm, msdm_sha256
from .network import MSDM, MSDMConfig

__all__ = ["MSDM", "MSDMConfig", "load_msdm", "msdm_sha256"]
